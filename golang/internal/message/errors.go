package message

import (
	"errors"
	"fmt"
)

// ErrAnswered ends an upload early: the response is there.
var ErrAnswered = errors.New("the server answered before the body was sent")

// ProtocolError is a peer that broke the rules of its protocol. What names the
// rule, Section where it is written.
type ProtocolError struct {
	Protocol string // "HTTP/1.1", "HTTP/2", "HPACK"
	What     string
	Section  string // e.g. "RFC 9112 section 7.1"
}

func (e *ProtocolError) Error() string {
	if e.Section == "" {
		return fmt.Sprintf("%s: %s", e.Protocol, e.What)
	}
	return fmt.Sprintf("%s: %s (%s)", e.Protocol, e.What, e.Section)
}

// LimitError is a peer that sent more than a limit of ours allows.
type LimitError struct {
	What  string // e.g. "header block", "informational responses"
	Limit int64
	Unit  string // "bytes", "responses", …
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%s larger than the limit of %d %s", e.What, e.Limit, e.Unit)
}

// IncompleteError is a body that ended before its framing said so.
type IncompleteError struct {
	Received int64
	Expected int64 // UnknownLength where the framing gave no count
	Cause    error
}

func (e *IncompleteError) Error() string {
	if e.Expected >= 0 {
		return fmt.Sprintf("body ended after %d of %d bytes", e.Received, e.Expected)
	}
	return fmt.Sprintf("body ended after %d bytes, before its end was signalled", e.Received)
}

func (e *IncompleteError) Unwrap() error { return e.Cause }

// ClosedError is a connection that the peer closed or reset under an exchange.
type ClosedError struct {
	While string // what we were doing: "writing the request", "reading the response head"
	Cause error
}

func (e *ClosedError) Error() string {
	if e.Cause == nil {
		return "connection closed by the server while " + e.While
	}
	return fmt.Sprintf("connection lost while %s: %v", e.While, e.Cause)
}

func (e *ClosedError) Unwrap() error { return e.Cause }

// ResetError is an HTTP/2 stream that the peer reset, or a GOAWAY that took it
// along.
type ResetError struct {
	Code    uint32 // RFC 9113 section 7
	Name    string // "REFUSED_STREAM", …
	Whole   bool   // the connection went, not only this stream
	Details string // GOAWAY's debug data
}

func (e *ResetError) Error() string {
	what := "stream reset by the server"
	if e.Whole {
		what = "connection closed by the server (GOAWAY)"
	}
	if e.Details != "" {
		return fmt.Sprintf("%s: %s: %s", what, e.Name, e.Details)
	}
	return fmt.Sprintf("%s: %s", what, e.Name)
}

// LengthError is a body that does not have the length that was announced.
type LengthError struct {
	Announced, Given int64
}

func (e *LengthError) Error() string {
	return fmt.Sprintf("body of %d bytes where %d were announced", e.Given, e.Announced)
}
