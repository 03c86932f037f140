// Package wait is what an exchange obeys while it waits: its time limits, its
// cancellation and the signals of the host program.
//
// An exchange runs on the thread that called from Python. Nothing may block
// that thread for long, so every wait is a loop of slices: sleep until there is
// something to do or Tick has passed, then Check. Check is where a cancelled
// exchange, a passed deadline and a Ctrl-C are noticed.
//
// An exchange that runs in a goroutine of its own (NewPrompt) has no thread of
// the host's to mind: its waits are whole, so that a thousand idle ones cost
// nothing, and whatever ends it ends its wait (Arm).
//
// An exchange of an event loop (NewGuest) does not wait at all where it can help
// it: on the loop's thread, what would have to wait returns ErrWouldBlock and goes on
// when its Hall is visited. What cannot stop there and go on later returns ErrMustStay
// before it has done anything: a goroutine takes the exchange over, calls Stay, and
// from then on it waits as after NewPrompt; Return ends that.
package wait

import (
	"context"
	"errors"
	"net"
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
	// ErrClosed: the session was closed under the exchange.
	ErrClosed error = &stopError{"the session was closed", net.ErrClosed}
	// ErrInterrupted: a signal handler of the host raised.
	ErrInterrupted error = &stopError{"interrupted by a signal", context.Canceled}
	// ErrWouldBlock: there is nothing to read and Now does not wait. A guest is
	// awoken when there is.
	ErrWouldBlock error = &stopError{"nothing there yet", nil}
	// ErrMustStay: what comes next cannot be done without waiting.
	ErrMustStay error = &stopError{"only who waits can go on", nil}
)

// Context belongs to one exchange. Cancel may be called from any goroutine, the
// rest by one at a time.
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
	prompt  bool // waits are whole: see NewPrompt

	hall   *Hall // see NewGuest
	guest  Guest
	called bool // guarded by hall.mu
	due    time.Time
	dueFor *TimeoutError

	stopped atomic.Pointer[error]

	mu    sync.Mutex
	armed Interrupter // the wait under way: see Arm
	place place       // guarded by alarm.mu
}

// Interrupter is a wait that can be ended from outside.
type Interrupter interface{ Interrupt() }

// New starts the clock of an exchange. signals may be nil.
func New(limits Limits, signals func() bool) *Context {
	c := &Context{limits: limits, start: time.Now(), signals: signals}
	if limits[Total] > 0 {
		c.deadline = c.start.Add(limits[Total])
		c.why = &TimeoutError{Total, limits[Total]}
	}
	return c
}

// NewPrompt is New for an exchange that runs in a goroutine of its own: Cancel
// ends its waits at once, and they need not be cut into slices.
func NewPrompt(limits Limits) *Context {
	c := New(limits, nil)
	c.prompt = true
	return c
}

// NewGuest is NewPrompt for an exchange that goes on when a hall is visited: as long
// as it does not Stay, nothing of it waits, and guest is awoken when it can go on.
func NewGuest(limits Limits, hall *Hall, guest Guest) *Context {
	c := NewPrompt(limits)
	c.hall, c.guest, c.now = hall, guest, true
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

// Never reports whether nothing may wait: this is Now, or a guest's context.
func (c *Context) Never() bool { return c.now }

// Hall returns where its guest waits, nil where nobody does.
func (c *Context) Hall() *Hall { return c.hall }

// Stay has the exchange of a guest wait by itself from now on.
func (c *Context) Stay() { c.now = false }

// Return takes Stay back.
func (c *Context) Return() { c.now = c.hall != nil }

// Due notes until when a guest waits, and for which limit: see Until.
func (c *Context) Due(until time.Time, why *TimeoutError) { c.due, c.dueFor = until, why }

// ArmDue has the guest interrupted at the latest when its wait is due, and whenever the
// exchange is ended; false means that it must end already.
func (c *Context) ArmDue(i Interrupter) bool { return c.Arm(i, c.due) }

// Overdue returns why a guest must end, or nil.
func (c *Context) Overdue() error { return c.Expired(c.due, c.dueFor) }

// Wake has the guest go on when its hall is next visited; from any goroutine.
func (c *Context) Wake() { c.hall.wake(c, false) }

// Yield is Wake by who could go on at once, but has had its turn: not before the next
// visit.
func (c *Context) Yield() { c.hall.wake(c, true) }

// Prompt reports whether waits are whole: see NewPrompt.
func (c *Context) Prompt() bool { return c.prompt }

// Arm announces a wait that is to be interrupted at until (zero: never), and by
// Cancel; false means that the exchange must end already. Disarm ends it. There is
// one wait at a time.
func (c *Context) Arm(i Interrupter, until time.Time) bool {
	c = c.root()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped.Load() != nil {
		return false
	}
	c.armed = i
	if !until.IsZero() {
		alarms.set(c, until)
	}
	return true
}

// Disarm says that the wait is over. When it returns, nobody interrupts it any
// more.
func (c *Context) Disarm() {
	c = c.root()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed = nil
	alarms.clear(c)
}

// interrupt ends the wait under way.
func (c *Context) interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.armed != nil {
		c.armed.Interrupt()
	}
}

