package node

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cycletls/cycletls/golang/internal/engine"
	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/fault"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
	"github.com/cycletls/cycletls/golang/internal/websocket"
)

// exchange is one request of the client's and what the client hears of it.
type exchange struct {
	*engine.Exchange
	client  *client
	id      string
	options *options
	ctx     *wait.Context

	previous *exchange     // has the id, too, and comes first; client.mu guards it
	over     chan struct{} // closed when the next one may begin
	answered bool          // the client has the head of the response

	// Of a WebSocket.
	commands chan *command                        // to be said; nil: nothing, or no more; client.mu guards it
	closing  atomic.Pointer[websocket.CloseError] // the goodbye that the client has said
}

func newExchange(c *client, id string, o *options, previous *exchange) *exchange {
	limits := c.Defaults.Timeouts.Limits()
	if o.timeout > 0 {
		limits[wait.Total] = time.Duration(o.timeout)
	}
	if o.lasts() {
		// Only the head is bound in time: see await.
		limits[wait.Total], limits[wait.Read] = 0, 0
	}
	x := &exchange{client: c, id: id, options: o, ctx: wait.NewPrompt(limits), previous: previous, over: make(chan struct{})}
	if o.protocol == protocolWebSocket {
		x.commands = make(chan *command, maxQueue)
	}
	return x
}

// lasts reports whether the response has no end that could be waited for.
func (o *options) lasts() bool { return o.protocol != "" }

// cancel ends the exchange, and those that have its id and come before; client.mu is
// held.
func (x *exchange) cancel() {
	for ; x != nil; x = x.previous {
		x.ctx.Cancel(wait.ErrCancelled)
	}
}

// run does the exchange, and tells the client how it ended.
func (x *exchange) run() {
	err := x.perform()
	x.hush()
	// Who cancels a response has had enough of it; before there is one, somebody still
	// waits for an answer.
	if err != nil && !(x.answered && errors.Is(err, wait.ErrCancelled)) {
		x.fail(err)
	}
	if x.answered {
		_ = x.client.send(head(x.id, kindEnd))
	}
}

func (x *exchange) fail(err error) {
	kinds := []string{kindError}
	if x.options.protocol == protocolWebSocket {
		kinds = []string{kindWSError, kindError}
	}
	for _, kind := range kinds {
		_ = x.client.send(failure(x.id, kind, statusOf(err), engine.Failure(err).Message))
	}
}

func (x *exchange) perform() (err error) {
	defer fault.Catch(&err) // it ends one request, not all clients
	if err := x.follow(); err != nil {
		return err
	}
	session, err := x.client.sessions.take(x.options.configuration)
	if err != nil {
		return err
	}
	defer x.client.sessions.give(session)
	jar, err := x.options.jar()
	if err != nil {
		return err
	}
	if x.Exchange, err = session.StartWith(x.ctx, jar, x.options.request(), x.options.content()); err != nil {
		return err
	}
	defer x.Close()
	reply, err := x.await()
	if err != nil {
		return err
	}
	switch {
	case x.WebSocket() != nil:
		return x.passMessages(reply)
	case x.options.protocol == protocolEvents && engine.IsEventStream(reply): // another one tells why there are no events
		return x.passEvents()
	}
	return x.passBody()
}

// follow waits until the exchange that had the id before is over, come what may: even
// to say that this one has ended would be taken for a word on that.
func (x *exchange) follow() error {
	x.client.mu.Lock()
	previous := x.previous
	x.client.mu.Unlock()
	if previous == nil {
		return nil
	}
	<-previous.over
	x.client.mu.Lock()
	x.previous = nil
	x.client.mu.Unlock()
	return x.ctx.Check()
}

// await waits for the head of the response and passes it on.
func (x *exchange) await() (*envelope.Response, error) {
	if x.options.lasts() {
		defer x.within(time.Duration(x.options.timeout))()
	}
	reply, err := x.Reply()
	if err != nil {
		return nil, err
	}
	if x.options.protocol == protocolWebSocket && x.WebSocket() == nil {
		return nil, &refusedError{reply.Status, reply.Reason}
	}
	frame, err := response(x.id, reply, x.fields(reply))
	if err != nil {
		return nil, err
	}
	if err := x.client.send(frame); err != nil {
		return nil, err
	}
	x.answered = true
	return reply, nil
}

// within bounds what comes until the function that it returns is called.
func (x *exchange) within(limit time.Duration) func() bool {
	if limit == 0 {
		limit = x.client.Defaults.Timeouts.Total
	}
	if limit == 0 {
		return func() bool { return true }
	}
	return time.AfterFunc(limit, func() { x.ctx.Cancel(&wait.TimeoutError{Phase: wait.Total, Limit: limit}) }).Stop
}

// fields are those of the response, but for those that tell of a content coding
// which is undone here.
func (x *exchange) fields(reply *envelope.Response) message.Fields {
	if !x.Decodes() {
		return reply.Headers
	}
	return slices.DeleteFunc(slices.Clone(reply.Headers), func(f message.Field) bool {
		return strings.EqualFold(f.Name, "Content-Encoding") || strings.EqualFold(f.Name, "Content-Length")
	})
}

// passBody sends the body as it comes, and no faster than the client takes it.
func (x *exchange) passBody() error {
	frame := appendBytes(head(x.id, kindData), make([]byte, maxChunk))
	start := len(frame) - maxChunk
	for {
		n, err := x.Read(frame[start:])
		if n > 0 {
			binary.BigEndian.PutUint32(frame[start-4:], uint32(n))
			if err := x.client.send(frame[:start+n]); err != nil {
				return err
			}
		}
		switch err {
		case nil:
		case io.EOF:
			return nil
		default:
			return err
		}
	}
}

// statuses are what the client's users know failures by, where there is no response
// to have a status.
var statuses = map[envelope.Kind]int{
	envelope.TotalTimeout:     408,
	envelope.PoolTimeout:      408,
	envelope.ConnectTimeout:   408,
	envelope.WriteTimeout:     408,
	envelope.ReadTimeout:      408,
	envelope.DNS:              421,
	envelope.ConnectionClosed: 421,
	envelope.StreamReset:      421,
	envelope.TLSFailed:        495,
	envelope.Certificate:      495,
	envelope.Connect:          502,
}

func statusOf(err error) int {
	var refused *refusedError
	if errors.As(err, &refused) {
		return refused.status
	}
	return statuses[engine.KindOf(err)]
}
