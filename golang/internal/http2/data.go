package http2

import (
	"golang.org/x/net/http2"

	"github.com/cycletls/cycletls/golang/internal/message"
)

// dataFrame is a DATA frame that has begun. It is digested as it comes, piece by
// piece.
type dataFrame struct {
	begun   bool
	stream  *Stream // nil: closed, what comes only counts
	content int     // bytes to come
	padding int     // bytes to come behind them
	last    bool
}

// digestData reports whether it got ahead.
func (c *Conn) digestData() bool {
	if !c.data.begun && !c.beginData() {
		return false
	}
	d := &c.data
	if n := min(d.content, c.in.len()); n > 0 {
		n = c.deliver(d.stream, c.in.peek(n))
		c.in.discard(n)
		d.content -= n
	}
	if d.content == 0 {
		n := min(d.padding, c.in.len())
		c.in.discard(n)
		d.padding -= n
	}
	if d.content > 0 || d.padding > 0 {
		return c.in.len() > 0 // the leader's buffer is full, or nothing is left
	}
	d.begun, c.begun = false, false
	if s := d.stream; d.last && s != nil && s.open() {
		s.end()
	}
	return true
}

// beginData checks the frame and counts it against both windows, padding and
// all (RFC 9113 section 6.9.1).
func (c *Conn) beginData() bool {
	h := c.header
	padded := h.Flags.Has(http2.FlagDataPadded)
	if padded && h.Length > 0 && c.in.len() == 0 {
		return false
	}
	size := int(h.Length)
	padding, ok := c.takePadding(padded, size)
	switch {
	case h.StreamID == 0:
		c.violate(http2.ErrCodeProtocol, "DATA on stream 0", "6.1")
	case !ok:
		c.violate(http2.ErrCodeProtocol, "padding longer than the frame", "6.1")
	case c.idleStream(h.StreamID):
	case !c.recv.receive(size):
		c.violate(http2.ErrCodeFlowControl, "more DATA than the connection's window allows", "6.9.1")
	}
	if c.err != nil {
		return false
	}
	s := c.streams[h.StreamID]
	if s != nil && !s.acceptsData(size) {
		s = nil
	}
	content := size - padding
	c.data = dataFrame{begun: true, stream: s, content: content, last: h.Flags.Has(http2.FlagDataEndStream)}
	if padded {
		c.data.padding = padding - 1
		c.discarded(s, padding)
	}
	return true
}

// takePadding returns how much of a frame is padding, its length byte included.
func (c *Conn) takePadding(padded bool, size int) (int, bool) {
	if !padded {
		return 0, true
	}
	if size == 0 {
		return 0, false
	}
	padding := 1 + int(c.in.peek(1)[0])
	c.in.discard(1)
	return padding, padding <= size
}

// discarded gives room back that nobody has to read for.
func (c *Conn) discarded(s *Stream, n int) {
	if s != nil && s.open() {
		s.consumed(n)
	} else {
		c.consumeConn(n)
	}
}

// acceptsData checks what a stream may receive.
func (s *Stream) acceptsData(size int) bool {
	c := s.c
	switch {
	case s.remoteClosed:
		c.reset(s, http2.ErrCodeStreamClosed, protocolError("DATA after the end of the stream", "5.1"))
	case s.head == nil:
		c.refuse(s, "DATA before the final response", "8.1")
	case !s.recv.receive(size):
		c.reset(s, http2.ErrCodeFlowControl, protocolError("more DATA than the stream's window allows", "6.9.1"))
	}
	return s.err == nil && !s.remoteClosed
}

// deliver hands a piece of a body on and returns how much of it: to the reader's
// memory, and what that does not hold to the queue; except that the leader gets
// its own with its next call.
func (c *Conn) deliver(s *Stream, piece []byte) int {
	if s == nil || !s.open() {
		c.consumeConn(len(piece))
		return len(piece)
	}
	if !s.count(len(piece)) {
		return len(piece)
	}
	c.idle = 0
	n := 0
	if s.queue.len() == 0 {
		n = copy(s.dst[s.filled:], piece)
		s.filled += n
		s.consumed(n)
	}
	if n < len(piece) && !(c.leader == &s.reading && s.reading.need == needBody) {
		s.queue.push(piece[n:])
		n = len(piece)
	}
	s.received += int64(n)
	c.wake(s)
	return n
}

// count checks that a body does not become longer than announced (RFC 9113
// section 8.1.1).
func (s *Stream) count(n int) bool {
	if s.length == message.UnknownLength || s.received+int64(n) <= s.length {
		return true
	}
	s.c.consumeConn(n)
	s.c.refuse(s, "body longer than its content-length", "8.1.1")
	return false
}

// open reports whether the stream still takes what the peer sends.
func (s *Stream) open() bool { return !s.closed && s.err == nil && !s.remoteClosed }

// end is the peer's END_STREAM.
func (s *Stream) end() {
	if s.length > s.received {
		s.err = &message.IncompleteError{
			Received: s.received, Expected: s.length,
			Cause: protocolError("the stream ended before its content-length", "8.1.1"),
		}
		s.c.out = appendReset(s.c.out, s.id, http2.ErrCodeProtocol)
		s.leave()
	} else {
		s.remoteClosed = true
		if s.localClosed {
			s.leave()
		}
	}
	s.c.wake(s)
}
