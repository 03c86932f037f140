package wait

import (
	"sync/atomic"
	"time"
)

// Bell wakes one exchange that waits for it. The zero value is ready for Reset.
//
// An exchange on the host's thread waits in the kernel by itself where that can
// be (thread), one in a goroutine of its own on a channel, a guest in its hall.
type Bell struct {
	thread thread
	rung   atomic.Pointer[signal]  // nil: thread is rung
	guest  atomic.Pointer[Context] // nil: nobody waits in a hall
}

// Call has the bell wake a guest, who does not wait for it.
func (b *Bell) Call(guest *Context) { b.guest.Store(guest) }

// Reset forgets a ring. Call it before Await, when nobody can mean that wait yet.
func (b *Bell) Reset(ctx *Context) {
	b.guest.Store(nil)
	if canSleep && !ctx.prompt {
		b.thread.reset()
		return
	}
	rung := b.rung.Load()
	if rung == nil { // atomic: who rang a guest may be late, and see this
		made := make(signal, 1)
		rung = &made
		b.rung.Store(rung)
	}
	select {
	case <-*rung:
	default:
	}
}

// Ring ends the wait under way, or the next one.
func (b *Bell) Ring() {
	if guest := b.guest.Load(); guest != nil {
		guest.Wake()
		return
	}
	rung := b.rung.Load()
	if rung == nil {
		b.thread.wake()
		return
	}
	rung.Interrupt()
}

// Await waits for a ring until then at most (zero: for ever), where the context is
// not prompt for a slice. It may return for no reason: a signal is one, and its
// handlers want to run.
func (b *Bell) Await(ctx *Context, until time.Time) {
	limit := max(time.Millisecond, Slice(until))
	rung := b.rung.Load()
	switch {
	case rung == nil:
		b.thread.sleep(limit)
	case ctx.prompt:
		if ctx.Arm(*rung, until) {
			<-*rung
			ctx.Disarm()
		}
	default:
		timer := time.NewTimer(limit)
		defer timer.Stop()
		select {
		case <-*rung:
		case <-timer.C:
		}
	}
}
