package transport

import (
	"errors"
	"sync"
	"time"

	"github.com/cycletls/cycletls/golang/internal/http2"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// ErrClosed is a pool that was closed.
var ErrClosed = errors.New("the connection pool is closed")

// Pool keeps the connections of a session.
//
// An HTTP/1 connection serves one exchange at a time and is taken from a stack,
// the most recently used first; an HTTP/2 connection is shared until its streams
// run out. What an exchange cannot have at once it queues for: whenever
// something becomes free it is given to the first that can use it, under the
// lock, so that nobody who comes later can snatch it. While mu is free no waiter
// could be served; every change that could break that ends with serve.
type Pool struct {
	config  Config
	dialer  dialer
	tls     *handshaker
	toProxy *handshaker // of TLS connections to proxies
	invalid error       // what is wrong with config

	mu     sync.Mutex
	hosts  map[Origin]*host
	hungry []*host // those with a queue
	open   int     // connections, those being made included
	idle   idleList
	closed bool
	doomed []*connection // to close when mu is free: closing may write

	janitor  *time.Timer // see startJanitor
	sweeping bool        // it runs
}

// NewPool returns an empty pool. A configuration that cannot be is reported by
// Check, or else by Open.
func NewPool(config Config) *Pool {
	p := &Pool{
		config:  config,
		tls:     newHandshaker(config.Profile, config.TLS, config.ForceHTTP1),
		toProxy: newProxyHandshaker(config.TLS),
		hosts:   make(map[Origin]*host),
	}
	p.dialer, p.invalid = newDialer(&p.config)
	return p
}

// Open begins an exchange with an origin: on a connection that is there, or on
// one it makes. fresh asks for one that served nobody before.
func (p *Pool) Open(ctx *wait.Context, o Origin, fresh bool) (message.Stream, *message.Connection, error) {
	if p.invalid != nil {
		return nil, nil, p.invalid
	}
	if o.Proxy != nil {
		if err := p.dialer.resolver.admit(o.Host); err != nil {
			return nil, nil, err
		}
		o = o.shared()
	}
	fresh = fresh || !p.config.Reuse || o.WebSocket
	for {
		h, got, err := p.acquire(ctx, o, fresh)
		if err != nil {
			return nil, nil, err
		}
		if got.conn == nil && ctx.Never() {
			p.leave(h)
			return nil, nil, wait.ErrWouldBlock
		}
		if got.conn == nil {
			stream, about, err := p.openNew(ctx, h)
			if err != http2.ErrBusy {
				return stream, about, err
			}
		} else if stream, err := p.openOld(ctx, got); err == nil || wait.IsStop(err) {
			return stream, &got.conn.again, err
		}
	}
}

// OpenTunnel begins an exchange on a connection that is there and takes extended
// CONNECT (RFC 8441), or returns a nil stream: nobody makes a connection in the
// hope that it will.
func (p *Pool) OpenTunnel(ctx *wait.Context, o Origin) (message.Stream, *message.Connection, error) {
	for p.invalid == nil {
		got := p.takeTunnel(o)
		if got.conn == nil {
			return nil, nil, nil
		}
		if stream, err := p.openOld(ctx, got); err == nil || wait.IsStop(err) {
			return stream, &got.conn.again, err
		}
	}
	return nil, nil, p.invalid
}

func (p *Pool) takeTunnel(o Origin) offer {
	if o.Proxy != nil {
		o = o.shared()
	}
	p.mu.Lock()
	defer p.unlock()
	h := p.hosts[o]
	if p.closed || h == nil {
		return offer{}
	}
	if c := h.available(); c != nil {
		if !c.mux.Tunnels() {
			return offer{}
		}
		c.opening++
		return offer{conn: c}
	}
	if len(h.idle) == 0 || h.idle[len(h.idle)-1].mux == nil || !h.idle[len(h.idle)-1].mux.Tunnels() {
		return offer{}
	}
	return offer{conn: p.takeIdle(h), idle: true}
}

// openNew opens a stream on a connection that it makes. Others, who waited for
// one to share, may take all its streams first.
func (p *Pool) openNew(ctx *wait.Context, h *host) (message.Stream, *message.Connection, error) {
	c, err := p.make(ctx, h)
	if err != nil {
		return nil, nil, err
	}
	stream, err := p.openOn(ctx, c, false)
	return stream, &c.first, err
}

// openOld opens a stream on a connection that is there.
func (p *Pool) openOld(ctx *wait.Context, got offer) (message.Stream, error) {
	if got.idle && !p.confirm(got.conn) {
		return nil, errDead
	}
	return p.openOn(ctx, got.conn, got.busy)
}

// errDead is a connection that ended while it was idle.
var errDead = errors.New("the connection ended while it was idle")

// openOn opens a stream on a connection that was taken for it.
func (p *Pool) openOn(ctx *wait.Context, c *connection, waits bool) (stream message.Stream, err error) {
	if c.mux == nil || waits {
		stream, err = c.Open(ctx)
	} else if stream, err = c.mux.TryOpen(ctx); err == http2.ErrBusy && c.mux.Streams() == 0 {
		stream, err = c.Open(ctx) // the peer allows none at all for now
	}
	if err == nil && c.mux == nil {
		return stream, nil
	}
	p.mu.Lock()
	defer p.unlock()
	c.opening--
	if err != nil {
		// Where there was no stream, or no time to wait for one, the connection is
		// as good as before.
		p.settle(c, c.mux != nil && (err == http2.ErrBusy || wait.IsStop(err)))
	}
	return stream, err
}

// acquire takes what an exchange with an origin can have, waiting for it if
// need be.
func (p *Pool) acquire(ctx *wait.Context, o Origin, fresh bool) (*host, offer, error) {
	h, got, w, err := p.takeOrQueue(ctx, o, fresh)
	if w == nil {
		return h, got, err
	}
	if err := ctx.Await(w.ready, wait.Pool); err != nil {
		p.withdraw(w)
		return nil, offer{}, err
	}
	return h, w.offer, w.offer.err
}

// takeOrQueue returns a waiter where there is nothing to take yet.
func (p *Pool) takeOrQueue(ctx *wait.Context, o Origin, fresh bool) (*host, offer, *waiter, error) {
	p.mu.Lock()
	defer p.unlock()
	if p.closed {
		return nil, offer{}, nil, ErrClosed
	}
	h := p.host(o)
	if got, ok := p.take(h, fresh); ok {
		return h, got, nil, nil
	}
	return h, offer{}, p.enqueue(&waiter{host: h, fresh: fresh, ctx: ctx, ready: make(chan struct{})}), nil
}

func (p *Pool) host(o Origin) *host {
	h := p.hosts[o]
	if h == nil {
		h = &host{origin: o, shareable: p.config.Reuse && o.Scheme == "https" && !p.config.ForceHTTP1 && !o.WebSocket}
		p.hosts[o] = h
	}
	return h
}

// take finds what an exchange with h can have now.
func (p *Pool) take(h *host, fresh bool) (offer, bool) {
	if !fresh {
		if c := h.available(); c != nil {
			c.opening++
			return offer{conn: c}, true
		}
		if c := p.takeIdle(h); c != nil {
			return offer{conn: c, idle: true}, true
		}
		if h.shareable && h.making > 0 {
			return offer{}, false // one connection may do for all
		}
	}
	if p.makeRoom(h) {
		h.open++
		p.open++
		h.making++
		return offer{}, true
	}
	if c := h.leastUsed(); c != nil && !fresh {
		c.opening++
		return offer{conn: c, busy: true}, true
	}
	return offer{}, false
}

// makeRoom makes sure that the limits allow one more connection to h, at the
// cost of an idle one if need be.
func (p *Pool) makeRoom(h *host) bool {
	if limit := p.config.MaxPerHost; limit > 0 && h.open >= limit {
		if len(h.idle) == 0 {
			return false
		}
		p.evict(h.idle[0])
	}
	if limit := p.config.MaxConnections; limit > 0 && p.open >= limit {
		if p.idle.oldest == nil {
			return false
		}
		p.evict(p.idle.oldest)
	}
	return true
}

// confirm looks whether a connection that was idle still lives. While it looks,
// others wait for a shared one as if it were being made.
func (p *Pool) confirm(c *connection) bool {
	alive := c.Alive()
	if alive && c.mux == nil {
		return true
	}
	p.mu.Lock()
	defer p.unlock()
	if c.mux != nil {
		c.host.making--
	}
	if alive {
		c.host.shared = append(c.host.shared, c)
	} else {
		p.forget(c)
	}
	p.serve(c.host)
	return alive
}

// make makes a connection in the place that was reserved for it.
func (p *Pool) make(ctx *wait.Context, h *host) (*connection, error) {
	c, err := p.dial(ctx, h.origin)
	p.mu.Lock()
	defer p.unlock()
	if err != nil {
		p.vacate(h)
		p.fail(h, err)
	} else {
		h.making--
		c.host, c.opening = h, 1
		err = p.admit(c)
	}
	p.serve(h)
	p.prune(h)
	return c, err
}

// onlyHTTP1 reports whether an open connection shows that an origin speaks
// nothing else.
func (p *Pool) onlyHTTP1(o Origin) bool {
	o.WebSocket = false
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[o]
	return h != nil && h.open > h.making && !h.shareable
}

// admit takes a new connection into the pool, unless that was closed meanwhile.
func (p *Pool) admit(c *connection) error {
	if p.closed {
		p.forget(c)
		return ErrClosed
	}
	if p.config.Reuse {
		c.host.shareable = c.mux != nil
	}
	if c.host.shareable {
		c.host.shared = append(c.host.shared, c)
	}
	return nil
}

// released is told of the end of an exchange.
func (p *Pool) released(c *connection, reusable bool) {
	p.mu.Lock()
	defer p.unlock()
	p.settle(c, reusable)
}

// settle decides what becomes of a connection after an exchange.
func (p *Pool) settle(c *connection, reusable bool) {
	switch {
	case c.idle || c.forgotten:
		return
	case c.mux != nil && !c.unused():
		if !reusable {
			c.host.shared = without(c.host.shared, c)
		}
	case reusable && p.config.Reuse && !p.closed && !c.host.origin.WebSocket:
		p.keep(c)
	default:
		p.forget(c)
	}
	p.serve(c.host)
}

// forget strikes a connection out and has it closed.
func (p *Pool) forget(c *connection) {
	c.forgotten = true
	c.host.shared = without(c.host.shared, c)
	c.host.open--
	p.open--
	p.doomed = append(p.doomed, c)
}

// unlock closes what was struck out.
func (p *Pool) unlock() {
	doomed := p.doomed
	p.doomed = nil
	for _, c := range doomed {
		p.prune(c.host)
	}
	p.mu.Unlock()
	for _, c := range doomed {
		_ = c.Close()
	}
}

// Connections counts those that are open or being made.
func (p *Pool) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open
}

// Close closes the idle connections, and the others when their exchanges end.
// Nothing can be opened any more; who waits gets ErrClosed.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.unlock()
	p.closed = true
	p.evictAll()
	p.stopJanitor()
	for len(p.hungry) > 0 {
		h := p.hungry[0]
		for len(h.queue) > 0 {
			p.answer(h.queue[0], offer{err: ErrClosed})
		}
		p.prune(h)
	}
}
