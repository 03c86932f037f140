package library

import (
	"encoding/base64"
	"runtime/debug"
	"sync"

	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/fault"
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
	VerbReceive
	VerbText
	VerbBinary
	VerbPing
	VerbGoodbye
	VerbFlush
)

// Work is a verb with its arguments.
type Work struct {
	Verb   Verb
	Target uint64
	Text   string // a message: an envelope,
	Raw    []byte // or what is in one
	Body   []byte // sent by Call and Write; the host keeps it until the work is done
	Buffer []byte // filled by Read; likewise
}

// Completion is work that is done.
type Completion struct {
	Ticket uint64
	Reply  Reply
	Head   []byte // the envelope of Reply.Message, once it is sealed; empty: none
	Body   []byte // of a response, where all of it is small; Reply.Filled counts it
	head   *[]byte
}

// queue gathers what was done in the background, and tells the host by a
// descriptor that its event loop watches, once for each batch.
type queue struct {
	*Crew
	hall *wait.Hall // its descriptor is readable while there is something to drain

	mu   sync.Mutex // guards what follows
	done []Completion
}

// relax lets the collector run less often. Its usual measure, as much garbage as
// there is life, means little where all that lives is 2 MiB: it took a fifth of the
// time of a request (measured).
var relax = sync.OnceFunc(func() { debug.SetGCPercent(400) })

func (l *Library) makeQueue() (any, error) {
	relax()
	hall, err := wait.NewHall()
	if err != nil {
		return nil, err
	}
	q := &queue{Crew: l.NewCrew(), hall: hall}
	return &envelope.Queue{Handle: l.handles.add(q), Descriptor: hall.Descriptor()}, nil
}

// Submit has a verb done in the background and returns the ticket under which Drain
// tells what came of it; Cancel takes it, too. 0 means that there is no such queue.
// What the verb can do without waiting it does at once, and when the host drains.
func (l *Library) Submit(number uint64, work Work) (ticket uint64) {
	defer fault.Survive()
	q, ok := l.handles.get(number).(*queue)
	if !ok {
		return 0
	}
	p := q.piece(work, q.post)
	if !q.admit(p) {
		return 0
	}
	if !q.begin(p) {
		q.hand(p)
	}
	return p.ticket
}

// message decodes what Call and Start are given.
func (w *Work) message() (any, error) {
	switch {
	case w.Verb != VerbCall && w.Verb != VerbStart:
		return nil, nil
	case w.Raw != nil:
		return envelope.DecodeRaw(w.Raw)
	}
	return envelope.Decode(w.Text)
}

// do is the verb itself, or what is left of it.
func (l *Library) do(p *piece) {
	done, work := &p.done, &p.work
	defer guard(&done.Reply)
	if p.incoming == nil {
		var err error
		if p.incoming, err = work.message(); err != nil {
			done.Reply = failed(err)
			return
		}
	}
	h := host{operation: &p.operation}
	switch {
	case p.x == nil:
		l.perform(p, h)
	case work.Verb == VerbCall:
		done.Reply = l.answered(p.x, done.room)
	default:
		done.Reply = l.readOn(p)
	}
}

func (l *Library) perform(p *piece, h host) {
	done, work := &p.done, &p.work
	switch work.Verb {
	case VerbCall:
		done.Reply = l.call(work.Target, p.incoming, work.Body, done.room, h)
	case VerbStart:
		done.Reply = l.start(work.Target, p.incoming, h)
	case VerbWrite:
		done.Reply = l.write(work.Target, work.Body, h)
	case VerbWait:
		done.Reply = l.wait(work.Target, done.room, h)
	case VerbRead:
		done.Reply = l.read(work.Target, work.Buffer, h)
	case VerbReceive:
		done.Reply = l.receive(work.Target, limitOf(work.Body), done.room, h)
	case VerbText, VerbBinary, VerbPing, VerbGoodbye, VerbFlush:
		done.Reply = l.send(work.Target, work.Verb, work.Body, h)
	default:
		done.Reply = failed(errNoVerb)
	}
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

// seal puts the reply into the form in which it leaves for the host.
func (c *Completion) seal() {
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

// Recycle gives the memory back; what it held has been copied.
func (c *Completion) Recycle() {
	if cap(c.Body) == small {
		bodies.Put((*[small]byte)(c.Body[:small]))
	}
	if c.head != nil {
		heads.Put(c.head)
	}
}

func (q *queue) post(done Completion) {
	done.seal()
	q.mu.Lock()
	q.done = append(q.done, done)
	q.mu.Unlock()
	q.hall.Raise()
}

// Drain lets go on what can, and hands over, one by one, what is done, until take
// refuses: it has no room.
// The descriptor stays readable as long as there is more.
func (l *Library) Drain(number uint64, take func(*Completion) bool) {
	defer fault.Survive()
	q, ok := l.handles.get(number).(*queue)
	if !ok {
		return
	}
	q.hall.Visit()
	q.mu.Lock()
	defer q.mu.Unlock()
	taken := 0
	for taken < len(q.done) && take(&q.done[taken]) {
		q.done[taken].Recycle()
		taken++
	}
	left := copy(q.done, q.done[taken:])
	clear(q.done[left:])
	q.done = q.done[:left]
	if left > 0 {
		q.hall.Raise()
	}
}

// close ends all operations and waits for that, so that nobody writes into the
// host's memory afterwards. What they left behind is closed.
func (l *Library) closeQueue(q *queue) {
	q.Crew.close(q.hall.Visit)
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, done := range q.done {
		if done.Reply.Handle != 0 {
			l.Close(done.Reply.Handle)
		}
	}
	q.hall.Close()
}
