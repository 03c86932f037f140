// Package wait is what an exchange obeys while it waits: its time limits, its
// cancellation and the signals of the host program.
//
// An exchange runs on the thread that called from Python. Nothing may block
// that thread for long, so every wait is a loop of slices: sleep until there is
// something to do or Tick has passed, then Check. Check is where a cancelled
// exchange, a passed deadline and a Ctrl-C are noticed.
package wait

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Tick bounds one slice of a wait. Ctrl-C must be seen within 100 ms, and one
// signal in fifteen does not interrupt poll(2) (measured), so half of that.
const Tick = 50 * time.Millisecond

// Phase is what an exchange waits for; each can have a limit of its own.
type Phase int

const (
	Total   Phase = iota // the whole exchange, redirects and retries included
	Pool                 // a free connection slot
	Connect              // name look-up, TCP and TLS handshakes
	Write                // room for more bytes of the request
	Read                 // more bytes of the response
	phases
)

var phaseNames = [phases]string{"total", "pool", "connect", "write", "read"}

func (p Phase) String() string { return phaseNames[p] }

// Limits are the time limits of an exchange by phase; 0 means none. Total runs
// from New, the others anew for every wait.
type Limits [phases]time.Duration

// TimeoutError is a limit that passed.
type TimeoutError struct {
	Phase Phase
	Limit time.Duration
}

func (e *TimeoutError) Error() string {
	return e.Phase.String() + " timeout of " + e.Limit.String() + " passed"
}

// Timeout and Temporary make it a net.Error. TLS keeps a connection usable only
// after errors that call themselves temporary, and an HTTP/2 connection must
// outlive the exchange that waited on it.
func (*TimeoutError) Timeout() bool   { return true }
func (*TimeoutError) Temporary() bool { return true }
func (*TimeoutError) Is(target error) bool {
	return target == context.DeadlineExceeded
}

type stopError struct {
	text string
	is   error
}

func (e *stopError) Error() string        { return e.text }
func (*stopError) Timeout() bool          { return false }
func (*stopError) Temporary() bool        { return true }
func (e *stopError) Is(target error) bool { return target == e.is }

var (
	// ErrCancelled: the caller gave the exchange up.
	ErrCancelled error = &stopError{"cancelled", context.Canceled}
	// ErrInterrupted: a signal handler of the host raised.
	ErrInterrupted error = &stopError{"interrupted by a signal", context.Canceled}
	// ErrWouldBlock: there is nothing to read and Now does not wait.
	ErrWouldBlock error = &stopError{"nothing there yet", nil}
)

// Context belongs to one exchange. It is a context.Context, so that dialling
// and name look-ups can run in goroutines of their own; the engine itself asks
// Check. Cancel may be called from any goroutine, the rest by one at a time.
type Context struct {
	parent   *Context // of a phase: see Within
	limits   Limits
	start    time.Time
	deadline time.Time     // zero: none
	why      *TimeoutError // what passes at deadline
	// signals runs the host's signal handlers; it is set when the wait is on
	// the host's main thread and reports true when one of them raised.
	signals func() bool
	now     bool // never wait: see Now

	stopped atomic.Pointer[error]

	mu     sync.Mutex
	done   chan struct{} // made when asked for
	closed bool          // done is
	stops  []func() bool
}

var _ context.Context = (*Context)(nil)

// New starts the clock of an exchange. signals may be nil.
func New(limits Limits, signals func() bool) *Context {
	c := &Context{limits: limits, start: time.Now(), signals: signals}
	if limits[Total] > 0 {
		c.deadline = c.start.Add(limits[Total])
		c.why = &TimeoutError{Total, limits[Total]}
	}
	return c
}

// Now is a context that never waits: a read that finds nothing returns
// ErrWouldBlock. It serves the check of a pooled connection before its reuse.
var Now = &Context{now: true}

// Background waits for ever.
func Background() *Context { return New(Limits{}, nil) }

// SetSignals tells on which thread the exchange goes on: the host's main thread
// (signals runs its handlers) or any other (nil).
func (c *Context) SetSignals(signals func() bool) { c.signals = signals }

// Never reports whether this is Now.
func (c *Context) Never() bool { return c.now }

// Start returns when the exchange began.
func (c *Context) Start() time.Time { return c.start }

// Cancel ends the exchange: the wait under way returns cause within a Tick.
// Only the first call counts.
func (c *Context) Cancel(cause error) {
	if c.stopped.CompareAndSwap(nil, &cause) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.closeDone()
	}
}

