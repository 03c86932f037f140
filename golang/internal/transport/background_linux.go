package transport

import (
	"errors"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

// adopt makes a socket of a connection that was made by package net.
func adopt(conn net.Conn, remote netip.AddrPort) (wait.Conn, error) {
	defer conn.Close()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	stop := raw.Control(func(theirs uintptr) { fd, err = duplicate(int(theirs)) })
	if err := errors.Join(stop, err); err != nil {
		return nil, err
	}
	s := socketOf(fd, remote)
	s.background = true
	return s, nil
}

func duplicate(fd int) (int, error) {
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	return own, os.NewSyscallError("fcntl", err)
}

// giveUp gives back what the descriptor takes beside itself, before it is closed.
func (s *socket) giveUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takeBack()
	if s.seat != nil {
		s.seat.Leave()
		s.seat = nil
	}
}
