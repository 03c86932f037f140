package http2

import (
	"errors"

	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// lookFrom is the size of a write from which it is worth a system call to see
// whether the server has answered.
const lookFrom = 16 << 10

// Write implements message.Stream.
func (s *Stream) Write(p []byte) (int, error) {
	c, w := s.c, s.writer()
	c.mu.Lock()
	defer c.unlock()
	if total := s.sent + int64(len(p)); s.request.Length >= 0 && total > s.request.Length {
		return 0, &message.LengthError{Announced: s.request.Length, Given: total}
	}
	if s.id == 0 {
		if err := s.sendHead(false); err != nil {
			return 0, err
		}
	} else if len(p) >= lookFrom {
		c.look()
	}
	written := 0
	for written < len(p) {
		if err := w.await(needRoom, wait.Write); err != nil {
			return written, err
		}
		if err := s.stopped(); err != nil {
			return written, err
		}
		written += s.sendData(p[written:])
		if err := c.flush(w.ctx); err != nil {
			return written, err
		}
	}
	return written, nil
}

// writer is by what a Write waits.
func (s *Stream) writer() *waiter {
	if s.both {
		return &s.writing
	}
	return &s.reading
}

// stopped says why no more of the body should be sent.
func (s *Stream) stopped() error {
	if s.err != nil {
		return s.err
	}
	if s.answered() {
		return message.ErrAnswered
	}
	return nil
}

// answered reports whether the server wants no more of the body: its response
// is complete, or refuses the request. A successful one may begin early.
func (s *Stream) answered() bool {
	return s.remoteClosed || s.head != nil && s.head.Status >= 300
}

// sendData queues as much of p as the windows allow. A body of known length
// ends with its last byte, unless trailers are announced.
func (s *Stream) sendData(p []byte) (n int) {
	c := s.c
	c.idle = 0
	for n < len(p) && n < highWater {
		size := int(min(int64(len(p)-n), s.sendWin, c.sendWin, int64(s.pieces.next()), int64(c.peer.maxFrame)))
		if size <= 0 {
			s.pieces.stall()
			break
		}
		s.sendWin -= int64(size)
		c.sendWin -= int64(size)
		s.sent += int64(size)
		s.pieces.at += int64(size)
		end := s.sent == s.request.Length && !s.request.Fields.Has("trailer")
		c.out = appendData(c.out, s.id, p[n:n+size], end)
		if size+frameHeaderSize <= recordSize {
			c.cut()
		}
		if n += size; end {
			s.endLocal()
		}
	}
	return n
}

func (s *Stream) endLocal() {
	s.localClosed = true
	if s.remoteClosed {
		s.leave()
	}
}

var errUnannounced = errors.New("trailers after a body of known length need a trailer field")

// CloseWrite implements message.Stream.
func (s *Stream) CloseWrite(trailers message.Fields) error {
	if err := checkFields(trailers); err != nil {
		return err
	}
	c := s.c
	c.mu.Lock()
	defer c.unlock()
	switch {
	case s.err != nil || s.answered():
		return s.err // the rest is not wanted
	case s.request.Length >= 0 && s.sent != s.request.Length:
		return &message.LengthError{Announced: s.request.Length, Given: s.sent}
	case s.localClosed && len(trailers) > 0:
		return errUnannounced
	case s.localClosed:
		return c.flush(s.writer().ctx)
	case s.id == 0:
		if err := s.sendHead(len(trailers) == 0); err != nil {
			return err
		}
	}
	if !s.localClosed {
		s.sendEnd(trailers)
	}
	return c.flush(s.writer().ctx)
}

// sendEnd queues what ends the body.
func (s *Stream) sendEnd(trailers message.Fields) {
	c := s.c
	if len(trailers) == 0 {
		c.out = appendData(c.out, s.id, nil, true)
		c.cut()
	} else {
		c.block = c.encodeFields(c.enc.Begin(c.block[:0]), trailers)
		c.out = appendHeaders(c.out, s.id, c.block, true, nil, int(c.peer.maxFrame))
	}
	s.endLocal()
}
