//go:build !linux

package transport

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

// netConn is a wait.Conn on Go's network poller, for systems without a socket of
// our own. A slice of a wait is a deadline; a prompt wait has none, it is
// interrupted.
type netConn struct {
	net.Conn
	raw              syscall.RawConn // nil where it cannot be read without waiting
	read, write      flow
	reading, writing prompt
}

var _ wait.Conn = (*netConn)(nil)

func newNetConn(conn net.Conn) *netConn {
	c := &netConn{
		Conn:  conn,
		read:  flow{ctx: forever, phase: wait.Read},
		write: flow{ctx: forever, phase: wait.Write},
	}
	c.reading.setDeadline, c.writing.setDeadline = conn.SetReadDeadline, conn.SetWriteDeadline
	if raw, ok := conn.(syscall.Conn); ok && canReadRaw {
		c.raw, _ = raw.SyscallConn()
	}
	return c
}

// Read implements net.Conn; its waits obey the read context.
func (c *netConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if c.read.ctx.Prompt() {
		return c.readPromptly(p)
	}
	if err := c.read.begin(); err != nil {
		return 0, err
	}
	if c.read.ctx.Never() {
		return c.readNow(p)
	}
	pause := pause{flow: &c.read}
	for {
		limit, err := pause.slice()
		if err != nil {
			return 0, err
		}
		if n, err := c.readWithin(limit, p); err != errSlice {
			return n, err
		}
	}
}

func (c *netConn) readPromptly(p []byte) (n int, err error) {
	err = c.reading.await(c.read.ctx, wait.Read, func() error {
		n, err = c.Conn.Read(p)
		return err
	})
	return n, err
}

// Write implements net.Conn; its waits obey the write context, each anew after
// some progress.
func (c *netConn) Write(p []byte) (int, error) {
	if c.write.ctx.Prompt() {
		return c.writePromptly(p)
	}
	if err := c.write.begin(); err != nil {
		return 0, err
	}
	pause := pause{flow: &c.write}
	sent := 0
	for {
		limit, stop := pause.slice()
		if stop != nil && !c.write.ctx.Never() {
			return sent, stop
		}
		n, err := c.writeWithin(max(limit, instant), p[sent:])
		if sent += n; err != errSlice {
			return sent, err
		}
		if stop != nil {
			return sent, stop
		}
		if n > 0 {
			pause.until, pause.why = time.Time{}, nil
		}
	}
}

func (c *netConn) writePromptly(p []byte) (sent int, err error) {
	for sent < len(p) && err == nil {
		err = c.writing.await(c.write.ctx, wait.Write, func() error {
			n, err := c.Conn.Write(p[sent:])
			if sent += n; n > 0 && errors.Is(err, os.ErrDeadlineExceeded) {
				return nil // the next wait has a limit of its own
			}
			return err
		})
	}
	return sent, err
}

// instant stands for no wait at all: with a deadline that has passed the poller
// does not even try.
const instant = time.Millisecond

// errSlice says that a slice passed.
var errSlice = errors.New("slice passed")

func (c *netConn) readWithin(limit time.Duration, p []byte) (int, error) {
	c.reading.due.Store(true)
	if err := c.Conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(p)
	return n, sliced(err)
}

func (c *netConn) writeWithin(limit time.Duration, p []byte) (int, error) {
	c.writing.due.Store(true)
	if err := c.Conn.SetWriteDeadline(time.Now().Add(limit)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(p)
	return n, sliced(err)
}

func sliced(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errSlice
	}
	return err
}

// readNow reads what is there.
func (c *netConn) readNow(p []byte) (int, error) {
	if c.raw != nil {
		return c.readRaw(p)
	}
	n, err := c.readWithin(instant, p)
	if err == errSlice {
		err = wait.ErrWouldBlock
	}
	return n, err
}

// Close implements net.Conn. Whoever waits on the connection gets net.ErrClosed;
// closing twice is harmless.
func (c *netConn) Close() error {
	if err := c.Conn.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// SetReadContext implements wait.Conn.
func (c *netConn) SetReadContext(ctx *wait.Context) { c.read.bind(ctx) }

// SetWriteContext implements wait.Conn.
func (c *netConn) SetWriteContext(ctx *wait.Context) { c.write.bind(ctx) }

// SetDeadline implements net.Conn. Waits are bounded by contexts, not deadlines.
func (*netConn) SetDeadline(time.Time) error { return os.ErrNoDeadline }

// SetReadDeadline implements net.Conn.
func (*netConn) SetReadDeadline(time.Time) error { return os.ErrNoDeadline }

// SetWriteDeadline implements net.Conn.
func (*netConn) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }
