package http1

import (
	"errors"

	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// send writes what is held, p and tail: in one write when they fit the buffer;
// else what does not fit has a write of its own and is not copied. It returns
// how much of p went out.
func (s *stream) send(p []byte, tail string) (int, error) {
	c := s.conn
	held := len(c.out)
	if held == 0 {
		return s.write(p)
	}
	fits := min(len(p), cap(c.out)-held)
	c.out = append(c.out, p[:fits]...)
	if fits == len(p) && len(c.out)+len(tail) <= cap(c.out) {
		c.out = append(c.out, tail...)
		n, err := s.flushed()
		return min(max(0, n-held), len(p)), err
	}
	if n, err := s.flushed(); err != nil {
		return max(0, n-held), err
	}
	n, err := s.write(p[fits:])
	if err != nil {
		return fits + n, err
	}
	c.out = append(c.out, tail...)
	return len(p), s.flush()
}

// flush writes what is held.
func (s *stream) flush() error {
	_, err := s.flushed()
	return err
}

func (s *stream) flushed() (int, error) {
	if len(s.conn.out) == 0 {
		return 0, nil
	}
	n, err := s.write(s.conn.out)
	s.conn.out = s.conn.out[:0]
	return n, err
}

func (s *stream) write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if s.over == nil {
		s.over = s.ctx.Err()
	}
	if s.over != nil {
		return 0, s.over
	}
	if s.unsent != nil {
		s.unsent = append(s.unsent, p...)
		return len(p), nil
	}
	n, err := s.push(p)
	if err == wait.ErrWouldBlock {
		s.unsent = append([]byte{}, p[n:]...)
		return len(p), nil
	}
	return n, err
}

// push writes to the connection.
func (s *stream) push(p []byte) (int, error) {
	n, err := s.conn.raw.Write(p)
	if n > 0 || err == nil {
		s.delivery = message.Sent
	}
	if err != nil && err != wait.ErrWouldBlock {
		s.over = s.writeError(err)
		err = s.over
	}
	return n, err
}

// sendRest sends what could not leave at once. A guest leaves that to who waits: there
// is a limit for it.
func (s *stream) sendRest() error {
	switch {
	case s.unsent == nil || s.over != nil:
		return s.over
	case s.ctx.Never():
		return wait.ErrMustStay
	}
	_, err := s.push(s.unsent)
	s.unsent = nil
	return err
}

// writeError tells what a failed write means. A server that refuses a body
// answers and closes; what it said came before its reset (TCP keeps the order).
func (s *stream) writeError(err error) error {
	if wait.IsStop(err) {
		return err
	}
	if s.delivery != message.Unsent && s.look() == nil && s.head != nil {
		return message.ErrAnswered
	}
	return &message.ClosedError{While: "writing the request", Cause: cause(err)}
}

// lookForAnswer returns ErrAnswered when the server has refused the rest of the
// body. An early success is none: a server may answer while it reads (and a
// body that it did not read must not look delivered), so that the upload goes
// on until it is complete or fails.
func (s *stream) lookForAnswer() error {
	if s.delivery == message.Unsent || s.head != nil {
		return nil
	}
	err := s.look()
	switch {
	case wait.IsStop(err):
		return err
	case err != nil || s.head != nil && s.head.Status >= 300:
		// A malformed head, or the end of the connection, is an answer too:
		// ReadHead meets the same.
		s.over = message.ErrAnswered
		return s.over
	}
	return nil
}

// look reads a head if one is there, without waiting.
func (s *stream) look() error {
	s.conn.raw.SetReadContext(wait.Now)
	defer s.conn.raw.SetReadContext(s.ctx)
	for s.head == nil {
		if _, err := s.readHead(); err != nil {
			if errors.Is(err, wait.ErrWouldBlock) {
				return nil
			}
			return err
		}
	}
	return nil
}
