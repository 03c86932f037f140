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
	work     Work
	incoming any // the message in it, once that is decoded
	ticket   uint64
	post     func(Completion)
	done     Completion

	queue  *queue    // whose hall it was begun from: see queue.begin
	x      *exchange // what it was begun on there
	filled int       // of work.Buffer
	over   bool      // it was told of
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
	p := c.piece(work, post)
	if !c.admit(p) {
		return 0
	}
	c.hand(p)
	return p.ticket
}

func (c *Crew) piece(work Work, post func(Completion)) *piece {
	return &piece{operation: operation{crew: c}, work: work, post: post}
}

// hand gives a piece of work to somebody.
func (c *Crew) hand(p *piece) {
	if idle := c.wake(); idle != nil {
		idle <- p
	} else {
		go c.labour(p)
	}
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
	c.library.do(p)
	c.tell(p)
}

// tell posts what came of a piece of work.
func (c *Crew) tell(p *piece) {
	p.done.Ticket = p.ticket
	if p.done.Body != nil {
		p.done.Body = p.done.Body[:p.done.Reply.Filled]
	}
	c.library.handles.remove(p.ticket)
	p.post(p.done)
}

// admit counts one more piece. False means that the crew is closed.
func (c *Crew) admit(p *piece) bool {
	c.gate.Lock()
	defer c.gate.Unlock()
	if c.closed {
		return false
	}
	c.running.Add(1)
	p.ticket = c.library.handles.add(&p.operation)
	return true
}

// wake returns who is idle, nil where nobody is.
func (c *Crew) wake() (idle chan *piece) {
	c.gate.Lock()
	defer c.gate.Unlock()
	if last := len(c.idle) - 1; last >= 0 {
		idle, c.idle = c.idle[last], c.idle[:last]
	}
	return idle
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
func (c *Crew) Close() { c.close(func() {}) }

// close calls ended when all operations are to end, and before it waits for that.
func (c *Crew) close(ended func()) {
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
	ended()
	c.running.Wait()
}
