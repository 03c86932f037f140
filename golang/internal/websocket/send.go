package websocket

import (
	"errors"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

// maxIdleBuffer is the memory that a connection keeps between two messages.
const maxIdleBuffer = 1 << 20

// sender is the sending side of a connection. out belongs to Conn.mu, the rest to
// who has the token.
type sender struct {
	out   []byte // frames to be sent
	spare []byte // memory of a buffer that was sent
	// held: a write ended early and the layer beneath keeps some of it, which the
	// next one sends first.
	held     bool
	keys     keys
	deflater *deflater // nil: not agreed on
}

// Send sends a message. When its wait ends early, the message may have left in
// part, and its rest leaves before whatever is sent next.
func (c *Conn) Send(ctx *wait.Context, opcode Opcode, p []byte) error {
	if opcode != Text && opcode != Binary {
		return errors.New("websocket: only text and binary messages can be sent")
	}
	if err := c.acquire(ctx); err != nil {
		return err
	}
	h := header{fin: true, opcode: opcode}
	if c.deflater != nil {
		p, h.rsv1 = c.deflater.compress(p), true
	}
	return c.send(ctx, &h, p, nil)
}

// TrySend is Send that does not wait: false says that nothing was taken because
// there is no room yet. Where only a part could be written, Flush waits for the
// rest, which err says as wait.ErrWouldBlock. It sends pings, too.
func (c *Conn) TrySend(opcode Opcode, p []byte) (taken bool, err error) {
	if opcode.control() && len(p) > maxControl {
		return false, errLongPing
	}
	if !c.sending.try() {
		return false, nil
	}
	if c.Unsent() {
		if err := c.flush(wait.Now); err != nil || !c.sending.try() {
			return false, unlessStopped(err)
		}
	}
	h := header{fin: true, opcode: opcode}
	if c.deflater != nil && !opcode.control() {
		p, h.rsv1 = c.deflater.compress(p), true
	}
	return true, c.send(wait.Now, &h, p, nil)
}

func unlessStopped(err error) error {
	if err != nil && wait.IsStop(err) {
		return nil
	}
	return err
}

// Flush waits until all that was taken is written.
func (c *Conn) Flush(ctx *wait.Context) error {
	if err := c.acquire(ctx); err != nil {
		return err
	}
	return c.flush(ctx)
}

// Ping sends a ping; what comes back counts for PingTimeout alone.
func (c *Conn) Ping(ctx *wait.Context, p []byte) error {
	if len(p) > maxControl {
		return errLongPing
	}
	if err := c.acquire(ctx); err != nil {
		return err
	}
	return c.send(ctx, &header{fin: true, opcode: Ping}, p, nil)
}

var errLongPing = &CodeError{"a ping carries 125 bytes at most"}

// goodbye sends a Close frame, once.
func (c *Conn) goodbye(ctx *wait.Context, how *CloseError, payload []byte) error {
	if err := c.acquire(ctx); err != nil {
		return err
	}
	err := c.send(ctx, &header{fin: true, opcode: Close}, payload, how)
	var closed *CloseError
	if errors.As(err, &closed) && closed.Cause == nil {
		return nil // it had been said
	}
	return err
}

// acquire takes the token, and sends first what an earlier call left.
func (c *Conn) acquire(ctx *wait.Context) error {
	for {
		if !c.sending.try() {
			if err := ctx.Await(c.sending, wait.Write); err != nil {
				return err
			}
		}
		if !c.Unsent() {
			return nil
		}
		if err := c.flush(ctx); err != nil {
			return err
		}
	}
}

// send sends a frame, and notes that it says goodbye. The caller has the token,
// which is given back.
func (c *Conn) send(ctx *wait.Context, h *header, p []byte, told *CloseError) error {
	c.mu.Lock()
	if err := c.over(); err != nil {
		c.sending.release()
		c.mu.Unlock()
		return err
	}
	c.told = told
	c.frame(h, p)
	c.mu.Unlock()
	return c.flush(ctx)
}

// tell says goodbye because of something that the peer did, without waiting for
// room.
func (c *Conn) tell(how *CloseError, payload []byte) {
	c.mu.Lock()
	if c.over() == nil {
		c.told = how
		c.frame(&header{fin: true, opcode: Close}, payload)
	}
	c.mu.Unlock()
	c.answer()
}

// over says why nothing more can be sent.
func (c *Conn) over() error {
	if c.ended != nil {
		return c.ended
	}
	if c.told != nil {
		return c.told
	}
	return nil
}

// Unsent reports whether something waits to be sent.
func (c *Conn) Unsent() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.out) > 0 || c.held || c.pongDue
}

// frame appends a frame; Conn.mu is held.
func (c *Conn) frame(h *header, p []byte) {
	h.length = int64(len(p))
	if h.masked = !c.cfg.Server; h.masked {
		h.mask = c.keys.next()
	}
	c.out = appendHeader(c.out, h)
	c.out = append(c.out, p...)
	if h.masked {
		mask(c.out[len(c.out)-len(p):], h.mask, 0)
	}
}

// answer lets the pong that is due leave, and what else waits, without waiting for
// room. Who is sending takes it along.
func (c *Conn) answer() {
	c.mu.Lock()
	mine := (len(c.out) > 0 || c.held || c.pongDue) && c.sending.try()
	c.mu.Unlock()
	if mine {
		_ = c.flush(wait.Now)
	}
}

// flush writes until nothing waits to be sent, and gives the token back, which
// the caller has.
func (c *Conn) flush(ctx *wait.Context) error {
	for {
		c.mu.Lock()
		if c.pongDue && len(c.out) == 0 && !c.held {
			c.pongDue = false
			if c.told == nil {
				c.frame(&header{fin: true, opcode: Pong}, c.pong)
			}
		}
		if len(c.out) == 0 && !c.held {
			c.rest()
			c.sending.release()
			c.mu.Unlock()
			return nil
		}
		batch := c.out
		c.out, c.spare = c.spare[:0], nil
		c.mu.Unlock()
		c.t.SetWriteContext(ctx)
		n, err := c.t.Write(batch)
		c.mu.Lock()
		c.wrote(batch, n, err)
		if err != nil {
			c.sending.release()
		}
		c.mu.Unlock()
		if err != nil {
			return c.unable(err)
		}
	}
}

// wrote puts what a write left in front of what came meanwhile.
func (c *Conn) wrote(batch []byte, n int, err error) {
	c.held = err != nil
	if n < len(batch) {
		rest := append(batch[:0], batch[n:]...)
		c.out, c.spare = append(rest, c.out...), c.out
		return
	}
	c.spare = batch
}

// rest gives up the memory of large messages.
func (c *Conn) rest() {
	if cap(c.out) > maxIdleBuffer {
		c.out = nil
	}
	if cap(c.spare) > maxIdleBuffer {
		c.spare = nil
	}
	if c.deflater != nil {
		c.deflater.shrink()
	}
}

// unable tells what a failed write means. What the peer said before is still
// there to be received, so that the connection has not ended yet.
func (c *Conn) unable(err error) error {
	if wait.IsStop(err) {
		return err
	}
	if ended := c.Ended(); ended != nil {
		return ended
	}
	return &CloseError{Code: Abnormal, Cause: err}
}
