package wait

import (
	"sync"
	"time"
)

// alarm interrupts prompt waits whose time has come. One timer serves them all: a
// timer for each wait costs more than the rest of its bookkeeping (measured), and
// hardly any ever fires.
type alarm struct {
	mu    sync.Mutex // guards what follows, and the places in the list
	first *Context
	next  time.Time // when timer fires; zero: it does not
	timer *time.Timer
}

// place is a context's in the list of an alarm.
type place struct {
	until         time.Time // zero: it is in no list
	before, after *Context
}

var alarms alarm

// resolution bounds how often the alarm looks at its list.
const resolution = time.Millisecond

// set has a context interrupted at until.
func (a *alarm) set(c *Context, until time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !c.place.until.IsZero() {
		a.unlink(c)
	}
	c.place = place{until: until, after: a.first}
	if a.first != nil {
		a.first.place.before = c
	}
	a.first = c
	if a.next.IsZero() || until.Before(a.next) {
		a.schedule(until)
	}
}

// clear takes a context out again.
func (a *alarm) clear(c *Context) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !c.place.until.IsZero() {
		a.unlink(c)
	}
}

func (a *alarm) unlink(c *Context) {
	p := c.place
	if p.before != nil {
		p.before.place.after = p.after
	} else {
		a.first = p.after
	}
	if p.after != nil {
		p.after.place.before = p.before
	}
	c.place = place{}
}

func (a *alarm) schedule(until time.Time) {
	a.next = until
	limit := max(resolution, time.Until(until))
	if a.timer == nil {
		a.timer = time.AfterFunc(limit, a.ring)
		return
	}
	a.timer.Reset(limit)
}

// ring interrupts those whose time has come.
func (a *alarm) ring() {
	for _, c := range a.due(time.Now()) {
		c.interrupt()
	}
}

func (a *alarm) due(now time.Time) (due []*Context) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next = time.Time{}
	var next time.Time
	for c := a.first; c != nil; {
		after, until := c.place.after, c.place.until
		switch {
		case !now.Before(until):
			a.unlink(c)
			due = append(due, c)
		case next.IsZero() || until.Before(next):
			next = until
		}
		c = after
	}
	if !next.IsZero() {
		a.schedule(next)
	}
	return due
}
