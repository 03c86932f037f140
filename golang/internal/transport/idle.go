package transport

import (
	"time"

	"github.com/cycletls/cycletls/golang/internal/fault"
)

// idleList holds the idle connections of all hosts, by age.
type idleList struct {
	oldest, newest *connection
	length         int
}

func (l *idleList) push(c *connection) {
	c.older, c.newer = l.newest, nil
	if l.newest != nil {
		l.newest.newer = c
	} else {
		l.oldest = c
	}
	l.newest = c
	l.length++
}

func (l *idleList) remove(c *connection) {
	if c.older != nil {
		c.older.newer = c.newer
	} else {
		l.oldest = c.newer
	}
	if c.newer != nil {
		c.newer.older = c.older
	} else {
		l.newest = c.older
	}
	c.older, c.newer = nil, nil
	l.length--
}

// keep puts a connection among the idle ones.
func (p *Pool) keep(c *connection) {
	c.host.shared = without(c.host.shared, c)
	c.idle, c.idleSince = true, time.Now()
	c.host.idle = append(c.host.idle, c)
	p.idle.push(c)
	if p.idle.length > p.config.MaxIdle {
		p.evict(p.idle.oldest)
	}
	p.startJanitor()
}

// takeIdle takes the most recently used idle connection to h, or nil.
func (p *Pool) takeIdle(h *host) *connection {
	for len(h.idle) > 0 {
		c := h.idle[len(h.idle)-1]
		if p.expired(c) {
			p.evict(c)
			continue
		}
		p.unkeep(c)
		c.opening = 1
		if c.mux != nil {
			h.making++
		}
		return c
	}
	return nil
}

// unkeep takes a connection from among the idle ones.
func (p *Pool) unkeep(c *connection) {
	c.idle = false
	c.host.idle = without(c.host.idle, c)
	p.idle.remove(c)
}

// evict closes an idle connection.
func (p *Pool) evict(c *connection) {
	p.unkeep(c)
	p.forget(c)
}

func (p *Pool) evictAll() {
	for p.idle.oldest != nil {
		p.evict(p.idle.oldest)
	}
}

func (p *Pool) expired(c *connection) bool {
	return p.config.IdleTimeout > 0 && time.Since(c.idleSince) >= p.config.IdleTimeout
}

// startJanitor has the idle connections looked at when the oldest of them
// expires. There is one timer for the pool, and none while nothing is idle.
func (p *Pool) startJanitor() {
	switch {
	case p.config.IdleTimeout <= 0 || p.sweeping:
		return
	case p.janitor == nil:
		p.janitor = time.AfterFunc(p.config.IdleTimeout, p.sweep)
	default:
		p.janitor.Reset(p.config.IdleTimeout)
	}
	p.sweeping = true
}

func (p *Pool) stopJanitor() {
	if p.janitor != nil {
		p.janitor.Stop()
	}
	p.sweeping = false
}

// sweep closes the connections that were idle for too long.
func (p *Pool) sweep() {
	defer fault.Survive() // a timer's goroutine
	p.mu.Lock()
	defer p.unlock()
	for p.idle.oldest != nil && p.expired(p.idle.oldest) {
		p.evict(p.idle.oldest)
	}
	if p.idle.oldest == nil {
		p.sweeping = false
		return
	}
	p.janitor.Reset(p.config.IdleTimeout - time.Since(p.idle.oldest.idleSince))
}
