package transport

import (
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

// socket is a TCP connection that lives on the thread which uses it: it sends
// and receives at once and sleeps in the kernel only when there is nothing for
// it. Go's network poller would hand every wait to another thread, which costs
// two more context switches a request (measured).
//
// In the background nothing may hold a thread: a goroutine that has to wait borrows
// the poller (lent), and a guest leaves word in its hall (seat).
//
// One goroutine may read while another writes; any may close.
type socket struct {
	fd            int
	background    bool         // the descriptor is non-blocking
	state         atomic.Int32 // see enter
	read, write   flow
	wrote         atomic.Bool // and not read since
	local, remote *net.TCPAddr

	mu     sync.Mutex // guards what follows
	lent   *lent
	seat   *wait.Seat
	dry    uint64 // after how many visits of its hall there was nothing to read
	shared bool   // the host has a descriptor, too: see Watch
}

var (
	_ wait.Watchable = (*socket)(nil)
	_ wait.Attender  = (*socket)(nil)
)

// newSocket takes over a connected descriptor.
func newSocket(fd int, remote netip.AddrPort) (*socket, error) {
	timeout := syscall.NsecToTimeval(int64(beat))
	if err := syscall.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		return nil, os.NewSyscallError("setsockopt", err)
	}
	if err := syscall.SetNonblock(fd, false); err != nil { // see receive
		return nil, os.NewSyscallError("fcntl", err)
	}
	return socketOf(fd, remote), nil
}

func socketOf(fd int, remote netip.AddrPort) *socket {
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
	n, errno := s.tryReceive(p)
	if again(errno) {
		var err error
		if n, errno, err = s.awaitBytes(p); err != nil {
			return 0, err
		}
	}
	switch {
	case n > 0:
		return n, nil
	case s.closed():
		return 0, net.ErrClosed
	case errno == 0:
		return 0, io.EOF
	}
	return 0, os.NewSyscallError("recv", errno)
}

// awaitBytes receives when there is something, or tells why it does not wait for
// that any longer.
func (s *socket) awaitBytes(p []byte) (n int, errno syscall.Errno, err error) {
	switch ctx := s.read.ctx; {
	case ctx.Never():
		return 0, 0, s.leaveWord(ctx)
	case s.background && ctx.Prompt():
		return s.receivePromptly(p)
	}
	pause := pause{flow: &s.read}
	for {
		limit, err := pause.slice()
		if err != nil {
			return 0, 0, err
		}
		if n, errno = s.receive(p, limit); !again(errno) || s.closed() {
			return n, errno, nil
		}
		pause.interrupted(errno)
	}
}

// tryReceive takes what is there. Right after a write there is nothing yet, so
// that it saves the look.
func (s *socket) tryReceive(p []byte) (int, syscall.Errno) {
	if s.wrote.Swap(false) && !s.read.ctx.Never() {
		return 0, unix.EAGAIN
	}
	return transfer(unix.SYS_RECVFROM, s.fd, p)
}

// receive waits for bytes. A whole beat is waited out in recv(2) itself, whose
// time is limited to that: one call where poll(2) makes it two.
func (s *socket) receive(p []byte, limit time.Duration) (int, syscall.Errno) {
	if limit < beat || s.background {
		if errno := poll(s.fd, unix.POLLIN, limit); errno != 0 {
			return 0, errno
		}
		return transfer(unix.SYS_RECVFROM, s.fd, p)
	}
	n, _, errno := syscall.Syscall6(unix.SYS_RECVFROM, uintptr(s.fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
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
	s.wrote.Store(true)
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
		case s.background && s.write.ctx.Prompt() && !s.write.ctx.Never():
			return s.sendPromptly(p)
		}
		limit, err := pause.slice()
		if err != nil {
			return 0, err
		}
		pause.interrupted(poll(s.fd, unix.POLLOUT, limit))
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

// interrupted notes that a signal ended a slice: its handlers are run at once.
func (p *pause) interrupted(errno syscall.Errno) {
	if errno == unix.EINTR {
		p.asked = time.Time{}
	}
}

// poll waits until a socket may be ready.
func poll(fd int, events int16, limit time.Duration) syscall.Errno {
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: events}}
	_, err := unix.Poll(fds[:], milliseconds(limit))
	errno, _ := err.(syscall.Errno)
	return errno
}

// milliseconds rounds up: a wait of less than one must not spin.
func milliseconds(limit time.Duration) int {
	return int((limit + time.Millisecond - 1) / time.Millisecond)
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
		s.giveUp()
		_ = syscall.Close(s.fd)
	}
}

func (s *socket) closed() bool { return s.state.Load()&stateClosed != 0 }

// Close implements net.Conn. Whoever waits on the socket gets net.ErrClosed.
func (s *socket) Close() error {
	if !s.enter() {
		return nil
	}
	if s.state.Or(stateClosed) != stateUser || s.isShared() { // somebody else is inside, or watches: wake them
		_ = syscall.Shutdown(s.fd, syscall.SHUT_RDWR)
	}
	s.leave()
	return nil
}

// SetReadContext implements wait.Conn.
func (s *socket) SetReadContext(ctx *wait.Context) {
	if s.read.bind(ctx); ctx == nil {
		s.forgetWord()
	}
}

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
