package websocket

import (
	"errors"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

// Watch returns a descriptor of the caller's own that is readable when there may be
// something to receive with wait.Now and when the connection has ended; see
// wait.Watchable. It is for who receives: where the answers to pings have to be
// waited for, or the transport is shared, or somebody is sending, there is none.
func (c *Conn) Watch() (int, error) {
	t, ok := c.t.(wait.Watchable)
	if !ok || c.cfg.PingInterval > 0 {
		return -1, errors.ErrUnsupported
	}
	if !c.receiving.try() {
		return -1, c.occupied()
	}
	defer c.receiving.release()
	if !c.sending.try() {
		return -1, wait.ErrWouldBlock
	}
	defer c.sending.release()
	return t.Watch()
}
