package transport

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

// lent is Go's network poller as far as a socket has borrowed it: it is woken by
// whatever comes, so a socket has none while no goroutine waits for it.
type lent struct {
	file              *os.File // of a descriptor of its own
	raw               syscall.RawConn
	users             int         // guarded by socket.mu
	readDue, writeDue atomic.Bool // there is a deadline that was set for an earlier wait
}

// borrow lends the poller for a wait; giveBack ends that.
func (s *socket) borrow() (*lent, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lent == nil {
		fd, err := duplicate(s.fd)
		if err != nil {
			return nil, err
		}
		l := &lent{file: os.NewFile(uintptr(fd), "")}
		if l.raw, err = l.file.SyscallConn(); err != nil {
			_ = l.file.Close()
			return nil, err
		}
		s.lent = l
	}
	s.lent.users++
	return s.lent, nil
}

func (s *socket) giveBack(l *lent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.users--
}

// takeBack gives the poller back for good, unless somebody waits; s.mu is held.
func (s *socket) takeBack() {
	if s.lent != nil && s.lent.users == 0 {
		_ = s.lent.file.Close()
		s.lent = nil
	}
}

func (s *socket) receivePromptly(p []byte) (n int, errno syscall.Errno, err error) {
	l, err := s.borrow()
	if err != nil {
		return 0, 0, err
	}
	defer s.giveBack(l)
	ctx := s.read.ctx
	until, why := ctx.Until(wait.Read)
	for {
		if l.readDue.Swap(false) {
			_ = l.file.SetReadDeadline(time.Time{})
		}
		if !ctx.Arm((*reading)(l), until) {
			return 0, 0, ctx.Err()
		}
		err := l.raw.Read(func(fd uintptr) bool {
			n, errno = transfer(unix.SYS_RECVFROM, int(fd), p)
			return !again(errno)
		})
		ctx.Disarm()
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, errno, err
		}
		if err := expired(ctx, until, why); err != nil {
			return 0, 0, err
		}
	}
}

// sendPromptly waits until it has sent something.
func (s *socket) sendPromptly(p []byte) (n int, err error) {
	l, err := s.borrow()
	if err != nil {
		return 0, err
	}
	defer s.giveBack(l)
	ctx := s.write.ctx
	until, why := ctx.Until(wait.Write)
	for {
		if l.writeDue.Swap(false) {
			_ = l.file.SetWriteDeadline(time.Time{})
		}
		if !ctx.Arm((*writing)(l), until) {
			return 0, ctx.Err()
		}
		var errno syscall.Errno
		err := l.raw.Write(func(fd uintptr) bool {
			n, errno = transfer(unix.SYS_SENDTO, int(fd), p)
			return !again(errno)
		})
		ctx.Disarm()
		switch {
		case err == nil && errno == 0:
			return n, nil
		case s.closed():
			return 0, net.ErrClosed
		case err == nil:
			return 0, os.NewSyscallError("send", errno)
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return 0, err
		}
		if err := expired(ctx, until, why); err != nil {
			return 0, err
		}
	}
}

// reading and writing are the prompt waits of a socket.
type (
	reading lent
	writing lent
)

// Interrupt implements wait.Interrupter.
func (l *reading) Interrupt() {
	l.readDue.Store(true)
	_ = l.file.SetReadDeadline(past)
}

// Interrupt implements wait.Interrupter.
func (l *writing) Interrupt() {
	l.writeDue.Store(true)
	_ = l.file.SetWriteDeadline(past)
}
