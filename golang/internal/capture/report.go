package capture

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"hash"
)

// maxContent is how much of a body a report repeats; its length and hash are
// always whole.
const maxContent = 1 << 16

// Report is the answer to a request: what was seen of it and, so far, of its
// connection.
type Report struct {
	Connection Connection `json:"connection"`
	TLS        *TLS       `json:"tls,omitempty"`
	Frames     []Frame    `json:"frames,omitempty"` // HTTP/2: all of the connection, in order
	Akamai     string     `json:"akamai,omitempty"` // HTTP/2: the connection in that notation
	Request    Request    `json:"request"`
}

// Connection tells which connection carried a request, and as its how-manieth.
type Connection struct {
	ID         uint64 `json:"id"`
	Requests   int    `json:"requests"`
	Protocol   string `json:"protocol"`
	RemoteAddr string `json:"remoteAddr"`
}

// TLS is the client's part of a handshake and what was agreed on. Code points
// are written as in profiles: "0x1301".
type TLS struct {
	Version      string   `json:"version"`
	Cipher       string   `json:"cipher"`
	Group        string   `json:"group"`
	ALPN         string   `json:"alpn"`
	ServerName   string   `json:"serverName"`
	Resumed      bool     `json:"resumed"`
	Hellos       []Hex    `json:"hellos"`  // handshake messages, without record headers
	Records      []Record `json:"records"` // the first ones that the client sent
	*Fingerprint          // of the first hello
}

// Request is a request as it came. Bytes above 0x7f of fields are given as the
// Latin-1 characters of the same number, so that none is lost.
type Request struct {
	Number    int     `json:"number"` // among all that the server has seen
	Kind      string  `json:"kind"`   // navigate, fetch, …
	Method    string  `json:"method"`
	Target    string  `json:"target"`
	Scheme    string  `json:"scheme,omitempty"`    // HTTP/2
	Authority string  `json:"authority,omitempty"` // HTTP/2
	Version   string  `json:"version,omitempty"`   // HTTP/1
	Fields    []Field `json:"fields"`              // HTTP/2: pseudo-header fields too
	Head      Hex     `json:"head"`                // HTTP/1: up to the blank line; HTTP/2: the header block
	Stream    uint32  `json:"stream,omitempty"`    // HTTP/2
	Body      Body    `json:"body"`
	Trailers  []Field `json:"trailers,omitempty"`
}

// Field is a field line: name and value.
type Field [2]string

// Body is a request's content, with its framing taken off.
type Body struct {
	Length  int64   `json:"length"`
	SHA256  Hex     `json:"sha256,omitempty"`
	Content Hex     `json:"content"`          // its first 64 KiB
	Chunks  []int64 `json:"chunks,omitempty"` // sizes of the first 16,384

	digest hash.Hash
}

// Write takes the next piece of the content.
func (b *Body) Write(p []byte) (int, error) {
	if b.digest == nil {
		b.digest = sha256.New()
	}
	b.digest.Write(p)
	b.Length += int64(len(p))
	b.Content = append(b.Content, p[:min(len(p), maxContent-len(b.Content))]...)
	return len(p), nil
}

func (b *Body) finish() {
	if b.digest != nil {
		b.SHA256 = b.digest.Sum(nil)
	}
}

// Hex is written as hexadecimal digits.
type Hex []byte

// MarshalText writes the digits.
func (h Hex) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

// UnmarshalText reads them.
func (h *Hex) UnmarshalText(text []byte) (err error) {
	*h, err = hex.AppendDecode(nil, text)
	return err
}

// connection is what the requests of one connection have in common. Only its own
// goroutine touches it; the log gets copies.
type connection struct {
	log      *log
	about    Connection
	tap      *tap                       // nil in the clear
	state    func() tls.ConnectionState // nil in the clear
	frames   []Frame
	requests []Request
	hello    *Fingerprint
	akamai   string
	failed   error

	frameBytes, requestBytes int
}

// report notes the next request on the connection and describes it.
func (c *connection) report(request *Request) ([]byte, error) {
	c.about.Requests++
	request.Body.finish()
	if c.frames != nil && c.akamai == "" {
		c.akamai = akamai(c.frames, request.Fields).String()
	}
	request.Number = c.log.number()
	c.keep(*request)
	c.publish(request)
	return json.Marshal(Report{Connection: c.about, TLS: c.handshake(), Frames: c.frames, Akamai: c.akamai, Request: *request})
}

// keep remembers a request; of too many the older half is forgotten.
func (c *connection) keep(request Request) {
	c.requests = append(c.requests, request)
	c.requestBytes += request.size()
	if len(c.requests) <= maxRequests && c.requestBytes <= maxRequestBytes {
		return
	}
	c.requests = append([]Request(nil), c.requests[len(c.requests)/2:]...)
	c.requestBytes = 0
	for i := range c.requests {
		c.requestBytes += c.requests[i].size()
	}
}

// size is about what the request takes in memory.
func (r *Request) size() int { return 256 + 4*len(r.Head) + len(r.Body.Content) + 8*len(r.Body.Chunks) }

// publish gives the log what is known by now; request is the one that is new, or
// nil.
func (c *connection) publish(request *Request) {
	seen := Seen{Connection: c.about, TLS: c.handshake(), Frames: c.frames, Akamai: c.akamai, Requests: c.requests}
	if c.failed != nil {
		seen.Error = c.failed.Error()
	}
	seen.size = c.frameBytes + c.requestBytes + maxHello
	c.log.put(seen, request)
}

// handshake returns nil in the clear.
func (c *connection) handshake() *TLS {
	if c.state == nil {
		return nil
	}
	sent, state := hellos(c.tap.opening), c.state()
	if state.Version < tls.VersionTLS13 && len(sent) > 1 {
		// What follows there is encrypted and only looks like a hello.
		sent = sent[:1]
	}
	seen := &TLS{
		Version:    point(state.Version),
		Cipher:     point(state.CipherSuite),
		Group:      point(uint16(state.CurveID)),
		ALPN:       state.NegotiatedProtocol,
		ServerName: state.ServerName,
		Resumed:    state.DidResume,
		Hellos:     sent,
		Records:    c.tap.records,
	}
	if len(sent) > 0 && c.hello == nil {
		c.hello = notations(sent[0])
	}
	seen.Fingerprint = c.hello
	return seen
}

func point(code uint16) string {
	return "0x" + hex.EncodeToString([]byte{byte(code >> 8), byte(code)})
}

// latin1 keeps every byte, which a JSON string of arbitrary bytes would not.
func latin1(b []byte) string {
	characters := make([]rune, len(b))
	for i, octet := range b {
		characters[i] = rune(octet)
	}
	return string(characters)
}
