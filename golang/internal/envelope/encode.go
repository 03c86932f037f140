package envelope

import (
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/tinylib/msgp/msgp"

	"github.com/cycletls/cycletls/golang/internal/message"
)

// Append appends the msgpack of a message that leaves the core; the boundary
// puts base64 around it. m is a pointer to one of the schema's structs.
func Append(b []byte, m any) []byte {
	w := mapWriter{b: b}
	switch m := m.(type) {
	case *Response:
		w.open("response")
		w.response(m)
	case *Error:
		w.open("error")
		w.text("kind", string(m.Kind))
		w.text("message", m.Message)
		w.texts("detail", m.Detail)
	case *Made:
		w.open("made")
		w.handle("handle", m.Handle)
	case *Done:
		w.open("done")
	case *Event:
		w.open("event")
		w.event(m)
	case *Queue:
		w.open("queue")
		w.handle("handle", m.Handle)
		w.integer("descriptor", int64(m.Descriptor))
	case *Watched:
		w.open("watched")
		w.integer("descriptor", int64(m.Descriptor))
	case *CookieList:
		w.open("cookieList")
		w.cookies("cookies", m.Cookies)
	case *CertificateChain:
		w.open("certificateChain")
		w.blobs("certificates", m.Certificates)
	case *Capturing:
		w.open("capturing")
		w.capturing(m)
	case *Serving:
		w.open("serving")
		w.handle("handle", m.Handle)
		w.text("address", m.Address)
	case *Document:
		w.open("document")
		w.text("text", m.Text)
	case *Description:
		w.open("description")
		w.description(m)
	case *StatsReply:
		w.open("statsReply")
		w.stats(m)
	default:
		panic(fmt.Sprintf("envelope: %T never leaves the core", m))
	}
	w.close()
	return w.b
}

// A mapWriter writes maps whose fields are left out when they are empty, so it
// learns the count last: a map16 header is reserved and filled in by close.
type mapWriter struct {
	b     []byte
	start int
	count int
}

const map16 = 0xde

func (w *mapWriter) begin() {
	w.start, w.count = len(w.b), 0
	w.b = append(w.b, map16, 0, 0)
}

func (w *mapWriter) open(kind string) {
	w.begin()
	w.text("type", kind)
}

func (w *mapWriter) close() {
	w.b[w.start+1], w.b[w.start+2] = byte(w.count>>8), byte(w.count)
}

// nested writes a map as the value of name, or as an element where name is "".
func (w *mapWriter) nested(name string, write func(*mapWriter)) {
	if name != "" {
		w.key(name)
	}
	inner := mapWriter{b: w.b}
	inner.begin()
	write(&inner)
	inner.close()
	w.b = inner.b
}

func (w *mapWriter) key(name string) {
	w.count++
	w.b = msgp.AppendString(w.b, name)
}

func (w *mapWriter) text(name, value string) {
	if value != "" {
		w.key(name)
		w.b = appendText(w.b, value)
	}
}

func (w *mapWriter) integer(name string, value int64) {
	if value != 0 {
		w.key(name)
		w.b = msgp.AppendInt64(w.b, value)
	}
}

func (w *mapWriter) handle(name string, value uint64) {
	if value != 0 {
		w.key(name)
		w.b = msgp.AppendUint64(w.b, value)
	}
}

func (w *mapWriter) flag(name string, value bool) {
	if value {
		w.key(name)
		w.b = msgp.AppendBool(w.b, true)
	}
}

func (w *mapWriter) milliseconds(name string, value time.Duration) {
	if value != 0 {
		w.key(name)
		w.b = msgp.AppendFloat64(w.b, float64(value)/float64(time.Millisecond))
	}
}

func (w *mapWriter) texts(name string, values map[string]string) {
	if len(values) == 0 {
		return
	}
	w.nested(name, func(inner *mapWriter) {
		for _, key := range slices.Sorted(maps.Keys(values)) {
			inner.text(key, values[key])
		}
	})
}

// appendText writes what came from the wire as the UTF-8 that msgpack strings
// are. Bytes that are not UTF-8 are taken as ISO-8859-1, the historic charset
// of field values (RFC 9110 section 5.5).
func appendText(b []byte, text string) []byte {
	if utf8.ValidString(text) {
		return msgp.AppendString(b, text)
	}
	runes := make([]rune, len(text))
	for i := range len(text) {
		runes[i] = rune(text[i])
	}
	return msgp.AppendString(b, string(runes))
}

func (w *mapWriter) blobs(name string, values [][]byte) {
	w.key(name)
	w.b = msgp.AppendArrayHeader(w.b, uint32(len(values)))
	for _, value := range values {
		w.b = msgp.AppendBytes(w.b, value)
	}
}

func (w *mapWriter) blob(name string, value []byte) {
	if len(value) > 0 {
		w.key(name)
		w.b = msgp.AppendBytes(w.b, value)
	}
}

func (w *mapWriter) pairs(name string, fields message.Fields) {
	if len(fields) == 0 {
		return
	}
	w.key(name)
	w.b = appendPairs(w.b, fields)
}

// Pairs are fields as messages tell them, ready to be told many times.
type Pairs []byte

// PairsOf writes fields; none are nil.
func PairsOf(fields message.Fields) Pairs {
	if len(fields) == 0 {
		return nil
	}
	return appendPairs(nil, fields)
}

func appendPairs(b []byte, fields message.Fields) []byte {
	b = msgp.AppendArrayHeader(b, uint32(len(fields)))
	for i := range fields {
		b = msgp.AppendArrayHeader(b, 2)
		b = appendText(b, fields[i].Name)
		b = appendText(b, fields[i].Value)
	}
	return b
}

