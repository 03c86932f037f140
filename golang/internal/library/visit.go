package library

import (
	"time"

	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// begin begins a piece of work on the thread of the event loop and does what need not
// wait; the rest follows from the hall. False means that somebody must wait for it
// from the beginning.
func (q *queue) begin(p *piece) (begun bool) {
	if !q.hall.Watches() {
		return false
	}
	q.hall.Hold()
	defer q.hall.Release()
	defer func() {
		if value := recover(); value != nil {
			q.fail(p, value)
			begun = true
		}
	}()
	h := host{operation: &p.operation, hall: q.hall}
	switch p.work.Verb {
	case VerbCall:
		begun = q.send(p, h)
	case VerbRead:
		begun = q.resume(p, h)
	}
	if p.x != nil {
		p.queue, p.x.work = q, p
		p.x.ctx.Due(time.Time{}, nil)
		q.advance(p)
	}
	return begun
}

// send sends a request that has no body: one with a body could wait in the middle.
func (q *queue) send(p *piece, h host) bool {
	var err error
	if p.incoming, err = p.work.message(); err != nil {
		q.refuse(p, err)
		return true
	}
	request, ok := p.incoming.(*envelope.Request)
	if !ok || request.Body != nil || request.WebSocket != nil || request.Events != nil {
		return false
	}
	p.x, err = q.library.begin(p.work.Target, request, nil, h)
	switch {
	case wait.IsLater(err):
		return false // nothing was sent: there is no connection yet
	case err != nil:
		q.refuse(p, err)
	}
	return true
}

// resume takes an exchange whose body is to be read.
func (q *queue) resume(p *piece, h host) bool {
	x, err := q.library.use(p.work.Target, h)
	switch {
	case err != nil:
		q.refuse(p, err)
		return true
	case x.ctx.Hall() != q.hall || x.WebSocket() != nil:
		x.mu.Unlock()
		return false
	}
	p.x = x
	return true
}

// Awake implements wait.Guest.
func (x *exchange) Awake() {
	p := x.work
	if p == nil {
		return
	}
	defer func() {
		if value := recover(); value != nil {
			p.queue.fail(p, value)
		}
	}()
	p.queue.advance(p)
}

// Interrupt implements wait.Interrupter.
func (p *piece) Interrupt() { p.x.ctx.Wake() }

// advance goes on as far as that need not wait. What has come counts, however late the
// loop comes by.
func (q *queue) advance(p *piece) {
	ctx := p.x.ctx
	ctx.Disarm()
	late := ctx.Overdue()
	err := q.step(p)
	if err == wait.ErrWouldBlock {
		if late != nil {
			ctx.Cancel(late)
		}
		if ctx.ArmDue(p) {
			return
		}
	}
	if err != nil {
		q.stay(p)
		return
	}
	q.finish(p)
}

// turn is how much of a body is read before others have their turn.
const turn = 256 << 10

// step returns nil when the work is done, or an error of wait.IsLater.
func (q *queue) step(p *piece) error {
	if p.work.Verb == VerbCall {
		reply, over, err := p.x.answer(p.done.room)
		if wait.IsLater(err) {
			return err
		}
		p.done.Reply = q.library.concluded(p.x, reply, over, err)
		return nil
	}
	rest := p.work.Buffer[p.filled:]
	n, err := p.x.fill(rest[:min(turn, len(rest))])
	p.filled += n
	switch {
	case wait.IsLater(err):
		return err
	case err == nil && n == turn && n < len(rest) && !p.x.streamed:
		p.x.ctx.Due(time.Time{}, nil)
		p.x.ctx.Yield()
		return wait.ErrWouldBlock
	}
	p.done.Reply = q.library.filled(p.work.Target, p.x, p.filled, err)
	return nil
}

// stay leaves what is left of the work to somebody who waits for it.
func (q *queue) stay(p *piece) {
	p.x.work = nil
	p.x.ctx.Stay()
	q.hand(p)
}

// finish tells what came of the work, once.
func (q *queue) finish(p *piece) {
	if p.over {
		return
	}
	p.over = true
	if p.x != nil {
		p.x.work = nil
		p.x.ctx.Stay()
		if p.work.Verb == VerbRead {
			p.x.mu.Unlock()
		}
	}
	q.tell(p)
	q.running.Done()
}

func (q *queue) refuse(p *piece, err error) {
	p.done.Reply = failed(err)
	q.finish(p)
}

// fail ends work with a fault of ours.
func (q *queue) fail(p *piece, value any) {
	p.done.Reply = Fault(value)
	if p.x != nil && !p.over {
		if p.work.Verb == VerbRead {
			q.library.handles.remove(p.work.Target)
		}
		p.x.end()
	}
	q.finish(p)
}
