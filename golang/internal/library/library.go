// Package library is the core behind the C boundary, without the C: numbers for
// sessions and exchanges, and the verbs that act on them. Messages come and
// go as envelopes, body bytes through the caller's own memory beside them.
//
// A verb never panics and never blocks longer than the limits of its exchange
// allow. An exchange is used by one thread at a time; only Cancel and Close may
// come from another.
package library

import (
	"errors"
	"fmt"
	"io"

	"github.com/cycletls/cycletls/golang/internal/capture"
	"github.com/cycletls/cycletls/golang/internal/engine"
	"github.com/cycletls/cycletls/golang/internal/engine/cookie"
	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/fault"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// Library holds everything that the host has made and not closed.
type Library struct {
	handles handles
	// Serve starts a sidecar; nil: here it cannot.
	Serve func(*envelope.Serve) (Sidecar, error)
}

// Sidecar is a server that lets other processes use libraries of their own. Its
// package stands above this one.
type Sidecar interface {
	Address() string
	Await(ctx *wait.Context) error // until it ends by itself, or is closed
	Close()
}

// Reply is what a verb answers.
type Reply struct {
	Message any    // for envelope.Append; nil: none
	Handle  uint64 // of an exchange that has more to come; 0: it is over
	Length  int64  // decoded length of its body when known, else message.UnknownLength
	Filled  int    // bytes in the caller's buffer
	Status  int    // HTTP status, or one of the values below
}

// Values of Reply.Status that are not of HTTP.
const (
	Failed   = 0 // Message is an *envelope.Error
	Done     = 1
	Answered = 2 // of Write: the server has answered and wants no more of the body
	// Of Receive: what a WebSocket's message is. Length counts all of it.
	TextMessage   = 3
	BinaryMessage = 4
	// Of Receive and Send that are not to wait: they would have to; or what was
	// taken has not left as a whole, which is for VerbFlush to wait for.
	NotYet  = 5
	Pending = 6
)

// Call handles one message from start to end. For a request that means: send
// it with body, follow where it leads, and return the head of the response. A
// body that fits buffer comes along; a longer one is left to Read under
// Reply.Handle.
func (l *Library) Call(target uint64, text string, body, buffer []byte, signals func() bool) (reply Reply) {
	defer guard(&reply)
	incoming, err := envelope.Decode(text)
	if err != nil {
		return failed(err)
	}
	return l.call(target, incoming, body, given(buffer), host{signals: signals})
}

// given is the room that the host has made, whatever the length.
func given(buffer []byte) func(int64) []byte {
	return func(int64) []byte { return buffer }
}

func (l *Library) call(target uint64, incoming any, body []byte, room func(int64) []byte, h host) Reply {
	if request, ok := incoming.(*envelope.Request); ok {
		return l.request(target, request, body, room, h)
	}
	answer, err := l.control(target, incoming, h.signals)
	if err != nil {
		return failed(err)
	}
	reply := Reply{Message: answer, Status: Done}
	if serving, ok := answer.(*envelope.Serving); ok {
		reply.Handle = serving.Handle // for a host that reads no messages
	}
	return reply
}

// Start begins a request whose body follows through Write.
func (l *Library) Start(target uint64, text string, signals func() bool) (reply Reply) {
	defer guard(&reply)
	incoming, err := envelope.Decode(text)
	if err != nil {
		return failed(err)
	}
	return l.start(target, incoming, host{signals: signals})
}

func (l *Library) start(target uint64, incoming any, h host) Reply {
	request, ok := incoming.(*envelope.Request)
	if !ok || request.Body == nil || !request.Body.Streamed {
		return failed(&envelope.Error{Kind: envelope.InvalidMessage, Message: "start takes a request with a streamed body"})
	}
	x, err := l.begin(target, request, nil, h)
	if err != nil {
		return failed(err)
	}
	return Reply{Handle: l.handles.add(x), Status: Done}
}

// request is Call for a request.
func (l *Library) request(target uint64, request *envelope.Request, body []byte, room func(int64) []byte, h host) Reply {
	x, err := l.begin(target, request, body, h)
	if err != nil {
		return failed(err)
	}
	return l.answered(x, room)
}

// answered is what comes of a request that was sent.
func (l *Library) answered(x *exchange, room func(int64) []byte) Reply {
	reply, over, err := x.answer(room)
	return l.concluded(x, reply, over, err)
}

// concluded gives the rest of an exchange a handle, where there is any.
func (l *Library) concluded(x *exchange, reply Reply, over bool, err error) Reply {
	switch {
	case err != nil:
		x.end()
		return failed(err)
	case over:
		x.end()
	default:
		reply.Handle = l.handles.add(x)
	}
	return reply
}

// Write sends a piece of a streamed body; an empty one ends it.
func (l *Library) Write(handle uint64, piece []byte, signals func() bool) (reply Reply) {
	defer guard(&reply)
	return l.write(handle, piece, host{signals: signals})
}

func (l *Library) write(handle uint64, piece []byte, h host) Reply {
	x, err := l.use(handle, h)
	if err != nil {
		return failed(err)
	}
	defer x.mu.Unlock()
	if len(piece) == 0 {
		err = x.CloseWrite()
	} else {
		_, err = x.Exchange.Write(piece)
	}
	switch {
	case errors.Is(err, message.ErrAnswered):
		return Reply{Status: Answered}
	case err != nil:
		return l.abandon(handle, x, err)
	}
	return Reply{Status: Done}
}

// Wait returns the response to a request that was started, as Call does.
func (l *Library) Wait(handle uint64, buffer []byte, signals func() bool) (reply Reply) {
	defer guard(&reply)
	return l.wait(handle, given(buffer), host{signals: signals})
}

func (l *Library) wait(handle uint64, room func(int64) []byte, h host) Reply {
	x, err := l.use(handle, h)
	if err != nil {
		return failed(err)
	}
	defer x.mu.Unlock()
	reply, over, err := x.answer(room)
	switch {
	case err != nil:
		return l.abandon(handle, x, err)
	case over:
		l.finish(handle, x)
	default:
		reply.Handle = handle
	}
	return reply
}

// Read fills buffer with the next bytes of the body. When the body has ended the
// exchange is over and Reply.Handle 0.
func (l *Library) Read(handle uint64, buffer []byte, signals func() bool) (reply Reply) {
	defer guard(&reply)
	return l.read(handle, buffer, host{signals: signals})
}

func (l *Library) read(handle uint64, buffer []byte, h host) Reply {
	x, err := l.use(handle, h)
	if err != nil {
		return failed(err)
	}
	defer x.mu.Unlock()
	if x.WebSocket() != nil {
		n := copy(buffer, x.unread)
		if x.unread = x.unread[n:]; len(x.unread) == 0 {
			handle = 0
		}
		return Reply{Handle: handle, Filled: n, Status: Done}
	}
	n, err := x.fill(buffer)
	return l.filled(handle, x, n, err)
}

// readOn is the rest of a Read that was begun from a hall.
func (l *Library) readOn(p *piece) Reply {
	defer p.x.mu.Unlock()
	n, err := p.x.fill(p.work.Buffer[p.filled:])
	return l.filled(p.work.Target, p.x, p.filled+n, err)
}

// filled is what comes of reading n bytes of a body.
func (l *Library) filled(handle uint64, x *exchange, n int, err error) Reply {
	switch {
	case err == io.EOF:
		l.finish(handle, x)
		return Reply{Filled: n, Status: Done}
	case err != nil:
		return l.abandon(handle, x, err)
	}
	return Reply{Handle: handle, Filled: n, Status: Done}
}

// Cancel ends, from any thread, an exchange, work that was submitted, or whatever a
// cancel token was given to: the verb at work on it returns an error of kind
// cancelled. It reports whether the handle named one.
func (l *Library) Cancel(handle uint64) bool {
	defer fault.Survive()
	switch ending := l.handles.get(handle).(type) {
	case *exchange:
		ending.ctx.Cancel(wait.ErrCancelled)
	case *operation:
		ending.end(wait.ErrCancelled)
	case *token:
		ending.end(wait.ErrCancelled)
	default:
		return false
	}
	return true
}

// Close ends what the handle names, a session, a queue or a capture server with all
// that belongs to it. It reports whether there was anything; closing twice is harmless.
func (l *Library) Close(handle uint64) bool {
	defer fault.Survive()
	switch closing := l.handles.remove(handle).(type) {
	case *exchange:
		closing.close()
		return true
	case *session:
		closing.close()
		return true
	case *queue:
		l.closeQueue(closing)
		return true
	case *token:
		return true
	case *capture.Server:
		closing.Close()
		return true
	case Sidecar:
		closing.Close()
		return true
	case *cookie.Jar:
		return true
	}
	return false
}

// Shut closes everything that was made and not closed.
func (l *Library) Shut() {
	for _, handle := range l.handles.all() {
		l.Close(handle)
	}
}

// use takes an exchange for one verb; the caller unlocks it.
func (l *Library) use(handle uint64, h host) (*exchange, error) {
	x, ok := l.handles.get(handle).(*exchange)
	if !ok {
		return nil, closed("exchange")
	}
	if !x.mu.TryLock() {
		return nil, &envelope.Error{Kind: envelope.InvalidMessage, Message: "the exchange is in use by another thread"}
	}
	h.take(x)
	return x, nil
}

func (l *Library) finish(handle uint64, x *exchange) {
	l.handles.remove(handle)
	x.end()
}

func (l *Library) abandon(handle uint64, x *exchange, err error) Reply {
	l.finish(handle, x)
	return failed(err)
}

func failed(err error) Reply {
	return Reply{Message: engine.Failure(err), Status: Failed}
}

func closed(what string) error {
	return &envelope.Error{Kind: envelope.Closed, Message: "this " + what + " is closed, or was never open"}
}

// guard turns a panic of ours into an error of kind internal: no fault of the
// core may take the host process down.
func guard(reply *Reply) {
	if value := recover(); value != nil {
		*reply = Fault(value)
	}
}

// Fault is the reply of a verb that ended in a panic.
func Fault(value any) Reply {
	caught := fault.New(value)
	return Reply{Status: Failed, Message: &envelope.Error{
		Kind:    envelope.Internal,
		Message: fmt.Sprint(caught.Value),
		Detail:  map[string]string{"stack": caught.Stack},
	}}
}
