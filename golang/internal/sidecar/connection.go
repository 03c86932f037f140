package sidecar

import (
	"errors"
	"net"
	"sync"
	"time"

	"github.com/cycletls/cycletls/golang/internal/library"
	"github.com/cycletls/cycletls/golang/internal/wait"
	"github.com/cycletls/cycletls/golang/internal/websocket"
)

const (
	// maxCredit is how much of a body goes back in one message at most: of a large one,
	// one part is read while another is on its way.
	maxCredit = 1 << 18
	// farewell is how long a client that broke the rules has to take note of it.
	farewell = time.Second
)

// connection takes the verbs of a client and sends what came of them. Each verb is
// at work in a goroutine of its own, so that a slow one holds back nobody else.
type connection struct {
	ws      *websocket.Conn
	cfg     *Config
	library *library.Library
	crew    *library.Crew

	sending sync.Mutex // its owner waits for room: Stall is for that, not for waiting in line

	mu    sync.Mutex // guards what follows
	tasks map[uint64]*task
	held  int64 // bytes of bodies that came, of tasks that go on
}

// task is a verb that comes in parts or is at work, by the ticket that the client
// has given it.
type task struct {
	body   []byte // what came of it in parts
	ticket uint64 // the library's; 0: it is still coming
}

func newConnection(conn net.Conn, c *client, cfg *Config) *connection {
	ws := websocket.New(&duplex{conn}, websocket.Config{Server: true, MaxMessage: cfg.MaxMessage})
	return &connection{
		ws: ws, cfg: cfg, library: &c.library, crew: c.library.NewCrew(), tasks: make(map[uint64]*task),
	}
}

// serve does what the client says until it goes, and ends what it leaves behind.
func (c *connection) serve() {
	defer c.crew.Close()
	defer c.ws.Shut()
	for {
		opcode, p, err := c.ws.Receive(wait.Background())
		if err != nil {
			return
		}
		if opcode == websocket.Binary {
			err = c.take(p)
		} else {
			err = errMalformed
		}
		if err != nil {
			limits := wait.Limits{wait.Total: farewell}
			_ = c.ws.Close(wait.NewPrompt(limits), websocket.ProtocolFailed, err.Error())
			return
		}
	}
}

// take begins one verb.
func (c *connection) take(p []byte) error {
	o, err := parseOrder(p)
	if err != nil {
		return err
	}
	switch o.verb {
	case verbCancel:
		if o.target == 0 {
			c.cancel(o.ticket)
			return nil
		}
		c.library.Cancel(o.target)
		return c.done(o.ticket)
	case verbClose:
		c.library.Close(o.target)
		return c.done(o.ticket)
	case verbMore:
		return c.gather(o.ticket, o.body)
	}
	return c.begin(&o)
}

// cancel ends work by its ticket; what nobody knows any more has ended.
func (c *connection) cancel(ticket uint64) {
	c.mu.Lock()
	t := c.tasks[ticket]
	c.mu.Unlock()
	if t != nil {
		c.library.Cancel(t.ticket)
	}
}

// done answers what nobody has to wait for.
func (c *connection) done(ticket uint64) error {
	return c.send(appendReply(nil, ticket, &library.Reply{Status: library.Done}))
}

var (
	errBusy  = errors.New("this ticket is in use")
	errLarge = errors.New("more is sent than may be on its way at once")
)

// gather keeps a part of a body until its verb comes.
func (c *connection) gather(ticket uint64, part []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, err := c.coming(ticket, len(part))
	if err == nil {
		t.body = append(t.body, part...)
	}
	return err
}

// coming returns a task that is not at work yet, and counts what comes for it; mu
// is held.
func (c *connection) coming(ticket uint64, size int) (*task, error) {
	t := c.tasks[ticket]
	switch {
	case t != nil && t.ticket != 0:
		return nil, errBusy
	case c.held+int64(size) > c.cfg.MaxBody, t == nil && len(c.tasks) >= c.cfg.MaxOperations:
		return nil, errLarge
	case t == nil:
		t = new(task)
		c.tasks[ticket] = t
	}
	c.held += int64(size)
	return t, nil
}

// begin puts a verb to work. What it is given must not change any more.
func (c *connection) begin(o *order) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, err := c.coming(o.ticket, len(o.body))
	if err != nil {
		return err
	}
	given := append(make([]byte, 0, len(o.message)+len(o.body)), o.message...)
	work := library.Work{Verb: library.Verb(o.verb), Target: o.target, Raw: given}
	if t.body == nil {
		work.Body = append(given, o.body...)[len(o.message):]
	} else {
		t.body = append(t.body, o.body...)
		work.Body = t.body
	}
	c.work(t, work, &room{ticket: o.ticket, body: int64(len(work.Body)), credit: o.size})
	return nil
}

// work puts a task to work; mu is held.
func (c *connection) work(t *task, work library.Work, r *room) {
	if r.credit > 0 && work.Verb != library.VerbCall {
		work.Buffer = r.buffer()
	}
	t.ticket = c.crew.Do(work, func(done library.Completion) {
		if work.Verb == library.VerbRead && r.goesOn(&done.Reply) {
			c.goOn(t, work, r, &done)
		} else {
			c.finish(r, &done)
		}
	})
}

// goOn sends a part of what a client has given credit for, and reads the next one
// while that is on its way.
func (c *connection) goOn(t *task, work library.Work, r *room, done *library.Completion) {
	defer r.recycle()
	done.Reply.Status = partly
	err := c.send(r.message(done))
	next := &room{ticket: r.ticket, body: r.body, credit: r.credit - uint64(done.Reply.Filled)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.work(t, work, next)
	}
}

// finish sends what came of a verb.
func (c *connection) finish(r *room, done *library.Completion) {
	defer done.Recycle()
	defer r.recycle()
	c.mu.Lock()
	delete(c.tasks, r.ticket)
	c.held -= r.body
	c.mu.Unlock()
	if err := c.send(r.message(done)); err != nil && done.Reply.Handle != 0 {
		c.library.Close(done.Reply.Handle)
	}
}

// send cuts off a client that does not read.
func (c *connection) send(p []byte) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	err := c.ws.Send(wait.NewPrompt(wait.Limits{wait.Write: c.cfg.Stall}), websocket.Binary, p)
	if err != nil {
		_ = c.ws.Shut()
	}
	return err
}
