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

// waiter is one direction of a stream: who reads waits by one, who writes by the
// other, so that both can at once.
type waiter struct {
	s    *Stream
	ctx  *wait.Context
	need need // while it waits
	bell wait.Bell

	// Of a guest: see glance.
	left  bool // it has left word
	until time.Time
	why   *wait.TimeoutError
}

// satisfied reports whether it has what it waits for.
func (w *waiter) satisfied() bool { return w.s.has(w.need) }

// has reports whether the stream has what it waits for, be it an error.
func (s *Stream) has(n need) bool {
	if s.err != nil || s.remoteClosed || s.closed {
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
	w := c.leader
	switch {
	case w == nil || !w.satisfied():
		return false
	case w.need == needBody && w.s.open():
		return w.s.filled == len(w.s.dst)
	}
	return len(c.waiting) == 0
}

// await returns when the stream has what it needs, or with why its exchange
// must end; c.mu is held, but not while it waits.
func (w *waiter) await(n need, phase wait.Phase) error {
	again := w.s.c.dismiss(w)
	if w.s.has(n) {
		w.s.c.abdicate(w)
		return nil
	}
	if w.ctx.Never() {
		return w.glance(n, again)
	}
	until, why := w.ctx.Until(phase)
	return w.awaitUntil(n, phase, until, why)
}

func (w *waiter) awaitUntil(n need, phase wait.Phase, until time.Time, why *wait.TimeoutError) error {
	c := w.s.c
	w.need = n
	defer c.abdicate(w)
	for first := true; ; first = false {
		if !first {
			if err := w.ctx.Expired(until, why); err != nil {
				return err
			}
		}
		if err := c.flush(w.ctx); err != nil {
			return err
		}
		switch {
		case w.satisfied():
			return nil
		case c.leading:
			c.follow(w, until)
		default:
			// The first wait for a response obeys the context's own limit: it
			// saves the slices.
			whole := first && phase == wait.Read && n != needContinue
			if err := c.lead(w, whole, until, why); err != nil {
				return err
			}
		}
	}
}

// lead reads for all until w has what it needs.
func (c *Conn) lead(w *waiter, whole bool, until time.Time, why *wait.TimeoutError) error {
	c.leading, c.leader, c.attended = true, w, false
	if c.heir == w {
		c.heir = nil
	}
	defer c.handOver()
	for {
		c.digest()
		_ = c.flush(wait.Now)
		if w.satisfied() {
			return nil
		}
		ctx := w.ctx
		if sending := c.flushing || c.pending(); sending || !whole {
			if err := w.ctx.Expired(until, why); err != nil {
				return err
			}
			if ctx = slice(until); w.ctx.Prompt() && !sending {
				ctx = w.ctx.Before(until, why)
			}
		}
		if err := c.fill(ctx); err != nil && ctx == w.ctx {
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

// appoint wakes who is to lead next: one who waits by itself, where a hall attends to
// the guests.
func (c *Conn) appoint() {
	if c.heir != nil {
		return
	}
	for _, w := range c.waiting {
		if !w.left || !c.attended {
			c.heir = w
			c.rouse(w)
			return
		}
	}
}

// abdicate passes on what somebody was woken for and no longer wants.
func (c *Conn) abdicate(w *waiter) {
	if c.heir == w {
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
func (c *Conn) look() { _ = c.lookFor(nil, wait.Now) }

// lookFor is look that puts what it can into the memory of who looks. ctx never
// waits; what comes back is why it ended, nil where there may be more.
func (c *Conn) lookFor(w *waiter, ctx *wait.Context) error {
	if c.leading || c.err != nil {
		return nil
	}
	c.leading, c.leader, c.attended, c.missed = true, w, false, false
	if c.heir == w {
		c.heir = nil
	}
	defer c.handOver()
	for range lookReads {
		c.digest()
		if c.err != nil || c.sated() {
			return nil
		}
		if err := c.fill(ctx); err != nil {
			c.attended = err == wait.ErrWouldBlock && ctx.Hall() != nil && !c.missed
			return err
		}
	}
	c.digest()
	return nil
}

// lookReads bounds a look: a peer can send faster than we digest.
const lookReads = 8

// follow waits until it is woken or a slice of the wait has passed.
func (c *Conn) follow(w *waiter, until time.Time) {
	w.bell.Reset(w.ctx) // it may have rung for a wait that ended otherwise
	if c.heir == w {
		c.heir = nil // somebody was quicker
	}
	c.waiting = append(c.waiting, w)
	c.release()
	w.bell.Await(w.ctx, until)
	c.mu.Lock()
	if i := slices.Index(c.waiting, w); i >= 0 {
		c.waiting = slices.Delete(c.waiting, i, i+1)
	}
}

// wake has those who wait for a stream woken when the lock is given back.
func (c *Conn) wake(s *Stream) {
	c.rouse(&s.reading)
	if s.both {
		c.rouse(&s.writing)
	}
}

func (c *Conn) rouse(w *waiter) {
	if i := slices.Index(c.waiting, w); i >= 0 {
		c.waiting = slices.Delete(c.waiting, i, i+1)
		c.woken = append(c.woken, w)
	}
}

// release gives the lock back and then wakes who is to be woken: on a single
// processor they run at once, and would find the lock taken.
func (c *Conn) release() {
	var few [8]*waiter
	woken := append(few[:0], c.woken...)
	clear(c.woken)
	c.woken = c.woken[:0]
	c.mu.Unlock()
	for _, w := range woken {
		w.bell.Ring()
	}
}

// wakeReady wakes those who have what they wait for.
func (c *Conn) wakeReady() {
	for i := len(c.waiting) - 1; i >= 0; i-- {
		if w := c.waiting[i]; w.satisfied() {
			c.rouse(w)
		}
	}
}

func (c *Conn) wakeAll() {
	for len(c.waiting) > 0 {
		c.rouse(c.waiting[len(c.waiting)-1])
	}
	c.admit()
}
