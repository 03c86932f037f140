package transport

import (
	"time"

	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// protocol is what http1.Conn and http2.Conn have in common.
type protocol interface {
	message.Opener
	// Alive looks, without waiting, whether an idle connection is still usable.
	Alive() bool
	Close() error
}

// multiplexer is a protocol with many exchanges at once on a connection:
// http2.Conn.
type multiplexer interface {
	protocol
	// TryOpen is Open that does not wait: http2.ErrBusy.
	TryOpen(ctx *wait.Context) (message.Stream, error)
	Available() bool // TryOpen would open a stream
	Streams() int
	Tunnels() bool // the peer takes extended CONNECT
}

// connection is one of the pool's. Pool.mu guards what is not fixed when it is
// made.
type connection struct {
	protocol
	mux  multiplexer // the protocol, where it can be shared
	host *host

	// What exchanges are told about it: the first one, and any later.
	first, again message.Connection

	// opening counts the streams that are promised and not opened yet; a shared
	// connection with any is not idle.
	opening      int
	idle         bool
	idleSince    time.Time
	older, newer *connection // in idleList
	forgotten    bool        // the pool knows it no more
}

// unused reports whether nothing goes on on a shared connection.
func (c *connection) unused() bool { return c.opening == 0 && c.mux.Streams() == 0 }
