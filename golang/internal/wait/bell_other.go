//go:build !linux

package wait

import "time"

// Bell wakes one thread that waits for it. The zero value is ready for Reset.
type Bell struct{ rung chan struct{} }

// Reset forgets a ring. Call it before Await, when nobody can mean that wait yet.
func (b *Bell) Reset() {
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
	select {
	case b.rung <- struct{}{}:
	default: // it was rung
	}
}

// Await waits for a ring, so long at most. It may return for no reason.
func (b *Bell) Await(limit time.Duration) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-b.rung:
	case <-timer.C:
	}
}
