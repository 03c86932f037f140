//go:build !linux

package transport

import (
	"net"
	"sync"
)

// watched is a connection that somebody else watches; here nobody does.
type watched struct{}

type watch struct {
	mu     sync.Mutex
	closed bool
	shared bool
}

func (*netConn) unwatch() error            { return nil }
func (*watched) read([]byte) (int, error)  { return 0, net.ErrClosed }
func (*watched) write([]byte) (int, error) { return 0, net.ErrClosed }
func (*netConn) shutdown()                 {}
