package wait

import (
	"errors"
	"net"
	"testing"
	"time"
)

// forever is a channel that nobody closes.
var forever = make(chan struct{})

func phaseOf(t *testing.T, err error) Phase {
	t.Helper()
	var timeout *TimeoutError
	if !errors.As(err, &timeout) {
		t.Fatalf("%v is no timeout", err)
	}
	return timeout.Phase
}

// A wait ends when the limit of its phase passes, and the error names it.
func TestAwaitEndsAtTheLimitOfItsPhase(t *testing.T) {
	c := New(Limits{Read: 20 * time.Millisecond, Total: time.Minute}, nil)
	if phase := phaseOf(t, c.Await(forever, Read)); phase != Read {
		t.Errorf("ended by the %s limit", phase)
	}
	if c.Err() != nil {
		t.Errorf("a read limit ended the whole exchange: %v", c.Err())
	}
}

// The total limit ends a wait whose own limit is longer.
func TestTotalLimitBoundsEveryPhase(t *testing.T) {
	c := New(Limits{Read: time.Minute, Total: 20 * time.Millisecond}, nil)
	if phase := phaseOf(t, c.Await(forever, Read)); phase != Total {
		t.Errorf("ended by the %s limit", phase)
	}
	if phase := phaseOf(t, c.Err()); phase != Total {
		t.Errorf("the exchange ended by the %s limit", phase)
	}
}

// Without limits a wait goes on until it is ready.
func TestAwaitReturnsWhenReady(t *testing.T) {
	ready := make(chan struct{})
	go close(ready)
	if err := Background().Await(ready, Read); err != nil {
		t.Error(err)
	}
}

// Cancel from another goroutine ends a wait within two slices.
func TestCancelEndsAWait(t *testing.T) {
	c := Background()
	start := time.Now()
	go c.Cancel(ErrCancelled)
	if err := c.Await(forever, Read); !errors.Is(err, ErrCancelled) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took > 4*Tick {
		t.Errorf("took %v", took)
	}
}

// Only the first cause counts.
func TestFirstCauseHolds(t *testing.T) {
	c := Background()
	c.Cancel(ErrInterrupted)
	c.Cancel(ErrCancelled)
	if err := c.Err(); err != ErrInterrupted {
		t.Errorf("got %v", err)
	}
}

// A signal handler that raises ends the wait; one that does not lets it go on.
func TestSignalHandlersRunWhileWaiting(t *testing.T) {
	runs := 0
	c := New(Limits{}, func() bool { runs++; return runs == 2 })
	if err := c.Await(forever, Read); err != ErrInterrupted {
		t.Errorf("got %v", err)
	}
	if runs != 2 {
		t.Errorf("handlers ran %d times", runs)
	}
}

// A phase of several waits has one limit for all of them.
func TestWithinLimitsAWholePhase(t *testing.T) {
	parent := New(Limits{Connect: 20 * time.Millisecond, Total: time.Minute}, nil)
	child := parent.Within(Connect)
	if phase := phaseOf(t, child.Await(forever, Read)); phase != Connect {
		t.Errorf("ended by the %s limit", phase)
	}
	if parent.Err() != nil {
		t.Errorf("the parent ended too: %v", parent.Err())
	}
}

// Cancelling an exchange ends the phase it is in.
func TestWithinFollowsItsParent(t *testing.T) {
	parent := Background()
	child := parent.Within(Connect)
	parent.Cancel(ErrCancelled)
	if err := child.Await(forever, Connect); err != ErrCancelled {
		t.Errorf("got %v", err)
	}
}

// TLS and the HTTP/2 framer keep a connection after errors of a wait, because
// these are temporary to net.Error.
func TestErrorsOfAWaitAreTemporary(t *testing.T) {
	for _, err := range []error{ErrCancelled, ErrInterrupted, ErrWouldBlock, &TimeoutError{Read, time.Second}} {
		var temporary interface{ Temporary() bool }
		var network net.Error
		if !errors.As(err, &network) || !errors.As(err, &temporary) || !temporary.Temporary() || !IsStop(err) {
			t.Errorf("%v is not", err)
		}
	}
}

// Now never waits.
func TestNowDoesNotWait(t *testing.T) {
	if err := Now.Await(forever, Read); err != ErrWouldBlock {
		t.Errorf("got %v", err)
	}
}

// Cancel ends a prompt wait at once, also that of a child.
func TestCancelEndsAPromptWaitAtOnce(t *testing.T) {
	for range 20 {
		parent := NewPrompt(Limits{Total: time.Minute})
		child := parent.Within(Connect)
		start := time.Now()
		go parent.Cancel(ErrCancelled)
		if err := child.Await(forever, Read); err != ErrCancelled {
			t.Fatalf("got %v", err)
		}
		if took := time.Since(start); took > Tick/2 {
			t.Errorf("took %v", took)
		}
	}
}

type interrupted chan struct{}

func (i interrupted) Interrupt() { close(i) }

// Who arms a wait is interrupted by Cancel, and may not arm one afterwards.
func TestCancelInterruptsTheArmedWait(t *testing.T) {
	c := NewPrompt(Limits{})
	wait := make(interrupted)
	if !c.Arm(wait, time.Time{}) {
		t.Fatal("a wait could not begin")
	}
	c.Cancel(ErrCancelled)
	<-wait
	c.Disarm()
	if c.Arm(wait, time.Time{}) {
		t.Error("a wait began after the end")
	}
}

// The limits of a prompt context hold.
func TestPromptWaitsObeyLimits(t *testing.T) {
	c := NewPrompt(Limits{Read: 20 * time.Millisecond})
	if phase := phaseOf(t, c.Await(forever, Read)); phase != Read {
		t.Errorf("ended by the %s limit", phase)
	}
	child := c.Before(time.Now().Add(time.Millisecond), &TimeoutError{Phase: Write})
	if phase := phaseOf(t, child.Await(forever, Total)); phase != Write {
		t.Errorf("ended by the %s limit", phase)
	}
}
