package wait

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// awaitTurn waits until it is somebody's turn.
func awaitTurn(t *testing.T, ctx *Context, b *Bell, turn *atomic.Int32, whose int32) {
	for {
		b.Reset(ctx)
		if turn.Load() == whose {
			return
		}
		start := time.Now()
		b.Await(ctx, time.Now().Add(time.Minute))
		if time.Since(start) > 50*time.Second {
			t.Error("a ring was lost")
			return
		}
	}
}

// Every ring ends the wait that it was meant for, whoever is first.
func TestRingEndsAWait(t *testing.T) {
	t.Run("of a thread", func(t *testing.T) { testRings(t, Background()) })
	t.Run("of a goroutine", func(t *testing.T) { testRings(t, NewPrompt(Limits{})) })
}

func testRings(t *testing.T, ctx *Context) {
	var bells [2]Bell
	var turn atomic.Int32
	var group sync.WaitGroup
	bells[0].Reset(ctx)
	bells[1].Reset(ctx)
	for me := range int32(2) {
		group.Go(func() {
			for range 1000 {
				awaitTurn(t, ctx, &bells[me], &turn, me)
				turn.Store(1 - me)
				bells[1-me].Ring()
			}
		})
	}
	group.Wait()
}

// A ring before the wait counts, and one that was forgotten does not.
func TestRingBeforeTheWaitCounts(t *testing.T) {
	ctx := Background()
	var b Bell
	b.Reset(ctx)
	b.Ring()
	b.Ring()
	start := time.Now()
	if b.Await(ctx, time.Now().Add(time.Minute)); time.Since(start) > 50*time.Second {
		t.Error("the ring was lost")
	}
	b.Reset(ctx)
	for range 10 { // it may return early
		start = time.Now()
		if b.Await(ctx, time.Now().Add(20*time.Millisecond)); time.Since(start) >= 20*time.Millisecond {
			return
		}
	}
	t.Error("a ring that was forgotten ended the wait")
}
