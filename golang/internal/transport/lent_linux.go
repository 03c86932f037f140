package transport

import (
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

// lent is Go's network poller as far as a socket has borrowed it: it is woken by
// whatever comes, so a socket has none while no goroutine waits for it.
type lent struct {
	file             *os.File // of a descriptor of its own
	raw              syscall.RawConn
	users            int // guarded by socket.mu
	reading, writing prompt
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
		l.reading.setDeadline, l.writing.setDeadline = l.file.SetReadDeadline, l.file.SetWriteDeadline
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

// receivePromptly waits until there is something to receive.
func (s *socket) receivePromptly(p []byte) (n int, errno syscall.Errno, err error) {
	l, err := s.borrow()
	if err != nil {
		return 0, 0, err
	}
	defer s.giveBack(l)
	err = l.reading.await(s.read.ctx, wait.Read, func() error {
		return l.raw.Read(func(fd uintptr) bool {
			n, errno = transfer(unix.SYS_RECVFROM, int(fd), p)
			return !again(errno)
		})
	})
	return n, errno, err
}

// sendPromptly waits until it has sent something.
func (s *socket) sendPromptly(p []byte) (n int, err error) {
	l, err := s.borrow()
	if err != nil {
		return 0, err
	}
	defer s.giveBack(l)
	var errno syscall.Errno
	err = l.writing.await(s.write.ctx, wait.Write, func() error {
		return l.raw.Write(func(fd uintptr) bool {
			n, errno = transfer(unix.SYS_SENDTO, int(fd), p)
			return !again(errno)
		})
	})
	switch {
	case err == nil && errno == 0:
		return n, nil
	case s.closed():
		return 0, net.ErrClosed
	case err == nil:
		err = os.NewSyscallError("send", errno)
	}
	return 0, err
}
