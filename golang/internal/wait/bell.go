package wait

import "time"

// Bell wakes one exchange that waits for it. The zero value is ready for Reset.
//
// An exchange on the host's thread waits in the kernel by itself where that can
// be (thread), one in a goroutine of its own on a channel.
type Bell struct {
	thread thread
	rung   chan struct{} // nil: thread is rung
}

// Reset forgets a ring. Call it before Await, when nobody can mean that wait yet.
func (b *Bell) Reset(ctx *Context) {
	if canSleep && !ctx.prompt {
		b.thread.reset()
		return
	}
	if b.rung == nil {
		b.rung = make(chan struct{}, 1)
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
	select {
	case b.rung <- struct{}{}:
	default: // it was rung
	}
}

// Await waits for a ring, so long at most. It may return for no reason: a signal
// is one, and its handlers want to run.
func (b *Bell) Await(ctx *Context, limit time.Duration) {
	if b.rung == nil {
		b.thread.sleep(limit)
		return
	}
	var stopped <-chan struct{}
	if ctx.prompt {
		stopped = ctx.root().cancelled()
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-b.rung:
	case <-stopped:
	case <-timer.C:
	}
}