// root is the context that Cancel is called on.
func (c *Context) root() *Context {
	for c.parent != nil {
		c = c.parent
	}
	return c
}

// Unlimit ends the total limit: what follows of the exchange has no end of its own.
func (c *Context) Unlimit() { c.deadline, c.why = time.Time{}, nil }

// Relimit has the total limit run anew from now on.
func (c *Context) Relimit() {
	if limit := c.limits[Total]; limit > 0 {
		c.deadline, c.why = time.Now().Add(limit), &TimeoutError{Total, limit}
	}
}

// Start returns when the exchange began.
func (c *Context) Start() time.Time { return c.start }

// Cancel ends the exchange: the wait under way returns cause within a Tick.
// Only the first call counts.
func (c *Context) Cancel(cause error) {
	c = c.root()
	if c.stopped.CompareAndSwap(nil, &cause) {
		c.interrupt()
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
// child.
func (c *Context) Within(phase Phase) *Context { return c.Before(c.Until(phase)) }

// Before returns a child that must end at until for the reason why (nil: no
// sooner than its parent).
func (c *Context) Before(until time.Time, why *TimeoutError) *Context {
	if why == nil || !c.deadline.IsZero() && c.deadline.Before(until) {
		until, why = c.deadline, c.why
	}
	return &Context{parent: c, start: time.Now(), prompt: c.prompt, deadline: until, why: why}
}

// Part returns a child that ends after limit, or with c: for a wait that has
// something else to do in between.
func (c *Context) Part(limit time.Duration) *Context {
	return c.Before(time.Now().Add(limit), &TimeoutError{Total, limit})
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
	sleep := c.sliced
	if c.prompt {
		sleep = c.whole
	}
	for !sleep(ready, until) {
		if err := c.Expired(until, why); err != nil {
			return err
		}
	}
	return nil
}

// Expired says between slices, or after an interruption, why a wait must end that
// Until bounds, or nil.
func (c *Context) Expired(until time.Time, why *TimeoutError) error {
	if err := c.Check(); err != nil {
		return err
	}
	if why != nil && !time.Now().Before(until) {
		return why
	}
	return nil
}

// sliced waits for a slice at most, and reports whether ready was.
func (*Context) sliced(ready <-chan struct{}, until time.Time) bool {
	timer := time.NewTimer(Slice(until))
	defer timer.Stop()
	select {
	case <-ready:
		return true
	case <-timer.C:
		return false
	}
}

// whole waits until it is interrupted, and reports whether ready was.
func (c *Context) whole(ready <-chan struct{}, until time.Time) bool {
	end := make(signal, 1)
	if !c.Arm(end, until) {
		return false
	}
	defer c.Disarm()
	select {
	case <-ready:
		return true
	case <-end:
		return false
	}
}

// signal is a wait on a channel.
type signal chan struct{}

// Interrupt implements Interrupter.
func (s signal) Interrupt() {
	select {
	case s <- struct{}{}:
	default: // it was interrupted
	}
}

// IsTimeout reports whether err is a limit of ours that passed.
func IsTimeout(err error) bool {
	var timeout *TimeoutError
	return errors.As(err, &timeout)
}

// IsLater reports whether err says that a guest goes on later, be it by waiting.
func IsLater(err error) bool {
	return err != nil && (errors.Is(err, ErrWouldBlock) || errors.Is(err, ErrMustStay))
}

// IsStop reports whether err says that this exchange must end, and nothing of
// the connection it waited on.
func IsStop(err error) bool {
	var stop *stopError
	return errors.As(err, &stop) || IsTimeout(err)
}
