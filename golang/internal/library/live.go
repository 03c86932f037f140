package library

import (
	"encoding/binary"
	"io"
	"time"

	"github.com/cycletls/cycletls/golang/internal/engine"
	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/fault"
	"github.com/cycletls/cycletls/golang/internal/wait"
	"github.com/cycletls/cycletls/golang/internal/websocket"
)

// goodbyeLimit is how long a WebSocket's server may take to answer our goodbye.
const goodbyeLimit = 10 * time.Second

// Receive waits for what an exchange tells that stays open: the next message of a
// WebSocket, of which as much as fits comes into buffer and the rest with Read, or
// the next event of a stream. A limit of 0 is none, one below does not wait for a
// message that is not there. After an error the WebSocket
// is there until it is closed; one of a stream ends its exchange.
func (l *Library) Receive(handle uint64, limit time.Duration, buffer []byte, signals func() bool) (reply Reply) {
	defer guard(&reply)
	return l.receive(handle, limit, given(buffer), host{signals: signals})
}

func (l *Library) receive(handle uint64, limit time.Duration, room func(int64) []byte, h host) Reply {
	x, ok := l.handles.get(handle).(*exchange)
	switch {
	case !ok:
		return failed(closed("exchange"))
	case x.WebSocket() == nil:
		return l.nextEvent(handle, h)
	}
	ctx := wait.Now
	if err := x.ctx.Err(); err != nil {
		return failed(err) // what ended a watched one
	}
	if limit >= 0 {
		ctx = x.operate(h, wait.Limits{wait.Read: limit})
		defer x.operated(ctx)
	}
	opcode, p, err := x.WebSocket().Receive(ctx)
	switch {
	case err == wait.ErrWouldBlock && x.WebSocket().Unsent():
		return Reply{Status: Pending}
	case err == wait.ErrWouldBlock:
		return Reply{Status: NotYet}
	case err != nil:
		return failed(err)
	}
	reply := Reply{Length: int64(len(p)), Status: BinaryMessage}
	if opcode == websocket.Text {
		reply.Status = TextMessage
	}
	reply.Filled = copy(room(reply.Length), p)
	x.unread = p[reply.Filled:]
	return reply
}

// watch gives the host's event loop a descriptor to watch in place of a Receive in
// the background. Nobody then notices that the exchange is to end, so that it ends
// the WebSocket, which the descriptor tells.
func (l *Library) watch(handle uint64) (any, error) {
	x, ok := l.handles.get(handle).(*exchange)
	if !ok || x.WebSocket() == nil {
		return nil, closed("WebSocket")
	}
	descriptor, err := x.WebSocket().Watch()
	if err != nil {
		return &envelope.Watched{Descriptor: -1}, nil
	}
	if !x.ctx.Arm((*ending)(x), time.Time{}) {
		(*ending)(x).Interrupt()
	}
	return &envelope.Watched{Descriptor: descriptor}, nil
}

// ending is the end of an exchange that nobody waits in.
type ending exchange

// Interrupt implements wait.Interrupter.
func (x *ending) Interrupt() {
	go func() {
		defer fault.Survive()
		_ = x.WebSocket().Shut()
	}()
}

// limitOf reads the limit of a Receive that was submitted: milliseconds in eight
// bytes, little endian; nothing is none.
func limitOf(p []byte) time.Duration {
	if len(p) != 8 {
		return 0
	}
	return time.Duration(int64(binary.LittleEndian.Uint64(p))) * time.Millisecond
}

func (l *Library) nextEvent(handle uint64, h host) Reply {
	x, err := l.use(handle, h)
	if err != nil {
		return failed(err)
	}
	defer x.mu.Unlock()
	event, err := x.NextEvent()
	switch {
	case err == io.EOF:
		l.finish(handle, x)
		return Reply{Status: Done}
	case err != nil:
		return l.abandon(handle, x, err)
	}
	return Reply{Handle: handle, Message: event, Status: Done}
}

// Send says something on a WebSocket; verb is one of VerbText to VerbFlush, or the
// negative of one of a message that is not to be waited for. Data
// is the message or what the ping carries, of a goodbye the code in two bytes and
// the reason. A goodbye waits for the server's and ends the exchange; Message
// then tells how, as an error would.
func (l *Library) Send(handle uint64, verb Verb, data []byte, signals func() bool) (reply Reply) {
	defer guard(&reply)
	return l.send(handle, verb, data, host{signals: signals})
}

func (l *Library) send(handle uint64, verb Verb, data []byte, h host) Reply {
	x, ok := l.handles.get(handle).(*exchange)
	if !ok || x.WebSocket() == nil {
		return failed(closed("WebSocket"))
	}
	switch {
	case verb == VerbGoodbye:
		return l.goodbye(handle, x, data, h)
	case verb < 0:
		return trySend(x.WebSocket(), -verb, data)
	}
	ctx := x.operate(h, wait.Limits{wait.Write: x.limits[wait.Write]})
	defer x.operated(ctx)
	var err error
	switch socket := x.WebSocket(); verb {
	case VerbText:
		err = socket.Send(ctx, websocket.Text, data)
	case VerbBinary:
		err = socket.Send(ctx, websocket.Binary, data)
	case VerbPing:
		err = socket.Ping(ctx, data)
	case VerbFlush:
		err = socket.Flush(ctx)
	default:
		err = errNoVerb
	}
	if err != nil {
		return failed(err)
	}
	return Reply{Status: Done}
}

func trySend(socket *websocket.Conn, verb Verb, data []byte) Reply {
	opcode := websocket.Binary
	switch verb {
	case VerbText:
		opcode = websocket.Text
	case VerbPing:
		opcode = websocket.Ping
	}
	switch taken, err := socket.TrySend(opcode, data); {
	case err != nil && wait.IsStop(err):
		return Reply{Status: Pending}
	case err != nil:
		return failed(err)
	case !taken:
		return Reply{Status: NotYet}
	}
	return Reply{Status: Done}
}

var errNoVerb = &envelope.Error{Kind: envelope.InvalidMessage, Message: "no such verb"}

func (l *Library) goodbye(handle uint64, x *exchange, data []byte, h host) Reply {
	if len(data) < 2 {
		return failed(&envelope.Error{Kind: envelope.InvalidMessage, Message: "a goodbye begins with a code of two bytes"})
	}
	ctx := x.operate(h, wait.Limits{wait.Total: goodbyeLimit})
	defer x.operated(ctx)
	socket := x.WebSocket()
	err := socket.Close(ctx, binary.BigEndian.Uint16(data), string(data[2:]))
	ended := socket.Ended()
	if ended == nil { // nothing that could be said
		return failed(err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	l.finish(handle, x)
	return Reply{Message: engine.Failure(ended), Status: Done}
}

// operate returns what one verb on a WebSocket obeys, beside another in the other
// direction: limits of its own, and whatever ends the exchange.
func (x *exchange) operate(h host, limits wait.Limits) *wait.Context {
	ctx := h.context(limits, nil)
	for _, g := range x.groups {
		g.enter(ctx)
	}
	return ctx
}

func (x *exchange) operated(ctx *wait.Context) {
	for _, g := range x.groups {
		g.leave(ctx)
	}
}
