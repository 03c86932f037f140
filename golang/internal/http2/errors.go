package http2

import (
	"errors"
	"io"
	"net"

	"golang.org/x/net/http2"

	"github.com/cycletls/cycletls/golang/internal/message"
)

// ErrUnavailable is returned by Open when the connection takes no more streams:
// it is closed, going away, or has used up its stream identifiers. Nothing was
// sent; another connection can carry the exchange.
var ErrUnavailable = errors.New("the HTTP/2 connection takes no more streams")

// ErrBusy is returned by TryOpen when the connection takes no more streams
// before one of them ends.
var ErrBusy = errors.New("the HTTP/2 connection has no stream free")

func protocolError(what, section string) error {
	return &message.ProtocolError{Protocol: "HTTP/2", What: what, Section: "RFC 9113 section " + section}
}

// violate ends the connection: the peer broke a rule that holds for all of it
// (RFC 9113 section 5.4.1).
func (c *Conn) violate(code http2.ErrCode, what, section string) {
	c.fail(code, protocolError(what, section))
}

// fail ends the connection with an error of its own making; c.mu is held. It is
// closed when the lock is given back.
func (c *Conn) fail(code http2.ErrCode, err error) {
	if c.err != nil {
		return
	}
	c.err, c.code = err, code
	for _, s := range c.streams {
		s.lose(err)
	}
	c.wakeAll()
}

// lost ends the connection because reading or writing no longer works. Where
// the peer had said why it would close, that is the reason.
func (c *Conn) lost(while string, cause error) {
	if c.err != nil {
		return
	}
	c.quiet = true
	if c.away != nil && http2.ErrCode(c.away.Code) != http2.ErrCodeNo {
		c.fail(0, c.away)
		return
	}
	if errors.Is(cause, io.EOF) {
		cause = nil
	}
	c.fail(0, &message.ClosedError{While: while, Cause: cause})
}

// lose ends a stream with its connection.
func (s *Stream) lose(err error) {
	var closed *message.ClosedError
	switch {
	case s.remoteClosed: // the response is complete
	case errors.As(err, &closed) && s.head != nil:
		s.err = &message.IncompleteError{Received: s.received, Expected: s.length, Cause: err}
	default:
		s.err = err
	}
	s.leave()
}

// reset ends one stream because the peer broke a rule, or a limit, on it
// (RFC 9113 section 5.4.2).
func (c *Conn) reset(s *Stream, code http2.ErrCode, err error) {
	c.out = appendReset(c.out, s.id, code)
	if s.err == nil {
		s.err = err
	}
	s.leave()
	c.wake(s)
}

// refuse is reset for a broken rule.
func (c *Conn) refuse(s *Stream, what, section string) {
	c.reset(s, http2.ErrCodeProtocol, protocolError(what, section))
}

// errShut is why streams end on a connection that Close was called on.
func errShut() error { return &message.ClosedError{While: "in use", Cause: net.ErrClosed} }
