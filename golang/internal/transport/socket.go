package transport

import (
	"errors"
	"os"
	"sync/atomic"
	"time"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

// forever is the binding of a connection that works for nobody in particular.
var forever = wait.Background()

// beat is how long a connection sleeps at a time, and how long it goes on without
// asking its exchange: half a Tick, so that both together make no more than one.
const beat = wait.Tick / 2

// flow is one direction of a connection: the exchange that it works for, and
// when that was last asked whether it must end. Asking runs the host's signal
// handlers, which costs too much for every call, and a peer that drips bytes
// must not put it off for ever: so it is done once a beat.
type flow struct {
	ctx   *wait.Context
	phase wait.Phase
	asked time.Time
	calls uint32 // since the clock was last looked at
}

// lookEvery is how many calls that found something to do pass between two looks
// at the clock: a look costs a tenth of a small read.
const lookEvery = 16

// bind hands the direction to an exchange; nil waits for ever.
func (f *flow) bind(ctx *wait.Context) {
	if ctx == nil {
		ctx = forever
	}
	f.ctx = ctx
}

// begin is called before every operation, so that a peer which never lets us
// wait cannot outlive the exchange's limits either.
func (f *flow) begin() error {
	if f.calls++; f.calls < lookEvery {
		return nil
	}
	return f.ask(time.Now())
}

// ask returns why the exchange must end, where that has not been asked for a
// beat.
func (f *flow) ask(now time.Time) error {
	f.calls = 0
	if f.ctx.Never() || now.Sub(f.asked) < beat {
		return nil
	}
	f.asked = now
	return f.ctx.Check()
}

// pause is one wait of a flow, made of slices.
type pause struct {
	*flow
	until time.Time
	why   *wait.TimeoutError
}

// slice returns how long to sleep now, a beat at most, or why the wait is over.
func (p *pause) slice() (time.Duration, error) {
	if p.ctx.Never() {
		return 0, wait.ErrWouldBlock
	}
	now := time.Now()
	if err := p.ask(now); err != nil {
		return 0, err
	}
	if p.why == nil {
		p.until, p.why = p.ctx.Until(p.phase)
	}
	if p.why == nil {
		return beat, nil
	}
	if !now.Before(p.until) {
		return 0, p.why
	}
	return min(beat, p.until.Sub(now)), nil
}

// prompt is one direction of a connection on Go's network poller, for whole waits:
// they have no deadline, and are interrupted by one.
type prompt struct {
	setDeadline func(time.Time) error
	due         atomic.Bool // there is a deadline that was set for an earlier wait
}

// await has operate wait, as long as ctx allows: it returns os.ErrDeadlineExceeded when
// it is interrupted.
func (d *prompt) await(ctx *wait.Context, phase wait.Phase, operate func() error) error {
	until, why := ctx.Until(phase)
	for {
		if d.due.Swap(false) {
			_ = d.setDeadline(time.Time{})
		}
		if !ctx.Arm(d, until) {
			return ctx.Err()
		}
		err := operate()
		ctx.Disarm()
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		if err := ctx.Expired(until, why); err != nil {
			return err
		}
	}
}

// Interrupt implements wait.Interrupter.
func (d *prompt) Interrupt() {
	d.due.Store(true)
	_ = d.setDeadline(past)
}

// past is a deadline that has passed.
var past = time.Unix(1, 0)
