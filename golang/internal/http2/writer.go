package http2

import (
	"time"

	"github.com/cycletls/cycletls/golang/internal/hpack"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// highWater is how much may wait to be sent before bodies must.
const highWater = 256 << 10

// writer is the sending side of a connection; Conn.mu guards it.
type writer struct {
	enc      *hpack.Encoder
	block    []byte   // a header block being encoded
	out      []byte   // frames to be sent
	cuts     []uint64 // places where a write ends, in order
	spare    []byte   // memory of a buffer that was sent
	base     uint64   // place of out in all that was ever to be sent
	written  uint64   // how much of that was sent
	flushing bool     // somebody is sending
	// held: a write ended early and the layer beneath keeps some of it, which
	// the next one sends first.
	held   bool
	broken error // why sending no longer works
}

// place is where the next frame will be in all that was ever to be sent.
func (w *writer) place() uint64 { return w.base + uint64(len(w.out)) }

// cut ends a write here. With TLS each has a record of its own, and browsers send
// one for the preface with what follows it, for each HEADERS with its
// WINDOW_UPDATE, and for each DATA frame (measured, Chromium 156 and Firefox 153).
func (w *writer) cut() { w.cuts = append(w.cuts, w.place()) }

// pending reports whether there is anything to send and nobody to do it.
func (w *writer) pending() bool {
	return (len(w.out) > 0 || w.held) && !w.flushing && w.broken == nil
}

// flush sends what there is, as long as ctx lets it wait; c.mu is held, but not
// while it sends. When somebody else is sending it does nothing: that one takes
// ours along.
func (c *Conn) flush(ctx *wait.Context) error {
	if c.err != nil || !c.pending() {
		return nil
	}
	c.flushing = true
	err := c.sendAll(ctx)
	c.flushing = false
	c.wakeReady()
	return err
}

func (c *Conn) sendAll(ctx *wait.Context) error {
	for c.err == nil && c.broken == nil && (len(c.out) > 0 || c.held) {
		err := c.send(wait.Now)
		if err != nil && !wait.IsStop(err) {
			c.cannotSend(err)
		} else if err != nil {
			if ctx.Never() {
				return nil
			}
			if err := c.sendSlowly(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// sendSlowly waits for room in the connection. Nobody may be reading, and the
// peer may be waiting for that: so it looks at what came, too.
func (c *Conn) sendSlowly(ctx *wait.Context) error {
	until, why := ctx.Until(wait.Write)
	for c.err == nil {
		c.look()
		before := c.written
		err := c.send(slice(until))
		switch {
		case err == nil:
			return nil
		case !wait.IsStop(err):
			c.cannotSend(err)
			return nil
		case c.written > before:
			until, why = ctx.Until(wait.Write)
		}
		if err := ctx.Expired(until, why); err != nil {
			return err
		}
	}
	return nil
}

// send writes what there is, once; what is left stays in front of the rest.
func (c *Conn) send(ctx *wait.Context) error {
	batch, base, cuts := c.out, c.base, c.cuts
	c.out, c.spare = c.spare[:0], nil
	c.base += uint64(len(batch))
	c.release()
	c.nc.SetWriteContext(ctx)
	n, err := c.write(batch, base, cuts)
	c.mu.Lock()
	c.written += uint64(n)
	c.dropCuts(base + uint64(n))
	c.held = err != nil
	if n < len(batch) {
		rest := append(batch[:0], batch[n:]...)
		c.base -= uint64(len(rest))
		c.out, c.spare = append(rest, c.out...), c.out
	} else {
		c.spare = batch
	}
	return err
}

// write sends a batch that begins at base, cut where it is to be; c.mu is not held,
// and others only append to cuts.
func (c *Conn) write(batch []byte, base uint64, cuts []uint64) (n int, err error) {
	g, ok := c.nc.(wait.Gatherer)
	if !ok || len(cuts) == 0 || int(cuts[0]-base) >= len(batch) {
		return c.writeCut(batch, base, cuts)
	}
	return g.Gather(func() (int, error) { return c.writeCut(batch, base, cuts) })
}

func (c *Conn) writeCut(batch []byte, base uint64, cuts []uint64) (n int, err error) {
	for _, place := range cuts {
		end := int(place - base)
		if end >= len(batch) {
			break
		}
		written, err := c.nc.Write(batch[n:end])
		if n += written; err != nil {
			return n, err
		}
	}
	written, err := c.nc.Write(batch[n:])
	return n + written, err
}

// dropCuts forgets the cuts up to a place.
func (w *writer) dropCuts(place uint64) {
	done := 0
	for done < len(w.cuts) && w.cuts[done] <= place {
		done++
	}
	w.cuts = append(w.cuts[:0], w.cuts[done:]...)
}

// cannotSend notes that the peer takes no more. What it sent before may still
// be there, a response among it, so reading goes on to its end.
func (c *Conn) cannotSend(cause error) {
	c.broken = cause
	c.out = nil
	if c.leading {
		return // that one will see the end
	}
	c.look()
	c.lost("writing the request", cause)
}

// slice is a context for one slice of a wait that must end at until.
func slice(until time.Time) *wait.Context {
	return wait.New(wait.Limits{wait.Total: max(time.Millisecond, wait.Slice(until))}, nil)
}

// restMemory gives up what a bulk transfer needed.
func (c *Conn) restMemory() {
	if cap(c.spare) > minBuffer {
		c.spare = nil
	}
	if cap(c.out) > minBuffer && len(c.out) == 0 {
		c.out = nil
	}
	if !c.leading {
		c.in.rest()
	}
}
