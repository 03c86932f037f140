package library

import (
	"sync/atomic"

	"github.com/cycletls/cycletls/golang/internal/engine"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// session is a session of the engine with the exchanges that end with it.
type session struct {
	*engine.Session
	group
	hall atomic.Pointer[wait.Hall] // of its guests, nil: there were none
}

// guestsIn reports whether its exchanges may be guests of a hall: not while those of
// another loop are, who share its connections.
func (s *session) guestsIn(hall *wait.Hall) bool {
	other := s.hall.Load()
	if other != nil && other != hall && !other.Closed() {
		return false
	}
	return other == hall || s.hall.CompareAndSwap(other, hall)
}

// close ends the exchanges under way and closes the connections.
func (s *session) close() {
	s.end(wait.ErrClosed)
	s.Session.Close()
}

// token cancels the exchanges that it was given to.
type token struct{ group }
