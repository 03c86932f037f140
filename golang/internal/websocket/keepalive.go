package websocket

import (
	"time"

	"github.com/cycletls/cycletls/golang/internal/fault"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// unanswered is a peer that was silent for too long.
var unanswered = &CloseError{
	Code: InternalError, Reason: "no answer to a ping", Local: true,
	Cause: &message.ClosedError{While: "waiting for the answer to a ping"},
}

// startPings has pings sent from time to time, whatever the user does meanwhile.
func (c *Conn) startPings() {
	if c.cfg.PingInterval <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer = time.AfterFunc(c.cfg.PingInterval, c.beat)
}

// stopPings is called with Conn.mu.
func (c *Conn) stopPings() {
	if c.timer != nil {
		c.timer.Stop()
	}
}

// beat sends a ping, unless the last one was not answered: whether that is too
// long ago is for who receives to say, because the answer may be there unread.
func (c *Conn) beat() {
	defer fault.Survive() // a timer's goroutine
	c.mu.Lock()
	if c.over() != nil {
		c.mu.Unlock()
		return
	}
	if c.pinged.Load() <= c.heard.Load() && len(c.out) == 0 {
		c.frame(&header{fin: true, opcode: Ping}, nil)
		c.pinged.Store(time.Now().UnixNano())
	}
	c.timer.Reset(c.cfg.PingInterval)
	c.mu.Unlock()
	c.answer()
}

// hear takes note of a sign of life.
func (c *Conn) hear() {
	if c.cfg.PingInterval > 0 {
		c.heard.Store(time.Now().UnixNano())
	}
}

// due returns when an answer must have come, if none comes before.
func (c *Conn) due() time.Time {
	if pinged := c.pinged.Load(); pinged > c.heard.Load() {
		return time.Unix(0, pinged).Add(c.cfg.PingTimeout)
	}
	return time.Now().Add(c.cfg.PingInterval + c.cfg.PingTimeout)
}

// silent reports whether the answer to a ping is overdue.
func (c *Conn) silent() bool {
	pinged := c.pinged.Load()
	return c.cfg.PingTimeout > 0 && pinged > c.heard.Load() && time.Since(time.Unix(0, pinged)) >= c.cfg.PingTimeout
}

// part returns the context of the next read: that of the wait where nothing is to
// be done before something comes.
func (c *Conn) part(w *waiting) *wait.Context {
	limit := time.Duration(-1)
	switch {
	case w.ctx.Never():
		return w.ctx
	case c.Unsent():
		limit = wait.Tick
	case c.cfg.PingTimeout > 0 && c.cfg.PingInterval > 0:
		limit = max(0, time.Until(c.due()))
	}
	if w.begun && w.why != nil {
		// A read would have the time of the whole wait again.
		left := max(0, time.Until(w.until))
		if limit < 0 || left < limit {
			limit = left
		}
	}
	switch {
	case limit < 0:
		return w.ctx
	case limit == 0:
		return wait.Now
	}
	return w.ctx.Part(limit)
}
