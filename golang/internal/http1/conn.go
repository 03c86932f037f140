// Package http1 is the client side of an HTTP/1.1 connection (RFC 9112).
//
// An exchange runs on the caller's goroutine from its first byte to its last:
// no goroutine, no channel. A head leaves together with a small body in one
// write; a reply that is there is taken in by one read and parsed where it
// lies; the rest of a large body goes straight into the caller's slice.
//
// What the peer sends is either what RFC 9112 allows, within limits, or an
// error: a client that repairs a broken message sooner or later reads a body
// that somebody else wrote.
package http1

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"

	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// Config bounds what a server may send.
type Config struct {
	// MaxHeaderBytes bounds a status line with its fields, and a trailer
	// section.
	MaxHeaderBytes int64
	// MaxInformational bounds the 1xx responses before the final one.
	MaxInformational int
	// JoinedBody is up to how many bytes a head and a body of known length
	// leave in one write; a larger body begins with a write of its own. 0: as
	// much as suits.
	JoinedBody int
}

// Conn carries one exchange after the other.
type Conn struct {
	raw    wait.Conn
	cfg    Config
	in     input
	out    []byte // what waits to be written
	sent   section
	shared *buffers
	onIdle func(conn *Conn, reusable bool)
	busy   bool
	closed atomic.Bool
	probe  [1]byte // of Alive; on the stack it would escape
}

var _ message.Opener = (*Conn)(nil)

// NewConn takes over c, on which nothing was sent yet.
func NewConn(c wait.Conn, cfg Config) *Conn {
	return &Conn{raw: c, cfg: cfg, in: input{raw: c}}
}

// OnIdle sets what is called when an exchange has been closed. A connection
// that is not reusable is closed already.
func (c *Conn) OnIdle(f func(conn *Conn, reusable bool)) { c.onIdle = f }

// Open begins an exchange whose waits obey ctx.
func (c *Conn) Open(ctx *wait.Context) (message.Stream, error) {
	if c.closed.Load() {
		return nil, net.ErrClosed
	}
	if c.busy {
		return nil, errors.New("http1: a connection carries one exchange at a time")
	}
	c.busy = true
	c.attach(pool.Get().(*buffers))
	c.raw.SetWriteContext(ctx)
	c.bindRead(ctx)
	return &stream{conn: c, ctx: ctx}, nil
}

func (c *Conn) bindRead(ctx *wait.Context) {
	c.in.ctx = ctx
	c.raw.SetReadContext(ctx)
}

// Alive reports whether an idle connection can carry another exchange. Bytes
// that nobody asked for, an end of the stream or an error say no.
func (c *Conn) Alive() bool {
	if c.closed.Load() || c.busy {
		return false
	}
	c.raw.SetReadContext(wait.Now)
	n, err := c.raw.Read(c.probe[:])
	return n == 0 && errors.Is(err, wait.ErrWouldBlock)
}

// Close closes the connection; an exchange under way fails. It may be called
// from any goroutine, and again.
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	return c.raw.Close()
}

// release ends an exchange.
func (c *Conn) release(reusable bool) error {
	reusable = reusable && !c.closed.Load()
	c.detach()
	c.busy = false
	var err error
	if reusable {
		c.bindRead(nil)
		c.raw.SetWriteContext(nil)
	} else {
		err = c.Close()
	}
	if c.onIdle != nil {
		c.onIdle(c, reusable)
	}
	return err
}

// bufferSize is what one TLS record can hold, so that a record is one read.
const bufferSize = 16 << 10

// buffers belong to a connection only while it is busy: idle ones by the
// thousand cost no memory.
type buffers struct{ in, out [bufferSize]byte }

var pool = sync.Pool{New: func() any { return new(buffers) }}

func (c *Conn) attach(b *buffers) {
	c.shared = b
	c.in.reset(b.in[:])
	c.out = b.out[:0]
}

func (c *Conn) detach() {
	if c.shared == nil {
		return // an upgrade has given them back
	}
	c.in.reset(nil)
	c.out = nil
	pool.Put(c.shared)
	c.shared = nil
}
