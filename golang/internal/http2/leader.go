package http2

import (
	"slices"
	"time"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

// need is what a stream waits for.
type need int

const (
	needHead     need = iota // the head of the final response
	needBody                 // some of its body
	needContinue             // 100 (Continue), or the final response
	needRoom                 // room for more of the request's body
)

// has reports whether the stream has what it waits for, be it an error.
func (s *Stream) has(n need) bool {
	if s.err != nil || s.remoteClosed {
		return true
	}
	switch n {
	case needBody:
		return s.filled > 0 || s.queue.len() > 0
	case needContinue:
		return s.continued || s.head != nil
	case needRoom:
		return s.answered() || s.sendWin > 0 && s.c.sendWin > 0 && len(s.c.out) < highWater
	default:
		return s.head != nil
	}
}

// sated reports whether what comes next stays for the leader's next call, so
// that the rest of its body reaches the caller's memory without a detour. While
// others wait, a leader that has what it needs goes on with what is there until
// its own memory is full: or one of them would be woken only to find that its
// response has come, and to wake the next.
func (c *Conn) sated() bool {
	s := c.leader
	switch {
	case s == nil || !s.has(s.need):
		return false
	case s.need == needBody && s.open():
		return s.filled == len(s.dst)
	}
	return len(c.waiting) == 0
}

// await returns when the stream has what it needs, or with why its exchange
// must end; c.mu is held, but not while it waits.
func (s *Stream) await(n need, phase wait.Phase) error {
	if s.has(n) {
		return nil
	}
	until, why := s.ctx.Until(phase)
	return s.awaitUntil(n, phase, until, why)
}

func (s *Stream) awaitUntil(n need, phase wait.Phase, until time.Time, why *wait.TimeoutError) error {
	c := s.c
	s.need = n
	defer c.abdicate(s)
	for first := true; ; first = false {
		if !first {
			if err := expired(s.ctx, until, why); err != nil {
				return err
			}
		}
		if err := c.flush(s.ctx); err != nil {
			return err
		}
		switch {
		case s.has(n):
			return nil
		case c.leading:
			c.follow(s, until)
		default:
			// The first wait for a response obeys the context's own limit: it
			// saves the slices.
			whole := first && phase == wait.Read && n != needContinue
			if err := c.lead(s, whole, until, why); err != nil {
				return err
			}
		}
	}
}

// lead reads for all until s has what it needs.
func (c *Conn) lead(s *Stream, whole bool, until time.Time, why *wait.TimeoutError) error {
	c.leading, c.leader = true, s
	if c.heir == s {
		c.heir = nil
	}
	defer c.handOver()
	for {
		c.digest()
		_ = c.flush(wait.Now)
		if s.has(s.need) {
			return nil
		}
		ctx := s.ctx
		if sending := c.flushing || c.pending(); sending || !whole {
			if err := expired(s.ctx, until, why); err != nil {
				return err
			}
			if ctx = slice(until); s.ctx.Prompt() && !sending {
				ctx = s.ctx.Before(until, why)
			}
		}
		if err := c.fill(ctx); err != nil && ctx == s.ctx {
			return err
		}
		whole = false
	}
}

// handOver ends the leadership and wakes who is to lead next.
func (c *Conn) handOver() {
	c.leading, c.leader = false, nil
	c.appoint()
}

func (c *Conn) appoint() {
	if c.heir == nil && len(c.waiting) > 0 {
		c.heir = c.waiting[0]
		c.wake(c.heir)
	}
}

// abdicate passes on what a stream was woken for and no longer wants.
func (c *Conn) abdicate(s *Stream) {
	if c.heir == s {
		c.heir = nil
		if !c.leading {
			c.appoint()
		}
	}
}

// fill reads once; c.mu is held, but not while it waits. It returns why the
// wait ended early; what is wrong with the connection ends that.
func (c *Conn) fill(ctx *wait.Context) error {
	c.release()
	c.nc.SetReadContext(ctx)
	err := c.in.fill(c.nc, c.frameRoom)
	c.mu.Lock()
	if err == nil || wait.IsStop(err) {
		return err
	}
	c.lost("reading the response", err)
	return nil
}

// look digests what is there without waiting, unless somebody reads anyway.
func (c *Conn) look() {
	if c.leading || c.err != nil {
		return
	}
	c.leading = true
	defer c.handOver()
	for range lookReads {
		c.digest()
		if c.err != nil || c.fill(wait.Now) != nil {
			return
		}
	}
	c.digest()
}

// lookReads bounds a look: a peer can send faster than we digest.
const lookReads = 8

// follow waits until it is woken or a slice of the wait has passed.
func (c *Conn) follow(s *Stream, until time.Time) {
	s.bell.Reset(s.ctx) // it may have rung for a wait that ended otherwise
	if c.heir == s {
		c.heir = nil // somebody was quicker
	}
	c.waiting = append(c.waiting, s)
	c.release()
	s.bell.Await(s.ctx, until)
	c.mu.Lock()
	if i := slices.Index(c.waiting, s); i >= 0 {
		c.waiting = slices.Delete(c.waiting, i, i+1)
	}
}

// wake has a follower woken when the lock is given back.
func (c *Conn) wake(s *Stream) {
	if i := slices.Index(c.waiting, s); i >= 0 {
		c.waiting = slices.Delete(c.waiting, i, i+1)
		c.woken = append(c.woken, s)
	}
}

// release gives the lock back and then wakes who is to be woken: on a single
// processor they run at once, and would find the lock taken.
func (c *Conn) release() {
	var few [8]*Stream
	woken := append(few[:0], c.woken...)
	clear(c.woken)
	c.woken = c.woken[:0]
	c.mu.Unlock()
	for _, s := range woken {
		s.bell.Ring()
	}
}

// wakeReady wakes those who have what they wait for.
func (c *Conn) wakeReady() {
	for i := len(c.waiting) - 1; i >= 0; i-- {
		if s := c.waiting[i]; s.has(s.need) {
			c.wake(s)
		}
	}
}

func (c *Conn) wakeAll() {
	for len(c.waiting) > 0 {
		c.wake(c.waiting[len(c.waiting)-1])
	}
	c.admit()
}
