package transport

import (
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// attempts returns the means to connect: on the calling thread, or through Go's
// network poller where the exchange runs in a goroutine.
func (d *dialer) attempts(count int) attempts {
	if d.async {
		return newPortableAttempts(d.local)
	}
	return &polledAttempts{local: d.local, fds: make([]unix.PollFd, 0, count)}
}

// polledAttempts are non-blocking connects under one poll(2).
type polledAttempts struct {
	local   netip.Addr
	fds     []unix.PollFd
	targets []netip.AddrPort // one for each of fds
}

func (a *polledAttempts) pending() int { return len(a.fds) }

func (a *polledAttempts) start(target netip.AddrPort) error {
	fd, err := openSocket(target.Addr(), a.local)
	if err != nil {
		return err
	}
	err = syscall.Connect(fd, sockaddr(target))
	if err != nil && err != unix.EINPROGRESS && err != unix.EINTR {
		_ = syscall.Close(fd)
		return os.NewSyscallError("connect", err)
	}
	a.fds = append(a.fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLOUT})
	a.targets = append(a.targets, target)
	return nil
}

func (a *polledAttempts) wait(limit time.Duration) (result, bool) {
	if n, err := unix.Poll(a.fds, milliseconds(limit)); err != nil || n == 0 {
		return result{}, false
	}
	for i := range a.fds {
		if a.fds[i].Revents != 0 {
			return a.finish(i), true
		}
	}
	return result{}, false
}

// finish takes the i-th attempt, which has ended.
func (a *polledAttempts) finish(i int) result {
	fd, target := int(a.fds[i].Fd), a.targets[i]
	a.fds = append(a.fds[:i], a.fds[i+1:]...)
	a.targets = append(a.targets[:i], a.targets[i+1:]...)
	err := connected(fd, target)
	if err == nil {
		var conn *socket
		if conn, err = newSocket(fd, target); err == nil {
			return result{Attempt{Address: target}, conn}
		}
	}
	_ = syscall.Close(fd)
	return result{Attempt: Attempt{target, err}}
}

func (a *polledAttempts) abandon() {
	for _, fd := range a.fds {
		_ = syscall.Close(int(fd.Fd))
	}
	a.fds = nil
}

// connected returns how a connect that has ended went.
func connected(fd int, target netip.AddrPort) error {
	code, err := syscall.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && code != 0 {
		err = syscall.Errno(code)
	}
	if err == nil && selfConnected(fd, target) {
		err = unix.ECONNREFUSED
	}
	return os.NewSyscallError("connect", err)
}

// selfConnected reports whether the socket talks to itself: a connect to a port
// of the ephemeral range on this machine, where nobody listens, may be given
// that very port to come from (TCP's simultaneous open).
func selfConnected(fd int, target netip.AddrPort) bool {
	name, err := syscall.Getsockname(fd)
	return err == nil && addrPort(name) == target
}

// openSocket makes a non-blocking TCP socket for a remote address.
func openSocket(remote, local netip.Addr) (int, error) {
	family := unix.AF_INET
	if remote.Is6() {
		family = unix.AF_INET6
	}
	fd, err := syscall.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err := configure(fd, local); err != nil {
		_ = syscall.Close(fd)
		return -1, err
	}
	return fd, nil
}

func configure(fd int, local netip.Addr) error {
	seconds := int(keepAlive / time.Second)
	for _, option := range [...][3]int{
		{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, seconds},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, seconds},
	} {
		if err := syscall.SetsockoptInt(fd, option[0], option[1], option[2]); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	if !local.IsValid() {
		return nil
	}
	// The port is chosen when connecting, when the peer is known: one local port
	// then serves many peers. Kernels before 4.2 choose it here.
	_ = syscall.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	return os.NewSyscallError("bind", syscall.Bind(fd, sockaddr(netip.AddrPortFrom(local, 0))))
}

func sockaddr(a netip.AddrPort) syscall.Sockaddr {
	if a.Addr().Is4() {
		return &syscall.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &syscall.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

func addrPort(name syscall.Sockaddr) netip.AddrPort {
	switch name := name.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(name.Addr), uint16(name.Port))
	case *syscall.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(name.Addr), uint16(name.Port))
	}
	return netip.AddrPort{}
}
