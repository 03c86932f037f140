package transport

import (
	"errors"
	"net"
)

// Watch implements wait.Watchable.
func (s *socket) Watch() (int, error) {
	if !s.enter() {
		return -1, net.ErrClosed
	}
	defer s.leave()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shared || !s.background {
		return -1, errors.ErrUnsupported
	}
	s.takeBack()
	fd, err := duplicate(s.fd)
	s.shared = err == nil
	return fd, err
}

func (s *socket) isShared() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shared
}
