package library

import (
	"encoding/base64"
	"sync"

	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// Verb names what Submit has done in the background.
type Verb int

// The verbs, by the numbers that the host knows them by (golang/cycletls.h).
const (
	VerbCall Verb = iota + 1
	VerbStart
	VerbWrite
	VerbWait
	VerbRead
)

// Work is a verb with its arguments.
type Work struct {
	Verb   Verb
	Target uint64
	Text   string
	Body   []byte // sent by Call and Write; the host keeps it until the work is done
	Buffer []byte // filled by Read; likewise
}

// Completion is work that is done.
type Completion struct {
	Ticket uint64
	Reply  Reply
	Head   []byte // the answering envelope; empty: none
	Body   []byte // of a response, where all of it is small; Reply.Filled counts it
	head   *[]byte
}

// queue gathers what was done in the background, and tells the host by a
// descriptor that its event loop watches, once for each batch.
type queue struct {
	group    // of what the work is done on
	notifier // readable while there is something to drain
	running  sync.WaitGroup

	mu     sync.Mutex // guards what follows
	done   []Completion
	raised bool // the descriptor is readable
	closed bool
}

// operation is work under way; what it is done on is in its group.
type operation struct {
	group
	queue *queue
}

// enter makes an exchange end with the operation, or with the whole queue.
func (o *operation) enter(ctx *wait.Context) {
	o.group.enter(ctx)
	o.queue.enter(ctx)
}

// finish says that nobody waits for the operation's end any more.
func (o *operation) finish() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for ctx := range o.live {
		o.queue.leave(ctx)
	}
	o.live = nil
}

func (l *Library) makeQueue() (any, error) {
	signal, err := newNotifier()
	if err != nil {
		return nil, err
	}
	return &envelope.Queue{Handle: l.handles.add(&queue{notifier: signal}), Descriptor: signal.descriptor()}, nil
}

// Submit has a verb done in a goroutine and returns the ticket under which Drain
// tells what came of it; Cancel takes it, too. 0 means that there is no such queue.
func (l *Library) Submit(number uint64, work Work) (ticket uint64) {
	defer survive()
	q, ok := l.handles.get(number).(*queue)
	if !ok || !q.begin() {
		return 0
	}
	op := &operation{queue: q}
	ticket = l.handles.add(op)
	go func() {
		defer q.running.Done()
		done := l.do(op, work)
		done.Ticket = ticket
		l.handles.remove(ticket)
		op.finish()
		q.post(done)
	}()
	return ticket
}

// do is the verb itself.
func (l *Library) do(op *operation, work Work) (done Completion) {
	defer func() { done.seal() }()
	defer guard(&done.Reply)
	h := host{operation: op}
	switch work.Verb {
	case VerbCall:
		done.Reply = l.call(work.Target, work.Text, work.Body, done.room, h)
	case VerbStart:
		done.Reply = l.start(work.Target, work.Text, h)
	case VerbWrite:
		done.Reply = l.write(work.Target, work.Body, h)
	case VerbWait:
		done.Reply = l.wait(work.Target, done.room, h)
	case VerbRead:
		done.Reply = l.read(work.Target, work.Buffer, h)
	default:
		done.Reply = failed(&envelope.Error{Kind: envelope.InvalidMessage, Message: "no such verb"})
	}
	return done
}

// small is how long a body may be to come along with the head.
const small = 64 << 10

// memory of replies on their way, for bodies whose length is not known, and for
// envelopes.
var (
	bodies = sync.Pool{New: func() any { return new([small]byte) }}
	heads  = sync.Pool{New: func() any { return new([]byte) }}
)

// room makes room for a body of this length, none for one that is not small.
func (c *Completion) room(length int64) []byte {
	switch {
	case length == message.UnknownLength:
		c.Body = bodies.Get().(*[small]byte)[:]
	case length <= small:
		c.Body = make([]byte, length)
	}
	return c.Body
}

// seal puts the reply into the form in which it leaves.
func (c *Completion) seal() {
	if c.Body != nil {
		c.Body = c.Body[:c.Reply.Filled]
	}
	if c.Reply.Message == nil {
		return
	}
	raw := heads.Get().(*[]byte)
	*raw = envelope.Append((*raw)[:0], c.Reply.Message)
	c.head = heads.Get().(*[]byte)
	*c.head = base64.StdEncoding.AppendEncode((*c.head)[:0], *raw)
	heads.Put(raw)
	c.Head, c.Reply.Message = *c.head, nil
}

// recycle gives the memory back; what it held has been copied.
func (c *Completion) recycle() {
	if cap(c.Body) == small {
		bodies.Put((*[small]byte)(c.Body[:small]))
	}
	if c.head != nil {
		heads.Put(c.head)
	}
}

// begin counts one more operation.
func (q *queue) begin() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.running.Add(1)
	}
	return !q.closed
}

func (q *queue) post(done Completion) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.done = append(q.done, done)
	if !q.raised {
		q.raised = true
		q.raise()
	}
}

// Drain hands over, one by one, what is done, until take refuses: it has no room.
// The descriptor stays readable as long as there is more.
func (l *Library) Drain(number uint64, take func(*Completion) bool) {
	defer survive()
	q, ok := l.handles.get(number).(*queue)
	if !ok {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	taken := 0
	for taken < len(q.done) && take(&q.done[taken]) {
		q.done[taken].recycle()
		taken++
	}
	left := copy(q.done, q.done[taken:])
	clear(q.done[left:])
	q.done = q.done[:left]
	if left == 0 && q.raised {
		q.raised = false
		q.lower()
	}
}

// close ends all operations and waits for that, so that nobody writes into the
// host's memory afterwards. What they left behind is closed.
func (l *Library) closeQueue(q *queue) {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.end(wait.ErrCancelled)
	q.running.Wait()
	for _, done := range q.done {
		if done.Reply.Handle != 0 {
			l.Close(done.Reply.Handle)
		}
	}
	q.notifier.close()
}
