// Package waittest gives the tests of protocol packages a connection without a
// network: two ends in memory, whose waits obey a wait.Context as those of a
// socket do, and whose faults (half-close, reset, full buffers, drip) come when
// the test says so.
package waittest

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

// Conn is one end of a Pipe. As with a socket, one goroutine may read while
// another writes.
type Conn struct {
	in, out   *flow
	reading   *wait.Context
	writing   *wait.Context
	maxRead   atomic.Int64
	reads     atomic.Int64
	writes    atomic.Int64
	closeOnce sync.Once
}

var _ wait.Conn = (*Conn)(nil)

// Pipe returns two connected ends. Each direction holds any number of bytes
// until SetCapacity says otherwise.
func Pipe() (client, server *Conn) {
	up, down := newFlow(), newFlow()
	return newConn(down, up), newConn(up, down)
}

func newConn(in, out *flow) *Conn {
	return &Conn{in: in, out: out, reading: wait.Background(), writing: wait.Background()}
}

// SetReadContext implements wait.Conn.
func (c *Conn) SetReadContext(ctx *wait.Context) { c.reading = orBackground(ctx) }

// SetWriteContext implements wait.Conn.
func (c *Conn) SetWriteContext(ctx *wait.Context) { c.writing = orBackground(ctx) }

func orBackground(ctx *wait.Context) *wait.Context {
	if ctx == nil {
		return wait.Background()
	}
	return ctx
}

// Read returns what is there, at most SetMaxRead's bytes.
func (c *Conn) Read(p []byte) (int, error) {
	c.reads.Add(1)
	if limit := int(c.maxRead.Load()); limit > 0 && len(p) > limit {
		p = p[:limit]
	}
	for {
		n, changed, err := c.in.take(p)
		if n > 0 || err != nil {
			return n, err
		}
		if err := c.reading.Await(changed, wait.Read); err != nil {
			return 0, err
		}
	}
}

// Write waits for room where the capacity is bounded.
func (c *Conn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	written := 0
	for {
		n, changed, err := c.out.put(p[written:])
		written += n
		if err != nil || written == len(p) {
			return written, err
		}
		if err := c.writing.Await(changed, wait.Write); err != nil {
			return written, err
		}
	}
}

// Close ends both directions: the peer reads what was sent, then io.EOF, and
// writes into a broken pipe.
func (c *Conn) Close() error {
	c.closeOnce.Do(func() {
		c.out.end(io.EOF, net.ErrClosed)
		c.in.end(net.ErrClosed, syscall.EPIPE)
	})
	return nil
}

// CloseWrite ends the direction to the peer and leaves the other open.
func (c *Conn) CloseWrite() error {
	c.out.end(io.EOF, syscall.EPIPE)
	return nil
}

// Reset is a TCP RST to the peer. What it had not read is still there for it,
// as on Linux.
func (c *Conn) Reset() {
	c.out.end(syscall.ECONNRESET, syscall.ECONNRESET)
	c.in.end(syscall.ECONNRESET, syscall.ECONNRESET)
}

// SetCapacity bounds the bytes on the way to the peer: a Write waits when so
// many are unread.
func (c *Conn) SetCapacity(size int) { c.out.resize(size) }

// SetMaxRead makes every Read return so few bytes, as a slow network would.
func (c *Conn) SetMaxRead(size int) { c.maxRead.Store(int64(size)) }

// Reads counts the calls of Read, each a system call on a socket.
func (c *Conn) Reads() int { return int(c.reads.Load()) }

// Writes counts the calls of Write.
func (c *Conn) Writes() int { return int(c.writes.Load()) }

// Buffered counts the bytes that were sent to this end and not yet read.
func (c *Conn) Buffered() int { return c.in.buffered() }

type address struct{}

func (address) Network() string { return "memory" }
func (address) String() string  { return "memory" }

// LocalAddr implements net.Conn.
func (*Conn) LocalAddr() net.Addr { return address{} }

// RemoteAddr implements net.Conn.
func (*Conn) RemoteAddr() net.Addr { return address{} }

// SetDeadline does nothing, as its kin: waits end by their context.
func (*Conn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (*Conn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (*Conn) SetWriteDeadline(time.Time) error { return nil }
