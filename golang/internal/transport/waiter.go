package transport

import (
	"errors"
	"slices"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

// offer is what an exchange gets from the pool: a connection that is there, or
// leave to make one (its place is reserved), or why it gets neither.
type offer struct {
	conn *connection
	idle bool // conn was: see first whether it still lives
	busy bool // conn has no stream free: wait for one
	err  error
}

// waiter is an exchange that waits for an offer.
type waiter struct {
	host  *host
	fresh bool
	ctx   *wait.Context
	ready chan struct{} // closed when offer is set
	offer offer
	done  bool // it is; guarded by Pool.mu
}

// shares reports whether a waiter for a dial fails with it. It does not, when
// the dial only ran out of time and the waiter would grant it more.
func (w *waiter) shares(err error) bool {
	var passed *wait.TimeoutError
	if !errors.As(err, &passed) {
		return !wait.IsStop(err)
	}
	_, own := w.ctx.Until(wait.Connect)
	return passed.Phase == wait.Connect && own != nil && own.Limit <= passed.Limit
}

func (p *Pool) enqueue(w *waiter) *waiter {
	if len(w.host.queue) == 0 {
		p.hungry = append(p.hungry, w.host)
	}
	w.host.queue = append(w.host.queue, w)
	return w
}

func (p *Pool) dequeue(w *waiter) {
	w.host.queue = without(w.host.queue, w)
	if len(w.host.queue) == 0 {
		p.hungry = without(p.hungry, w.host)
	}
}

func (p *Pool) answer(w *waiter, o offer) {
	p.dequeue(w)
	w.offer, w.done = o, true
	close(w.ready)
}

// serve gives what became free at h to those who wait for it. Those who wait
// for a connection to another host can gain only where their total is limited.
func (p *Pool) serve(h *host) {
	p.serveHost(h)
	if p.config.MaxConnections == 0 {
		return
	}
	for _, other := range slices.Clone(p.hungry) {
		if p.open >= p.config.MaxConnections && p.idle.oldest == nil {
			return
		}
		p.serveHost(other)
	}
}

func (p *Pool) serveHost(h *host) {
	for len(h.queue) > 0 {
		w := h.queue[0]
		got, ok := p.take(h, w.fresh)
		if !ok {
			return
		}
		p.answer(w, got)
	}
}

// fail tells a failed dial to those who waited for its outcome; where there is
// another connection, they wait for that.
func (p *Pool) fail(h *host, err error) {
	if !h.shareable || len(h.shared) > 0 {
		return
	}
	for _, w := range slices.Clone(h.queue) {
		if !w.fresh && w.shares(err) {
			p.answer(w, offer{err: err})
		}
	}
}

// withdraw ends a wait that was given up, and gives back what came meanwhile.
func (p *Pool) withdraw(w *waiter) {
	p.mu.Lock()
	defer p.unlock()
	switch c := w.offer.conn; {
	case !w.done:
		p.dequeue(w)
	case w.offer.err != nil:
	case c == nil:
		p.vacate(w.host)
	default:
		p.giveBack(c, w.offer.idle)
	}
	p.serve(w.host)
	p.prune(w.host)
}

// giveBack returns a connection that was taken and not used.
func (p *Pool) giveBack(c *connection, idle bool) {
	c.opening--
	if idle && c.mux != nil {
		c.host.making--
	}
	p.settle(c, true)
}

// leave gives up the place that was reserved for a connection which is not made.
func (p *Pool) leave(h *host) {
	p.mu.Lock()
	defer p.unlock()
	p.vacate(h)
	p.serve(h)
	p.prune(h)
}

// vacate gives up the place that was reserved for a connection.
func (p *Pool) vacate(h *host) {
	h.making--
	h.open--
	p.open--
}

// prune drops what is known of a host that nobody is connected to or waits for.
func (p *Pool) prune(h *host) {
	if h.open == 0 && len(h.queue) == 0 {
		delete(p.hosts, h.origin)
	}
}
