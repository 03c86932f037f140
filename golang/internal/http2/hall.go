package http2

import (
	"slices"

	"golang.org/x/net/http2"

	"github.com/cycletls/cycletls/golang/internal/fault"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// attendance is how guests of a hall wait for a connection: its socket is watched,
// and whoever comes by reads for all. Conn.mu guards it.
type attendance struct {
	guest     *wait.Context // the connection's own, nil until there is a guest
	attended  bool          // it is woken by what comes next: nothing else was left unread
	missed    bool          // it was woken while somebody read, who need not have seen why
	visits    uint64        // of the hall when a guest last sent its head at once
	postponed bool          // the connection is to send what there is when it is woken
}

var _ wait.Guest = (*Conn)(nil)

// attend returns the context by which the connection is woken in a hall.
func (c *Conn) attend(hall *wait.Hall) *wait.Context {
	if c.guest == nil || c.guest.Hall() != hall {
		c.guest, c.attended = wait.NewGuest(wait.Limits{}, hall, c), false
	}
	return c.guest
}

// postpone has the heads of guests leave together: the first at once, those that
// follow before the hall is visited next, then.
func (c *Conn) postpone(ctx *wait.Context) {
	hall := ctx.Hall()
	if !ctx.Never() || hall == nil {
		return
	}
	guest, visits := c.attend(hall), hall.Visits()
	if c.visits != visits || !c.attended {
		c.visits = visits
		return
	}
	c.postponed = true
	guest.Wake()
}

// glance is await of who does not wait: it looks, and else leaves word; again says that
// it did so before, and that its time goes on.
func (w *waiter) glance(n need, again bool) error {
	c, ctx := w.s.c, wait.Now
	w.need = n
	defer c.abdicate(w)
	if hall := w.ctx.Hall(); hall != nil {
		ctx = c.attend(hall)
		if !again {
			w.until, w.why = w.ctx.Until(wait.Read)
		}
		w.ctx.Due(w.until, w.why)
	}
	if !c.attended {
		err := c.lookFor(w, ctx)
		_ = c.flush(wait.Now) // answers to what was read
		if err == wait.ErrMustStay && !w.satisfied() {
			return err
		}
	}
	if w.satisfied() {
		return nil
	}
	if ctx != wait.Now {
		w.leaveWord()
	}
	return wait.ErrWouldBlock
}

// leaveWord has the guest woken when there may be what it needs.
func (w *waiter) leaveWord() {
	w.left = true
	if c := w.s.c; !c.attended && !c.leading {
		w.ctx.Yield() // there is more, but others have something to do, too
		return
	}
	w.bell.Call(w.ctx)
	w.s.c.waiting = append(w.s.c.waiting, w)
}

// dismiss takes back the word that a guest has left, and reports whether it had.
func (c *Conn) dismiss(w *waiter) bool {
	if !w.left {
		return false
	}
	w.left = false
	if i := slices.Index(c.waiting, w); i >= 0 {
		c.waiting = slices.Delete(c.waiting, i, i+1)
	}
	return true
}

// Awake implements wait.Guest: something has come. One who waits alone reads it into
// memory of its own.
func (c *Conn) Awake() {
	c.mu.Lock()
	defer c.unlock()
	defer c.survive()
	c.postponed = false
	_ = c.flush(wait.Now)
	switch {
	case c.leading:
		c.missed = true
	case len(c.waiting) <= 1:
		if c.attended = false; len(c.waiting) == 1 {
			c.rouse(c.waiting[0])
		}
	default:
		_ = c.lookFor(nil, c.guest)
		if !c.attended && !c.leading && c.err == nil {
			c.guest.Yield()
		}
		_ = c.flush(wait.Now)
	}
}

// survive ends the connection with a fault of ours: whom it was to wake sleeps.
func (c *Conn) survive() {
	if value := recover(); value != nil {
		c.fail(http2.ErrCodeInternal, fault.New(value))
	}
}
