package http2

import (
	"errors"

	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// tunnel is a stream that carries another protocol both ways, once the answer to
// an extended CONNECT is there (RFC 8441 section 5).
type tunnel struct{ *Stream }

var (
	_ wait.Duplex      = tunnel{}
	_ message.Upgrader = (*Stream)(nil)
)

// Upgrade implements message.Upgrader.
func (s *Stream) Upgrade() (wait.Duplex, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.head == nil || s.head.Status/100 != 2 || s.request.Protocol == "" {
		return nil, errors.New("http2: the stream is no tunnel")
	}
	s.both = true
	return tunnel{s}, nil
}

// SetReadContext implements wait.Duplex.
func (t tunnel) SetReadContext(ctx *wait.Context) { t.bind(&t.reading, ctx) }

// SetWriteContext implements wait.Duplex.
func (t tunnel) SetWriteContext(ctx *wait.Context) { t.bind(&t.writing, ctx) }

func (t tunnel) bind(w *waiter, ctx *wait.Context) {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	if ctx == nil {
		ctx = wait.Background()
	}
	w.ctx = ctx
}

// Write implements wait.Duplex. What it was given and could not send stays with
// the connection, and leaves with what is sent next.
func (t tunnel) Write(p []byte) (int, error) {
	if len(p) > 0 {
		n, err := t.Stream.Write(p)
		if errors.Is(err, message.ErrAnswered) {
			err = &message.ClosedError{While: "writing to a tunnel that the server has ended"}
		}
		return n, err
	}
	t.c.mu.Lock()
	defer t.c.unlock()
	return 0, t.c.flush(t.writing.ctx)
}

// hangUp ends the waits of others on a tunnel; who reads for all has to be told by
// its context. The stream is then reset: Hypercorn 0.18 takes an empty DATA frame
// behind its own end for an error of the whole connection (measured).
func (s *Stream) hangUp() {
	for _, w := range []*waiter{&s.reading, &s.writing} {
		if s.c.leader == w && !w.ctx.Never() {
			w.ctx.Cancel(wait.ErrCancelled)
		}
	}
	s.c.wake(s)
}
