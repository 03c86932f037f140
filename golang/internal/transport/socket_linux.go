package transport

import (
	"io"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

// socket is a TCP connection that lives on the thread which uses it: it sends
// and receives at once and sleeps in poll(2) only when the kernel has nothing
// for it. Go's network poller would hand every wait to another thread, which
// costs two more context switches a request (measured).
//
// One goroutine may read while another writes; any may close.
type socket struct {
	fd            int
	state         atomic.Int32 // see enter
	read, write   flow
	local, remote *net.TCPAddr
}

var _ wait.Conn = (*socket)(nil)

func newSocket(fd int, remote netip.AddrPort) *socket {
	return &socket{
		fd:     fd,
		read:   flow{ctx: forever, phase: wait.Read},
		write:  flow{ctx: forever, phase: wait.Write},
		local:  localAddr(fd),
		remote: net.TCPAddrFromAddrPort(remote),
	}
}

func localAddr(fd int) *net.TCPAddr {
	name, err := syscall.Getsockname(fd)
	if err != nil {
		return &net.TCPAddr{}
	}
	return net.TCPAddrFromAddrPort(addrPort(name))
}

// Read implements net.Conn; its waits obey the read context.
func (s *socket) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if !s.enter() {
		return 0, net.ErrClosed
	}
	defer s.leave()
	if err := s.read.begin(); err != nil {
		return 0, err
	}
	pause := pause{flow: &s.read}
	for {
		n, errno := transfer(unix.SYS_RECVFROM, s.fd, p)
		switch {
		case n > 0:
			return n, nil
		case s.closed():
			return 0, net.ErrClosed
		case errno == 0:
			return 0, io.EOF
		case !again(errno):
			return 0, os.NewSyscallError("recv", errno)
		}
		if err := s.sleep(&pause, unix.POLLIN); err != nil {
			return 0, err
		}
	}
}

// Write implements net.Conn; its waits obey the write context, each anew after
// some progress.
func (s *socket) Write(p []byte) (int, error) {
	if !s.enter() {
		return 0, net.ErrClosed
	}
	defer s.leave()
	if err := s.write.begin(); err != nil {
		return 0, err
	}
	for sent := 0; sent < len(p); {
		n, err := s.writeSome(p[sent:])
		if sent += n; err != nil {
			return sent, err
		}
	}
	return len(p), nil
}

func (s *socket) writeSome(p []byte) (int, error) {
	pause := pause{flow: &s.write}
	for {
		n, errno := transfer(unix.SYS_SENDTO, s.fd, p)
		switch {
		case n > 0:
			return n, nil
		case s.closed():
			return 0, net.ErrClosed
		case !again(errno):
			return 0, os.NewSyscallError("send", errno)
		}
		if err := s.sleep(&pause, unix.POLLOUT); err != nil {
			return 0, err
		}
	}
}

// transfer sends or receives without waiting. Nothing here can block, so the
// scheduler need not be told (RawSyscall).
func transfer(call uintptr, fd int, p []byte) (int, syscall.Errno) {
	const flags = unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL
	n, _, errno := syscall.RawSyscall6(call, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), flags, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

func again(errno syscall.Errno) bool {
	return errno == unix.EAGAIN || errno == unix.EINTR
}

// sleep waits for one slice, or until the socket may be ready.
func (s *socket) sleep(pause *pause, events int16) error {
	limit, err := pause.slice()
	if err != nil {
		return err
	}
	fds := [1]unix.PollFd{{Fd: int32(s.fd), Events: events}}
	if _, err := poll(fds[:], limit); err == unix.EINTR {
		pause.asked = time.Time{} // a signal: let the host look at it now
	}
	return nil
}

// poll rounds up: a wait of less than a millisecond must not spin.
func poll(fds []unix.PollFd, limit time.Duration) (int, error) {
	return unix.Poll(fds, int((limit+time.Millisecond-1)/time.Millisecond))
}

// The state of a socket: bit 0 says that it is closed, the rest counts who is
// inside a system call. The last one out closes the descriptor, so that its
// number cannot be given to another connection under somebody's feet.
const (
	stateClosed = 1
	stateUser   = 2
	stateGone   = 1 << 30 // even the descriptor is
)

// enter announces a system call; false means that the socket is closed.
func (s *socket) enter() bool {
	if s.state.Add(stateUser)&stateClosed == 0 {
		return true
	}
	s.leave()
	return false
}

func (s *socket) leave() {
	if s.state.Add(-stateUser) == stateClosed &&
		s.state.CompareAndSwap(stateClosed, stateClosed|stateGone) {
		_ = syscall.Close(s.fd)
	}
}

func (s *socket) closed() bool { return s.state.Load()&stateClosed != 0 }

// Close implements net.Conn. Whoever waits on the socket gets net.ErrClosed.
func (s *socket) Close() error {
	if !s.enter() {
		return nil
	}
	if s.state.Or(stateClosed) != stateUser { // somebody else is inside: wake them
		_ = syscall.Shutdown(s.fd, syscall.SHUT_RDWR)
	}
	s.leave()
	return nil
}

// SetReadContext implements wait.Conn.
func (s *socket) SetReadContext(ctx *wait.Context) { s.read.bind(ctx) }

// SetWriteContext implements wait.Conn.
func (s *socket) SetWriteContext(ctx *wait.Context) { s.write.bind(ctx) }

// LocalAddr implements net.Conn.
func (s *socket) LocalAddr() net.Addr { return s.local }

// RemoteAddr implements net.Conn.
func (s *socket) RemoteAddr() net.Addr { return s.remote }

// SetDeadline implements net.Conn. Waits are bounded by contexts, not deadlines.
func (*socket) SetDeadline(time.Time) error { return os.ErrNoDeadline }

// SetReadDeadline implements net.Conn.
func (*socket) SetReadDeadline(time.Time) error { return os.ErrNoDeadline }

// SetWriteDeadline implements net.Conn.
func (*socket) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }
