// Package websocket is one end of a WebSocket connection (RFC 6455), compressed
// where both sides agree (RFC 7692), after and before any transport: who opens
// the connection gives a wait.Duplex and what the handshake agreed on.
//
// A connection has no goroutine of its own. One goroutine receives while another
// sends, each under its own wait.Context; a wait that ends early loses nothing:
// what came of a message stays for the next Receive, what is left of a frame
// leaves in front of the next. Who receives also answers pings and the closing
// handshake, and never waits for room to send: the peer may be waiting for us to
// receive.
package websocket

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

// Config is what one end of a connection is. Limits of zero mean none.
type Config struct {
	Server     bool     // which end: a client masks what it sends
	Deflate    *Deflate // nil: not compressed
	MaxMessage int64    // bounds a message, before and after it is expanded
	// MaxExpansion is how many times its size a message may expand to that expands to
	// more than ExpansionFloor.
	MaxExpansion   float64
	ExpansionFloor int64
	// PingInterval is between two pings of ours, PingTimeout how long the peer may
	// take to send anything after one.
	PingInterval, PingTimeout time.Duration
}

// Conn is one end of an open connection.
type Conn struct {
	t   wait.Duplex
	cfg Config

	receiving token
	receiver

	sending token // who has it may write
	sender

	mu    sync.Mutex // guards what follows, and what sender says
	ended error      // nothing more comes: *CloseError
	told  *CloseError
	// A ping that came and is to be answered; only the latest has to be (RFC 6455
	// section 5.5.3).
	pong    []byte
	pongDue bool
	timer   *time.Timer // of pings

	pinged, heard atomic.Int64 // when; Unix nanoseconds
	closeOnce     sync.Once
}

// New takes over a transport on which the handshake is done.
func New(t wait.Duplex, cfg Config) *Conn {
	c := &Conn{t: t, cfg: cfg, receiving: newToken(), sending: newToken()}
	if d := cfg.Deflate; d != nil {
		bits, takeover := d.sending(cfg.Server)
		c.deflater = &deflater{bits: bits, takeover: takeover}
		bits, takeover = d.sending(!cfg.Server)
		c.inflater = &inflater{size: 1 << bits, takeover: takeover}
	}
	c.startPings()
	return c
}

var (
	// ErrReceiving: two goroutines want the next message.
	ErrReceiving = errors.New("another receive is under way on this WebSocket")
	errShut      = &CloseError{Code: Abnormal, Local: true}
)

// token is a lock that can be waited for within limits.
type token chan struct{}

func newToken() token {
	t := make(token, 1)
	t <- struct{}{}
	return t
}

func (t token) try() bool {
	select {
	case <-t:
		return true
	default:
		return false
	}
}

func (t token) release() { t <- struct{}{} }

// Ended returns how the connection ended, or nil.
func (c *Conn) Ended() *CloseError {
	c.mu.Lock()
	defer c.mu.Unlock()
	ended, _ := c.ended.(*CloseError)
	return ended
}

// end notes how the connection ended; the first call counts.
func (c *Conn) end(how *CloseError) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended == nil {
		c.ended = how
		c.stopPings()
	}
	return c.ended
}

// Shut ends the connection without a word. A wait under way ends, too.
func (c *Conn) Shut() error {
	_ = c.end(errShut)
	var err error
	c.closeOnce.Do(func() { err = c.t.Close() })
	return err
}

// linger is how long a client waits for the server to end the connection beneath
// once both have said goodbye (RFC 6455 section 7.1.1).
const linger = time.Second

// Close says goodbye, unless that has been done, and waits for the peer's answer
// as long as ctx allows; what it still sends is dropped. Then it ends the
// connection, come what may. Closing twice is harmless.
func (c *Conn) Close(ctx *wait.Context, code uint16, reason string) error {
	payload, err := closePayload(code, reason)
	if err != nil {
		return err
	}
	defer c.Shut()
	if c.Ended() == nil {
		if err := c.goodbye(ctx, &CloseError{Code: code, Reason: reason, Local: true}, payload); err != nil {
			return err
		}
	}
	if err := ctx.Await(c.receiving, wait.Read); err != nil {
		return err
	}
	defer c.receiving.release()
	for {
		if _, _, err := c.receive(ctx); err != nil {
			return c.farewell(ctx, err)
		}
	}
}

// farewell ends a Close whose last receive came to err.
func (c *Conn) farewell(ctx *wait.Context, err error) error {
	var how *CloseError
	if !errors.As(err, &how) {
		return err
	}
	if !c.cfg.Server && how.Cause == nil {
		c.awaitEnd(ctx)
	}
	return nil
}

// awaitEnd lets the server be the one to end the connection.
func (c *Conn) awaitEnd(ctx *wait.Context) {
	c.t.SetReadContext(ctx.Part(linger))
	for {
		if _, err := c.t.Read(c.in.memory()); err != nil {
			return
		}
	}
}
