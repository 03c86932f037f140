package transport

import (
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// leaveWord has a guest woken when something comes, and returns what a read that must
// not wait does. What has come already and was not read is told of, too, where the
// socket was not watched yet.
func (s *socket) leaveWord(ctx *wait.Context) error {
	s.noteDry()
	hall := ctx.Hall()
	if hall == nil {
		return wait.ErrWouldBlock
	}
	ctx.Due(ctx.Until(wait.Read))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seat != nil && s.seat.Hall() != hall {
		s.seat.Leave()
		s.seat = nil
	}
	if s.seat == nil {
		s.takeBack()
		if s.seat = hall.Watch(s.fd); s.seat == nil {
			return wait.ErrMustStay
		}
	}
	s.seat.Wakes(ctx)
	return wait.ErrWouldBlock
}

// Attend implements wait.Attender: a pooled connection has just been looked at, and
// since then nobody has visited the hall.
func (s *socket) Attend(ctx *wait.Context) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seat == nil || s.seat.Hall() != ctx.Hall() || s.dry != ctx.Hall().Visits() {
		return false
	}
	ctx.Due(ctx.Until(wait.Read))
	s.seat.Wakes(ctx)
	return true
}

// noteDry notes that there was nothing to read.
func (s *socket) noteDry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seat != nil {
		s.dry = s.seat.Hall().Visits()
	}
}

// forgetWord has nobody woken any more.
func (s *socket) forgetWord() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seat != nil {
		s.seat.Wakes(nil)
	}
}
