package http1

import (
	"bytes"
	"errors"

	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

var _ message.Upgrader = (*stream)(nil)

// upgraded is a connection that has left HTTP behind (RFC 9110 section 7.8).
type upgraded struct {
	wait.Duplex
	stream *stream
	early  []byte // what came with the response
}

// Upgrade implements message.Upgrader.
func (s *stream) Upgrade() (wait.Duplex, error) {
	if s.conn == nil || s.head == nil || s.head.Status != 101 {
		return nil, errors.New("http1: the connection was not upgraded")
	}
	c := s.conn
	u := &upgraded{Duplex: c.raw, stream: s, early: bytes.Clone(c.in.buf[c.in.r:c.in.w])}
	s.persistent = false
	c.detach()
	return u, nil
}

// Read implements wait.Duplex.
func (u *upgraded) Read(p []byte) (int, error) {
	if len(u.early) > 0 {
		n := copy(p, u.early)
		u.early = u.early[n:]
		return n, nil
	}
	return u.Duplex.Read(p)
}

// Watch implements wait.Watchable.
func (u *upgraded) Watch() (int, error) {
	if beneath, ok := u.Duplex.(wait.Watchable); ok {
		return beneath.Watch()
	}
	return -1, errors.ErrUnsupported
}

// Close implements wait.Duplex.
func (u *upgraded) Close() error { return u.stream.Close() }
