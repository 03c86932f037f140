package library

import (
	"io"
	"sync"

	"github.com/cycletls/cycletls/golang/internal/engine"
	"github.com/cycletls/cycletls/golang/internal/engine/cookie"
	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// exchange is one request and its response under a handle.
type exchange struct {
	mu  sync.Mutex // held by the verb at work
	ctx *wait.Context
	*engine.Exchange

	delivered int64   // bytes of the body the host has
	probe     [1]byte // nothing fits the end of a body of known length
}

// begin opens an exchange of a session and sends the head of its request, with
// body where that comes beside the message.
func (l *Library) begin(target uint64, request *envelope.Request, body []byte, signals func() bool) (*exchange, error) {
	session, ok := l.handles.get(target).(*engine.Session)
	if !ok {
		return nil, closed("session")
	}
	jar, ok := l.handles.get(request.Jar).(*cookie.Jar)
	if !ok && request.Jar != 0 {
		return nil, closed("cookie jar")
	}
	ctx := wait.New(limits(session.Timeouts(request)), signals)
	var started *engine.Exchange
	var err error
	if jar != nil {
		started, err = session.StartWith(ctx, jar, request, body)
	} else {
		started, err = session.Start(ctx, request, body)
	}
	if err != nil {
		ctx.Release()
		return nil, err
	}
	return &exchange{ctx: ctx, Exchange: started}, nil
}

func limits(t envelope.Timeouts) wait.Limits {
	return wait.Limits{
		wait.Total:   t.Total,
		wait.Pool:    t.Pool,
		wait.Connect: t.Connect,
		wait.Write:   t.Write,
		wait.Read:    t.Read,
	}
}

// answer waits for the response and puts as much of its body into buffer as
// fits. A body known not to fit stays unread: the host makes room for all of it
// and saves a copy. It reports whether the exchange is over.
func (x *exchange) answer(buffer []byte) (reply Reply, over bool, err error) {
	response, err := x.Reply()
	if err != nil {
		return Reply{}, true, err
	}
	reply = Reply{Message: response, Status: response.Status, Length: x.Length()}
	if reply.Length > int64(len(buffer)) {
		return reply, false, nil
	}
	reply.Filled, err = x.fill(buffer)
	if err == io.EOF {
		response.Trailers = x.Trailers()
		return reply, true, nil
	}
	return reply, false, err
}

// fill reads until buffer is full or the body ends, which io.EOF tells. A buffer
// made for a known length is full before the end was seen, so the end is asked
// for.
func (x *exchange) fill(buffer []byte) (filled int, err error) {
	for filled < len(buffer) && err == nil {
		var n int
		n, err = x.Read(buffer[filled:])
		filled += n
	}
	x.delivered += int64(filled)
	if err == nil && x.delivered == x.Length() {
		_, err = x.Read(x.probe[:])
	}
	return filled, err
}

// end gives back everything the exchange holds.
func (x *exchange) end() {
	x.Exchange.Close()
	x.ctx.Release()
}
