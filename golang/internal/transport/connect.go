package transport

import (
	"sync/atomic"
	"time"

	"github.com/cycletls/cycletls/golang/internal/fingerprint"
	"github.com/cycletls/cycletls/golang/internal/http1"
	"github.com/cycletls/cycletls/golang/internal/http2"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// lastID numbers the connections of the library.
var lastID atomic.Uint64

// dial makes a connection to an origin: look-up, TCP, the way through a proxy, TLS
// and what the server chose to speak. All of it happens within the limit for connecting.
func (p *Pool) dial(ctx *wait.Context, o Origin) (*connection, error) {
	ctx = ctx.Within(wait.Connect)
	began := time.Now()
	raw, looked, err := p.reach(ctx, o)
	if err != nil {
		return nil, err
	}
	c := &connection{first: message.Connection{
		ID:         lastID.Add(1),
		Protocol:   "http/1.1",
		RemoteAddr: raw.RemoteAddr().String(),
		LocalAddr:  raw.LocalAddr().String(),
		DNS:        looked,
		Connect:    time.Since(began) - looked,
	}}
	conn := raw
	if o.Scheme == "https" {
		if conn, err = p.secure(ctx, c, raw, o); err != nil {
			_ = raw.Close()
			return nil, err
		}
	}
	p.speak(c, conn)
	return c, nil
}

// secure speaks TLS over raw and notes what was agreed.
func (p *Pool) secure(ctx *wait.Context, c *connection, raw wait.Conn, o Origin) (wait.Conn, error) {
	began := time.Now()
	conn, agreed, err := p.tls.handshakeWith(ctx, raw, o, p.offer(o))
	if err != nil {
		return nil, err
	}
	c.first.TLS = agreed
	c.first.Handshake = time.Since(began)
	if agreed.ALPN != "" {
		c.first.Protocol = agreed.ALPN
	}
	return conn, nil
}

// offer says what the ClientHello of a connection depends on.
func (p *Pool) offer(o Origin) fingerprint.HelloOptions {
	offer := p.tls.offer()
	if o.WebSocket {
		offer = p.config.Profile.ForWebSocket(offer, p.onlyHTTP1(o))
	}
	return offer
}

// speak puts the protocol that was agreed on top of a connection.
func (p *Pool) speak(c *connection, conn wait.Conn) {
	c.again = c.first
	c.again.Reused = true
	c.again.DNS, c.again.Connect, c.again.Handshake = 0, 0, 0
	if c.first.Protocol == "h2" {
		h2 := http2.NewConn(conn, p.config.HTTP2)
		h2.OnIdle(func(_ *http2.Conn, reusable bool) { p.released(c, reusable) })
		c.protocol, c.mux = h2, h2
		return
	}
	h1 := http1.NewConn(conn, p.config.HTTP1)
	h1.OnIdle(func(_ *http1.Conn, reusable bool) { p.released(c, reusable) })
	c.protocol = h1
}
