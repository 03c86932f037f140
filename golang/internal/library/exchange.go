package library

import (
	"io"
	"sync"

	"github.com/cycletls/cycletls/golang/internal/engine"
	"github.com/cycletls/cycletls/golang/internal/engine/cookie"
	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/fault"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// exchange is one request and its response under a handle.
type exchange struct {
	mu  sync.Mutex // held by the verb at work
	ctx *wait.Context
	*engine.Exchange

	limits    wait.Limits // of the session, or the request's own
	unread    []byte      // of a WebSocket's message
	groups    []*group    // that it ends with
	few       [2]*group
	streamed  bool    // Read returns what is there
	delivered int64   // bytes of the body the host has
	probe     [1]byte // nothing fits the end of a body of known length

	begun  bool   // there is room for the body that comes along, and
	buffer []byte // this much of it
	filled int
	work   *piece // what is done on it from a hall
}

// host is who waits for a verb: a thread of the host's, or nobody.
type host struct {
	signals   func() bool // runs the handlers of signals; nil: not on this thread
	operation *operation  // where nobody waits
	hall      *wait.Hall  // where it is to wait; nil: in a goroutine
}

// context returns what an exchange obeys that begins for this host.
func (h host) context(limits wait.Limits, guest wait.Guest) *wait.Context {
	var ctx *wait.Context
	switch {
	case h.operation == nil:
		return wait.New(limits, h.signals)
	case h.hall != nil:
		ctx = wait.NewGuest(limits, h.hall, guest)
	default:
		ctx = wait.NewPrompt(limits)
	}
	h.operation.enter(ctx)
	return ctx
}

// take makes an exchange that began earlier obey this host.
func (h host) take(x *exchange) {
	x.ctx.SetSignals(h.signals)
	if x.ctx.Stay(); h.hall != nil && h.hall == x.ctx.Hall() {
		x.ctx.Return()
	}
	if h.operation != nil {
		h.operation.enter(x.ctx)
	}
}

// begin opens an exchange of a session and sends the head of its request, with
// body where that comes beside the message.
func (l *Library) begin(target uint64, request *envelope.Request, body []byte, h host) (*exchange, error) {
	session, ok := l.handles.get(target).(*session)
	if !ok {
		return nil, closed("session")
	}
	jar, ok := l.handles.get(request.Jar).(*cookie.Jar)
	if !ok && request.Jar != 0 {
		return nil, closed("cookie jar")
	}
	token, ok := l.handles.get(request.Cancel).(*token)
	if !ok && request.Cancel != 0 {
		return nil, closed("cancel token")
	}
	if h.hall != nil && !session.guestsIn(h.hall) {
		return nil, wait.ErrMustStay
	}
	x := &exchange{limits: session.Timeouts(request).Limits(), streamed: request.Streamed}
	x.ctx = h.context(x.limits, x)
	x.groups = append(x.few[:0], &session.group)
	if token != nil {
		x.groups = append(x.groups, &token.group)
	}
	for _, g := range x.groups {
		g.enter(x.ctx)
	}
	err := x.ctx.Err() // a token that was used already
	switch {
	case err != nil:
	case jar != nil:
		x.Exchange, err = session.StartWith(x.ctx, jar, request, body)
	default:
		x.Exchange, err = session.Start(x.ctx, request, body)
	}
	if err != nil {
		x.leave()
		return nil, err
	}
	return x, nil
}

// answer waits for the response and puts as much of its body into the room there
// is for that length as fits. A body known not to fit stays unread: the host makes
// room for all of it and saves a copy. It reports whether the exchange is over.
func (x *exchange) answer(room func(length int64) []byte) (reply Reply, over bool, err error) {
	response, err := x.Reply()
	if err != nil {
		return Reply{}, true, err
	}
	reply = Reply{Message: response, Status: response.Status, Length: x.Length()}
	if x.streamed {
		return reply, false, nil
	}
	if !x.begun {
		x.begun, x.buffer = true, room(reply.Length)
	}
	if reply.Length > int64(len(x.buffer)) {
		return reply, false, nil
	}
	n, err := x.fill(x.buffer[x.filled:])
	x.filled += n
	if wait.IsLater(err) {
		return reply, false, err
	}
	reply.Filled, x.buffer = x.filled, nil
	if err == io.EOF {
		response.Trailers = x.Trailers()
		return reply, true, nil
	}
	return reply, false, err
}

// fill reads until buffer is full or the body ends, which io.EOF tells; of a
// streamed body it reads what is there. A buffer made for a known length is full
// before the end was seen, so the end is asked for.
func (x *exchange) fill(buffer []byte) (filled int, err error) {
	read := x.Read
	for filled < len(buffer) && err == nil {
		var n int
		n, err = read(buffer[filled:])
		filled += n
		if x.streamed && n > 0 {
			read = x.ReadNow
		}
	}
	if x.streamed && filled > 0 && err != io.EOF {
		err = nil // there was no more, or it failed, and the next read will say so
	}
	x.delivered += int64(filled)
	if err == nil && x.delivered == x.Length() {
		_, err = x.Read(x.probe[:])
	}
	return filled, err
}

// close ends the exchange from any thread. A verb at work on it, which returns
// soon, gives back what it holds; nobody waits for that.
func (x *exchange) close() {
	x.ctx.Cancel(wait.ErrCancelled)
	if x.mu.TryLock() {
		defer x.mu.Unlock()
		x.end()
		return
	}
	go func() {
		defer fault.Survive()
		x.mu.Lock()
		defer x.mu.Unlock()
		x.end()
	}()
}

// end gives back everything the exchange holds.
func (x *exchange) end() {
	x.Exchange.Close()
	x.leave()
}

func (x *exchange) leave() {
	for _, g := range x.groups {
		g.leave(x.ctx)
	}
}
