//go:build unix && !linux

package transport

import (
	"io"
	"os"
	"syscall"
	"time"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

// canReadRaw: descriptors of net are non-blocking, so that read(2) returns at
// once.
const canReadRaw = true

// readRaw reads what is there, past the network poller.
func (c *netConn) readRaw(p []byte) (n int, err error) {
	if c.reading.due.Swap(false) { // a slice that has passed since would make the poller refuse
		if err := c.Conn.SetReadDeadline(time.Time{}); err != nil {
			return 0, err
		}
	}
	stop := c.raw.Read(func(fd uintptr) bool {
		n, err = syscall.Read(int(fd), p)
		return true
	})
	switch {
	case stop != nil:
		return 0, stop
	case err == syscall.EAGAIN || err == syscall.EINTR:
		return 0, wait.ErrWouldBlock
	case err != nil:
		return 0, os.NewSyscallError("read", err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}