func (c *Context) closeDone() {
	if c.done != nil && !c.closed {
		c.closed = true
		close(c.done)
	}
}

// Check runs the host's signal handlers where that is due and returns why the
// exchange must end, or nil.
func (c *Context) Check() error {
	if c.parent != nil {
		if err := c.parent.Check(); err != nil {
			return err
		}
	}
	if c.signals != nil && c.signals() {
		c.Cancel(ErrInterrupted)
	}
	return c.Err()
}

// Err returns why the exchange must end, or nil. It does not run handlers.
func (c *Context) Err() error {
	if stopped := c.stopped.Load(); stopped != nil {
		return *stopped
	}
	if c.parent != nil {
		if err := c.parent.Err(); err != nil {
			return err
		}
	}
	if !c.deadline.IsZero() && !time.Now().Before(c.deadline) {
		return c.why
	}
	return nil
}

// Until returns when a wait of this phase that begins now must end, and which
// limit that is; the zero time means never.
func (c *Context) Until(phase Phase) (time.Time, *TimeoutError) {
	limit := c.limits[phase]
	if limit <= 0 || phase == Total {
		return c.deadline, c.why
	}
	end := time.Now().Add(limit)
	if !c.deadline.IsZero() && c.deadline.Before(end) {
		return c.deadline, c.why
	}
	return end, &TimeoutError{phase, limit}
}

// Within returns a child for one phase that spans several waits: connecting is a
// look-up, a dial and a handshake under one limit. What ends the parent ends the
// child; call release when the phase is over.
func (c *Context) Within(phase Phase) (child *Context, release func()) {
	child = &Context{parent: c, start: time.Now()}
	child.deadline, child.why = c.Until(phase)
	return child, child.Release
}

// Part returns a child that ends after limit, or with c: for a wait that has
// something else to do in between. Call release when it is over.
func (c *Context) Part(limit time.Duration) (child *Context, release func()) {
	child = New(Limits{Total: max(1, limit)}, nil)
	child.parent = c
	return child, child.Release
}

// Slice returns how long one slice of a wait may last that must end at until
// (zero: never): Tick at most.
func Slice(until time.Time) time.Duration {
	if until.IsZero() {
		return Tick
	}
	return max(0, min(Tick, time.Until(until)))
}

// Await waits for ready to be closed or to deliver.
func (c *Context) Await(ready <-chan struct{}, phase Phase) error {
	select {
	case <-ready:
		return nil
	default:
	}
	if c.now {
		return ErrWouldBlock
	}
	until, why := c.Until(phase)
	timer := time.NewTimer(Slice(until))
	defer timer.Stop()
	for {
		select {
		case <-ready:
			return nil
		case <-timer.C:
		}
		if err := c.Check(); err != nil {
			return err
		}
		if why != nil && !time.Now().Before(until) {
			return why
		}
		timer.Reset(Slice(until))
	}
}

// Deadline implements context.Context.
func (c *Context) Deadline() (time.Time, bool) { return c.deadline, !c.deadline.IsZero() }

// Value implements context.Context.
func (*Context) Value(any) any { return nil }

// Done implements context.Context. The engine does not need it: a channel and a
// timer per exchange would cost more than the rest of the bookkeeping.
func (c *Context) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		c.watch()
	}
	return c.done
}

// watch has done closed when the time comes.
func (c *Context) watch() {
	if c.stopped.Load() != nil {
		c.closeDone()
		return
	}
	if !c.deadline.IsZero() {
		timer := time.AfterFunc(time.Until(c.deadline), func() { c.Cancel(c.why) })
		c.stops = append(c.stops, timer.Stop)
	}
	if c.parent != nil {
		c.stops = append(c.stops, context.AfterFunc(c.parent, func() { c.Cancel(c.parent.Err()) }))
	}
}

// Release stops what Done began; the exchange is over.
func (c *Context) Release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, stop := range c.stops {
		stop()
	}
	c.stops = nil
}

// IsTimeout reports whether err is a limit of ours that passed.
func IsTimeout(err error) bool {
	var timeout *TimeoutError
	return errors.As(err, &timeout)
}

// IsStop reports whether err says that this exchange must end, and nothing of
// the connection it waited on.
func IsStop(err error) bool {
	var stop *stopError
	return errors.As(err, &stop) || IsTimeout(err)
}
