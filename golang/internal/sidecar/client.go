package sidecar

import "github.com/cycletls/cycletls/golang/internal/library"

// client is a process that uses the sidecar, however many connections it has.
type client struct {
	library     library.Library
	connections int
}

// join counts one connection more.
func (s *Server) join(id string) *client {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.clients[id]
	if c == nil {
		c = new(client)
		s.clients[id] = c
	}
	c.connections++
	return c
}

// leave closes with the last connection everything that the client had.
func (s *Server) leave(id string) {
	s.mu.Lock()
	c := s.clients[id]
	c.connections--
	last := c.connections == 0
	if last {
		delete(s.clients, id)
	}
	s.mu.Unlock()
	if last {
		c.library.Shut()
	}
}