func (w *mapWriter) changes(name string, changes []HeaderChange) {
	if len(changes) == 0 {
		return
	}
	w.key(name)
	w.b = msgp.AppendArrayHeader(w.b, uint32(len(changes)))
	for i := range changes {
		w.b = msgp.AppendArrayHeader(w.b, 2)
		w.b = appendText(w.b, changes[i].Name)
		if changes[i].Remove {
			w.b = msgp.AppendNil(w.b)
		} else {
			w.b = appendText(w.b, changes[i].Value)
		}
	}
}

func (w *mapWriter) cookies(name string, cookies []Cookie) {
	w.key(name)
	w.b = msgp.AppendArrayHeader(w.b, uint32(len(cookies)))
	for i := range cookies {
		w.nested("", func(inner *mapWriter) { inner.cookie(&cookies[i]) })
	}
}

func (w *mapWriter) cookie(c *Cookie) {
	w.key("name")
	w.b = appendText(w.b, c.Name)
	w.key("value")
	w.b = appendText(w.b, c.Value)
	w.text("domain", c.Domain)
	w.text("path", c.Path)
	w.flag("hostOnly", c.HostOnly)
	w.flag("secure", c.Secure)
	w.flag("httpOnly", c.HTTPOnly)
	w.text("sameSite", c.SameSite)
	w.integer("expires", c.Expires)
}

func (w *mapWriter) response(r *Response) {
	w.integer("status", int64(r.Status))
	w.text("reason", r.Reason)
	w.text("version", r.Version)
	w.text("url", r.URL)
	w.text("method", r.Method)
	w.pairs("headers", r.Headers)
	if len(r.Sent) > 0 {
		w.key("sent")
		w.b = append(w.b, r.Sent...)
	}
	if len(r.Cookies) > 0 {
		w.cookies("cookies", r.Cookies)
	}
	if len(r.History) > 0 {
		w.key("history")
		w.b = msgp.AppendArrayHeader(w.b, uint32(len(r.History)))
		for i := range r.History {
			w.nested("", func(inner *mapWriter) { inner.response(&r.History[i]) })
		}
	}
	if r.Redirect != nil {
		w.nested("redirect", func(inner *mapWriter) { inner.redirect(r.Redirect) })
	}
	if r.Connection != nil {
		w.nested("connection", func(inner *mapWriter) { inner.connection(r.Connection) })
	}
	w.nested("timings", func(inner *mapWriter) { inner.timings(&r.Timings) })
	w.pairs("trailers", r.Trailers)
}

func (w *mapWriter) redirect(r *Redirect) {
	w.text("method", r.Method)
	w.text("url", r.URL)
	w.text("kind", r.Kind)
	w.flag("keepBody", r.KeepBody)
	w.changes("headers", r.Headers)
	w.flag("foreign", r.Foreign)
	w.integer("hops", int64(r.Hops))
}

func (w *mapWriter) connection(c *Connection) {
	w.handle("id", c.ID)
	w.text("protocol", c.Protocol)
	w.flag("reused", c.Reused)
	w.text("remoteAddr", c.RemoteAddr)
	w.text("localAddr", c.LocalAddr)
	if t := c.TLS; t != nil {
		w.nested("tls", func(inner *mapWriter) {
			inner.text("version", t.Version)
			inner.text("cipher", t.Cipher)
			inner.text("group", t.Group)
			inner.text("alpn", t.ALPN)
			inner.text("serverName", t.ServerName)
			inner.flag("resumed", t.Resumed)
			inner.flag("ech", t.ECH)
			inner.text("ja4", t.JA4)
		})
	}
}

func (w *mapWriter) description(d *Description) {
	w.text("ja3", d.JA3)
	w.text("ja3Hash", d.JA3Hash)
	w.text("ja4", d.JA4)
	w.text("ja4r", d.JA4R)
	w.text("ja4o", d.JA4O)
	w.text("ja4ro", d.JA4RO)
	w.text("akamai", d.Akamai)
	w.text("akamaiHash", d.AkamaiHash)
	w.text("peetprint", d.PeetPrint)
	w.text("peetprintHash", d.PeetPrintHash)
	w.text("document", d.Document)
}

func (w *mapWriter) event(e *Event) {
	w.text("event", e.Name)
	w.text("data", e.Data)
	w.text("id", e.ID)
	if e.Retry >= 0 { // 0 is a time, too
		w.key("retry")
		w.b = msgp.AppendInt64(w.b, e.Retry.Milliseconds())
	}
}

func (w *mapWriter) timings(t *Timings) {
	w.milliseconds("pool", t.Pool)
	w.milliseconds("dns", t.DNS)
	w.milliseconds("connect", t.Connect)
	w.milliseconds("tls", t.TLS)
	w.milliseconds("send", t.Send)
	w.milliseconds("wait", t.Wait)
	w.milliseconds("total", t.Total)
}

func (w *mapWriter) capturing(c *Capturing) {
	w.handle("handle", c.Handle)
	w.text("url", c.URL)
	w.text("authority", c.Authority)
	w.blob("leaf", c.Leaf)
	w.text("keyPin", c.KeyPin)
}

func (w *mapWriter) stats(s *StatsReply) {
	w.integer("sessions", int64(s.Sessions))
	w.integer("exchanges", int64(s.Exchanges))
	w.integer("connections", int64(s.Connections))
	w.integer("captures", int64(s.Captures))
	w.integer("goroutines", int64(s.Goroutines))
	w.integer("heapBytes", int64(s.HeapBytes))
}
