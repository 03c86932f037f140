package library

import (
	"sync"

	"github.com/cycletls/cycletls/golang/internal/fault"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// Crew does work in the background, each piece in a goroutine of its own.
type Crew struct {
	library *Library

	running sync.WaitGroup
	gate    sync.Mutex    // guards what follows, and that nobody begins to run who is not waited for
	idle    []chan *piece // those who wait for work, whoever came last at the end
	closed  bool
}

// mostIdle is how many goroutines may wait for work.
const mostIdle = 256

// piece is work for one of the crew.
type piece struct {
	operation
	work   Work
	ticket uint64
	post   func(Completion)
}

// NewCrew returns one that has nothing to do yet.
func (l *Library) NewCrew() *Crew { return &Crew{library: l} }

// operation is work under way, and what it is done on.
type operation struct {
	crew *Crew

	mu    sync.Mutex // guards what follows
	ctx   *wait.Context
	cause error // why it has ended
}

// enter makes an exchange end with the operation.
func (o *operation) enter(ctx *wait.Context) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ctx = ctx; o.cause != nil {
		ctx.Cancel(o.cause)
	}
}

// end ends what the operation is done on, or is going to be.
func (o *operation) end(cause error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cause = cause; o.ctx != nil {
		o.ctx.Cancel(cause)
	}
}

// Do has a verb done and returns the ticket of its Completion, which post is given;
// Library.Cancel takes it, too. 0 means that the crew is closed.
func (c *Crew) Do(work Work, post func(Completion)) (ticket uint64) {
	p := &piece{operation: operation{crew: c}, work: work, post: post}
	idle, ok := c.begin(p)
	if !ok {
		return 0
	}
	if idle != nil {
		idle <- p
	} else {
		go c.labour(p)
	}
	return p.ticket
}

// labour does a piece of work, and those that it is handed over while it is idle:
// the stack of a goroutine that has done one is large enough, and growing a new
// one takes a tenth of the time of a request (measured).
func (c *Crew) labour(p *piece) {
	next := make(chan *piece, 1)
	for p != nil {
		c.do(p)
		if !c.rest(next) {
			return
		}
		p = <-next
	}
}

func (c *Crew) do(p *piece) {
	defer fault.Survive()
	done := c.library.do(&p.operation, p.work)
	done.Ticket = p.ticket
	c.library.handles.remove(p.ticket)
	p.post(done)
}

// begin counts one more piece, and returns who is idle to do it, nil where nobody
// is. False means that the crew is closed.
func (c *Crew) begin(p *piece) (idle chan *piece, ok bool) {
	c.gate.Lock()
	defer c.gate.Unlock()
	if c.closed {
		return nil, false
	}
	c.running.Add(1)
	p.ticket = c.library.handles.add(&p.operation)
	if last := len(c.idle) - 1; last >= 0 {
		idle, c.idle = c.idle[last], c.idle[:last]
	}
	return idle, true
}

// rest counts one less, and reports whether who did it is to wait for more.
func (c *Crew) rest(next chan *piece) bool {
	c.gate.Lock()
	defer c.gate.Unlock()
	c.running.Done()
	if c.closed || len(c.idle) == mostIdle {
		return false
	}
	c.idle = append(c.idle, next)
	return true
}

// Close ends all operations and waits for that.
func (c *Crew) Close() {
	c.gate.Lock()
	c.closed = true
	for _, idle := range c.idle {
		close(idle)
	}
	c.idle = nil
	c.gate.Unlock()
	c.library.handles.each(func(value any) {
		if o, ok := value.(*operation); ok && o.crew == c {
			o.end(wait.ErrCancelled)
		}
	})
	c.running.Wait()
}
