package library

import (
	"github.com/cycletls/cycletls/golang/internal/engine"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// session is a session of the engine with the exchanges that end with it.
type session struct {
	*engine.Session
	group
}

// close ends the exchanges under way and closes the connections.
func (s *session) close() {
	s.end(wait.ErrClosed)
	s.Session.Close()
}

// token cancels the exchanges that it was given to.
type token struct{ group }
