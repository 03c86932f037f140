package library

import (
	"sync"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

// Crew does work in the background, each piece in a goroutine of its own.
type Crew struct {
	group   // of what the work is done on
	library *Library

	running sync.WaitGroup
	gate    sync.Mutex // guards what follows, and that nobody begins to run who is not waited for
	closed  bool
}

// NewCrew returns one that has nothing to do yet.
func (l *Library) NewCrew() *Crew { return &Crew{library: l} }

// operation is work under way; what it is done on is in its group.
type operation struct {
	group
	crew *Crew
}

// enter makes an exchange end with the operation, or with the whole crew.
func (o *operation) enter(ctx *wait.Context) {
	o.group.enter(ctx)
	o.crew.enter(ctx)
}

// finish says that nobody waits for the operation's end any more.
func (o *operation) finish() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for ctx := range o.live {
		o.crew.leave(ctx)
	}
	o.live = nil
}

// Do has a verb done and returns the ticket of its Completion, which post is given;
// Library.Cancel takes it, too. 0 means that the crew is closed.
func (c *Crew) Do(work Work, post func(Completion)) (ticket uint64) {
	if !c.begin() {
		return 0
	}
	op := &operation{crew: c}
	ticket = c.library.handles.add(op)
	go func() {
		defer c.running.Done()
		defer survive()
		done := c.library.do(op, work)
		done.Ticket = ticket
		c.library.handles.remove(ticket)
		op.finish()
		post(done)
	}()
	return ticket
}

// begin counts one more operation.
func (c *Crew) begin() bool {
	c.gate.Lock()
	defer c.gate.Unlock()
	if !c.closed {
		c.running.Add(1)
	}
	return !c.closed
}

// Close ends all operations and waits for that.
func (c *Crew) Close() {
	c.gate.Lock()
	c.closed = true
	c.gate.Unlock()
	c.end(wait.ErrCancelled)
	c.running.Wait()
}
