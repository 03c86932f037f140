package transport

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

// watched is a connection off Go's network poller, which the host's event loop
// watches in its place: the poller would be woken by whatever comes, for nobody. It
// can be used without waiting; the first wait puts it back.
type watched struct {
	file *os.File
	raw  syscall.RawConn
}

// watch implements wait.Watchable for netConn.
type watch struct {
	mu     sync.Mutex // of Watch, unwatch and Close
	closed bool
	shared bool // the host has a descriptor
}

var _ wait.Watchable = (*netConn)(nil)

// Watch implements wait.Watchable.
func (c *netConn) Watch() (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.raw == nil || c.shared {
		return -1, net.ErrClosed
	}
	ours, theirs, err := c.duplicate()
	if err != nil {
		return -1, err
	}
	// A file that blocks stays off the poller; transfer asks for what is there.
	if err = syscall.SetNonblock(ours, false); err != nil {
		_, _ = syscall.Close(ours), syscall.Close(theirs)
		return -1, err
	}
	w := &watched{file: os.NewFile(uintptr(ours), "")}
	if w.raw, err = w.file.SyscallConn(); err != nil {
		_, _ = w.file.Close(), syscall.Close(theirs)
		return -1, err
	}
	_ = c.Conn.Close()
	c.shared = true
	c.off.Store(w)
	return theirs, nil
}

// duplicate returns two more descriptors of the connection.
func (c *netConn) duplicate() (ours, theirs int, err error) {
	stop := c.raw.Control(func(fd uintptr) {
		if ours, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); err != nil {
			return
		}
		if theirs, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); err != nil {
			_ = syscall.Close(ours)
		}
	})
	return ours, theirs, errors.Join(stop, err)
}

// unwatch puts the connection back to the poller: somebody has to wait.
func (c *netConn) unwatch() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.off.Load()
	switch {
	case c.closed:
		return net.ErrClosed
	case w == nil: // somebody else has done it
		return nil
	}
	conn, err := net.FileConn(w.file)
	if err != nil {
		return err
	}
	if c.raw, err = conn.(*net.TCPConn).SyscallConn(); err != nil {
		_ = conn.Close()
		return err
	}
	c.Conn = conn
	c.off.Store(nil)
	return w.file.Close()
}

// transfer sends or receives what it can.
func (w *watched) transfer(call uintptr, p []byte) (n int, err error) {
	var errno syscall.Errno
	stop := w.raw.Control(func(fd uintptr) { n, errno = transfer(call, int(fd), p) })
	switch {
	case stop != nil:
		return 0, net.ErrClosed
	case again(errno):
		return 0, wait.ErrWouldBlock
	case errno != 0:
		return 0, os.NewSyscallError("transfer", errno)
	case n == 0 && call == unix.SYS_RECVFROM:
		return 0, io.EOF
	}
	return n, nil
}

func (w *watched) read(p []byte) (int, error) { return w.transfer(unix.SYS_RECVFROM, p) }

func (w *watched) write(p []byte) (sent int, err error) {
	for sent < len(p) && err == nil {
		var n int
		n, err = w.transfer(unix.SYS_SENDTO, p[sent:])
		sent += n
	}
	return sent, err
}

// shutdown ends the connection for the host's descriptor, too, which tells its event
// loop. netConn.mu is held.
func (c *netConn) shutdown() {
	off, raw := c.off.Load(), c.raw
	if off != nil {
		raw = off.raw
	}
	_ = raw.Control(func(fd uintptr) { _ = syscall.Shutdown(int(fd), syscall.SHUT_RDWR) })
	if off != nil {
		_ = off.file.Close()
	}
}
