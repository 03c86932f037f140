// Package message holds a request and a response as HTTP semantics sees them
// (RFC 9110), whatever version carries them, and the seam between the engine
// and the connections: a Stream is one exchange on one connection.
package message

import (
	"crypto/x509"
	"time"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

// UnknownLength marks a body that ends with its framing, not after a count.
const UnknownLength int64 = -1

// Request is the head of a request, ready for the wire: the engine has put
// every field where the profile wants it, the connection adds none.
type Request struct {
	Method    string
	Scheme    string
	Authority string // host[:port], the default port left out
	Path      string // origin-form with the query, or "*"
	Absolute  bool   // Path is in absolute-form, for a proxy that passes the request on
	// Fields are in wire order; HTTP/2 writes the names in lower case. Requests may
	// share them: nobody changes them any more.
	Fields Fields
	// HasBody tells an empty body from none; Length counts it (UnknownLength:
	// chunked coding or DATA frames until the end).
	HasBody bool
	Length  int64
	// Protocol makes a CONNECT over HTTP/2 an extended one (RFC 8441 section 4).
	Protocol string
}

// Response is the head of a final response.
type Response struct {
	Status  int
	Reason  string // HTTP/1 only
	Version string // "HTTP/1.0", "HTTP/1.1", "HTTP/2"
	Fields  Fields
	Length  int64 // bytes of the body on the wire, UnknownLength when it ends with its framing
}

// Delivery says how far a request got, as far as this side can know. It alone
// decides whether a failed request may be sent again.
type Delivery int

const (
	// Unsent: no byte left this machine, or the peer said that it processed
	// nothing (REFUSED_STREAM, GOAWAY below the stream; RFC 9113 section 8.7).
	Unsent Delivery = iota
	// Sent: the server may have acted on it.
	Sent
	// Answered: bytes of a response have come.
	Answered
)

// Stream is one exchange on one connection. Its methods are called by one
// goroutine at a time, in this order: WriteHead, [AwaitContinue], Write*,
// CloseWrite, ReadHead, Read* until io.EOF, Close. They block no longer than
// the wait.Context the stream was opened with allows.
type Stream interface {
	// WriteHead sends the head, or holds it to leave with the first bytes of
	// the body. Without a body (HasBody false) it ends the request.
	WriteHead(req *Request) error
	// AwaitContinue flushes the head and waits up to limit for 100 (Continue).
	// It reports false when a final response came instead: the body must not be
	// sent, ReadHead returns that response.
	AwaitContinue(limit time.Duration) (bool, error)
	// Write sends a piece of the body. ErrAnswered means that the server has
	// answered already and wants no more of it: go on with ReadHead.
	Write(p []byte) (int, error)
	// CloseWrite ends the body. More or fewer bytes than Length are an error.
	CloseWrite(trailers Fields) error
	// ReadHead flushes and returns the final response; informational ones are
	// counted against a limit and dropped.
	ReadHead() (*Response, error)
	// Read reads the body as it is on the wire, content codings and all, and
	// returns io.EOF only when the framing says that it is complete.
	Read(p []byte) (int, error)
	// ReadNow is Read that does not wait: wait.ErrWouldBlock where there is nothing.
	ReadNow(p []byte) (int, error)
	// Whole reports whether what is left of the body is here, so that no Read would
	// wait. A guest's, where that may become true, returns wait.ErrWouldBlock.
	Whole() (bool, error)
	// Trailers returns the trailer section once Read has returned io.EOF.
	Trailers() Fields
	// Delivery says whether the request may be sent again.
	Delivery() Delivery
	// Close ends the stream. A complete exchange gives its connection back to
	// the pool, an unfinished one is reset (HTTP/2) or closes it (HTTP/1).
	// Closing twice is harmless.
	Close() error
}

// Upgrader is a Stream that can carry another protocol.
type Upgrader interface {
	// Upgrade takes over what the stream is made of, after a response that grants
	// it. Of the stream's methods only Delivery may be called afterwards; Close of
	// what is returned ends it.
	Upgrade() (wait.Duplex, error)
}

// Connection tells what carried an exchange.
type Connection struct {
	ID         uint64 // counts up over the life of the library
	Protocol   string // "http/1.1" or "h2", as in ALPN
	Reused     bool
	RemoteAddr string
	LocalAddr  string
	TLS        *TLS // nil in the clear
	// What setting it up cost; zero when reused.
	DNS, Connect, Handshake time.Duration
}

// TLS is what the handshake agreed on.
type TLS struct {
	Version      uint16
	CipherSuite  uint16
	Group        uint16 // 0 where the library does not tell
	ALPN         string
	ServerName   string
	Resumed      bool
	ECH          bool
	JA4          string              // of the ClientHello that was sent
	Certificates []*x509.Certificate // the peer's chain as sent, leaf first
}

// Opener is a connection that can carry exchanges.
type Opener interface {
	// Open begins an exchange whose waits obey ctx.
	Open(ctx *wait.Context) (Stream, error)
}
