//go:build unix

package http2

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

// loopback is a TCP connection as the transport makes them: it tries, and waits
// in slices only when there is nothing.
type loopback struct {
	*net.TCPConn
	raw              syscall.RawConn
	reading, writing *wait.Context
	writes           int
}

var _ wait.Conn = (*loopback)(nil)

func dialLoopback(t testing.TB, addr string) *loopback {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	tcp := conn.(*net.TCPConn)
	raw, err := tcp.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return &loopback{TCPConn: tcp, raw: raw, reading: wait.Background(), writing: wait.Background()}
}

func (l *loopback) SetReadContext(ctx *wait.Context)  { l.reading = ctx }
func (l *loopback) SetWriteContext(ctx *wait.Context) { l.writing = ctx }

func (l *loopback) Read(p []byte) (n int, err error) {
	rawErr := l.raw.Read(func(fd uintptr) bool {
		n, err = syscall.Read(int(fd), p)
		return true
	})
	switch {
	case rawErr != nil:
		return 0, rawErr
	case n > 0 && err == nil:
		return n, nil
	case errors.Is(err, syscall.EAGAIN):
		return l.slowly(l.reading, wait.Read, l.SetReadDeadline, func() (int, error) { return l.TCPConn.Read(p) })
	case err != nil:
		return 0, err
	}
	return l.TCPConn.Read(p) // end of file
}

func (l *loopback) Write(p []byte) (n int, err error) {
	l.writes++
	rawErr := l.raw.Write(func(fd uintptr) bool {
		n, err = syscall.Write(int(fd), p)
		return true
	})
	switch {
	case rawErr != nil:
		return 0, rawErr
	case n == len(p) && err == nil:
		return n, nil
	case err != nil && !errors.Is(err, syscall.EAGAIN):
		return 0, err
	}
	n = max(0, n)
	more, err := l.slowly(l.writing, wait.Write, l.SetWriteDeadline, func() (int, error) { return l.TCPConn.Write(p[n:]) })
	return n + more, err
}

// slowly repeats a call in slices until it does something or the wait ends.
func (l *loopback) slowly(ctx *wait.Context, phase wait.Phase, deadline func(time.Time) error, call func() (int, error)) (int, error) {
	if ctx.Never() {
		return 0, wait.ErrWouldBlock
	}
	until, why := ctx.Until(phase)
	defer deadline(time.Time{}) // a deadline that has passed would stop raw calls, too
	for {
		if err := deadline(time.Now().Add(wait.Slice(until))); err != nil {
			return 0, err
		}
		n, err := call()
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		if err := ctx.Expired(until, why); err != nil {
			return 0, err
		}
	}
}
