package wait

import "time"

// Bell wakes one exchange that waits for it. The zero value is ready for Reset.
//
// An exchange on the host's thread waits in the kernel by itself where that can
// be (thread), one in a goroutine of its own on a channel.
type Bell struct {
	thread thread
	rung   signal // nil: thread is rung
}

// Reset forgets a ring. Call it before Await, when nobody can mean that wait yet.
func (b *Bell) Reset(ctx *Context) {
	if canSleep && !ctx.prompt {
		b.thread.reset()
		return
	}
	if b.rung == nil {
		b.rung = make(signal, 1)
	}
	select {
	case <-b.rung:
	default:
	}
}

// Ring ends the wait under way, or the next one.
func (b *Bell) Ring() {
	if b.rung == nil {
		b.thread.wake()
		return
	}
	b.rung.Interrupt()
}

// Await waits for a ring until then at most (zero: for ever), where the context is
// not prompt for a slice. It may return for no reason: a signal is one, and its
// handlers want to run.
func (b *Bell) Await(ctx *Context, until time.Time) {
	limit := max(time.Millisecond, Slice(until))
	switch {
	case b.rung == nil:
		b.thread.sleep(limit)
	case ctx.prompt:
		if ctx.Arm(b.rung, until) {
			<-b.rung
			ctx.Disarm()
		}
	default:
		timer := time.NewTimer(limit)
		defer timer.Stop()
		select {
		case <-b.rung:
		case <-timer.C:
		}
	}
}
