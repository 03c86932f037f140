package http1

import (
	"net"
	"time"

	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// AwaitContinue implements message.Stream. When limit passes without a word the
// body may go: a server need not know of expectations (RFC 9110 section 10.1.1).
func (s *stream) AwaitContinue(limit time.Duration) (bool, error) {
	if s.conn == nil {
		return false, net.ErrClosed
	}
	if err := unlessAnswered(s.flush()); err != nil {
		return false, err
	}
	s.conn.bindRead(s.ctx.Before(time.Now().Add(limit), &wait.TimeoutError{Phase: wait.Read, Limit: limit}))
	defer s.conn.bindRead(s.ctx)
	for s.head == nil {
		status, err := s.readHead()
		switch {
		case err == nil && status == 100:
			return true, nil
		case err == nil:
		case s.ctx.Err() != nil:
			return false, s.ctx.Err()
		case wait.IsTimeout(err):
			return true, nil
		default:
			return false, s.headError(err)
		}
	}
	s.over = message.ErrAnswered
	return false, nil
}
