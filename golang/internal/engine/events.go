package engine

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"mime"
	"strconv"
	"strings"
	"time"

	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/sse"
	"github.com/cycletls/cycletls/golang/internal/transport"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// EventStreamError is a response that is no stream of events.
type EventStreamError struct{ What string }

func (e *EventStreamError) Error() string { return e.What }

// events is a stream of events over one connection after the other: what the HTML
// standard calls an event source (section 9.2).
type events struct {
	parser *sse.Parser
	body   []byte // of the request, to be sent again
	rest   []byte // read and not parsed
	buffer []byte
	failed int // attempts to connect since the last event
}

const (
	// maxAttempts is how often in a row a stream cannot be had before that is an
	// error: about ten minutes, with what is between them.
	maxAttempts = 10
	// maxBackoff bounds the time between two attempts, unless the server asks for
	// more.
	maxBackoff = 2 * time.Minute
	// steady is how long a connection lasts that was no failure, events or not.
	steady = time.Minute
)

// checkEvents prepares a stream of events.
func (x *Exchange) checkEvents() error {
	r := x.request
	if r.Events == nil {
		return nil
	}
	if r.Body != nil && r.Body.Streamed {
		return &BodyError{"a stream of events sends its request again, so its body cannot come in pieces"}
	}
	if x.events == nil {
		x.events = &events{parser: sse.NewParser(r.Events.LastEventID, r.Events.MaxEventBytes), body: bytes.Clone(x.body)}
	}
	return nil
}

// asking returns the caller's fields with those that an event source adds.
func (e *events) asking(changes []envelope.HeaderChange) []envelope.HeaderChange {
	all := changes[:len(changes):len(changes)]
	for _, field := range []message.Field{
		{Name: "Accept", Value: sse.ContentType}, {Name: "Cache-Control", Value: "no-cache"}, {Name: "Last-Event-ID", Value: e.parser.LastID()},
	} {
		if field.Value != "" && (!mentions(changes, field.Name) || field.Name == "Last-Event-ID") {
			all = append(all, envelope.HeaderChange{Name: field.Name, Value: field.Value})
		}
	}
	return all
}

// checkStream refuses a response that is no stream. 204 is a stream that has ended
// for good.
func checkStream(head *envelope.Response) error {
	if head.Status == 204 {
		return nil
	}
	switch {
	case head.Status != 200:
		return &EventStreamError{"a stream of events was asked for, and the answer is " + statusLine(head)}
	case !IsEventStream(head):
		given, _ := head.Headers.Get("Content-Type")
		return &EventStreamError{"the response is no stream of events: its content type is " + strconv.Quote(given)}
	}
	return nil
}

// IsEventStream reports whether a response says that it is one of events.
func IsEventStream(head *envelope.Response) bool {
	given, _ := head.Headers.Get("Content-Type")
	kind, _, err := mime.ParseMediaType(given)
	return err == nil && kind == sse.ContentType
}

func statusLine(head *envelope.Response) string {
	return strings.TrimSpace(strconv.Itoa(head.Status) + " " + head.Reason)
}

// NextEvent waits for the next event, connecting again where it must. io.EOF means
// that the server wants nobody to.
func (x *Exchange) NextEvent() (*envelope.Event, error) {
	if _, err := x.Reply(); err != nil {
		return nil, err
	}
	if err := checkStream(&x.response); err != nil {
		return nil, x.fail(err)
	}
	for {
		if x.response.Status == 204 {
			return nil, io.EOF
		}
		event, err := x.readEvent()
		if err == nil || !interrupted(err) {
			return event, err
		}
		if err := x.reconnect(err); err != nil {
			return nil, err
		}
	}
}

// readEvent returns the next event of the connection.
func (x *Exchange) readEvent() (*envelope.Event, error) {
	e := x.events
	if e.buffer == nil {
		e.buffer = make([]byte, 16<<10)
	}
	for {
		event, rest, err := e.parser.Feed(e.rest)
		e.rest = rest
		switch {
		case err != nil:
			return nil, x.fail(err)
		case event != nil:
			e.failed = 0
			retry, asked := e.parser.Retry()
			if !asked {
				retry = -1
			}
			return &envelope.Event{Name: event.Name, Data: event.Data, ID: event.ID, Retry: retry}, nil
		}
		n, err := x.Read(e.buffer)
		if e.rest = e.buffer[:n]; err != nil && n == 0 {
			return nil, err
		}
	}
}

// interrupted reports whether a stream is to be gone on with after err.
func interrupted(err error) bool {
	var incomplete *message.IncompleteError
	return err == io.EOF || errors.As(err, &incomplete) || isConnectionLoss(err)
}

// unreachable reports whether a server that could not be asked may be there later.
func unreachable(err error) bool {
	var connect *transport.ConnectError
	var timeout *wait.TimeoutError
	if errors.As(err, &timeout) {
		return timeout.Phase == wait.Connect || timeout.Phase == wait.Read || timeout.Phase == wait.Total
	}
	return interrupted(err) || errors.As(err, &connect)
}

// reconnect waits and asks for the stream anew, until there is one.
func (x *Exchange) reconnect(last error) error {
	e := x.events
	if time.Since(x.hop.opened) > steady {
		e.failed = 0
	}
	for {
		if e.failed++; e.failed > maxAttempts && errors.Is(last, io.EOF) {
			return x.fail(&EventStreamError{"the server ends the stream of events time and again without sending one"})
		} else if e.failed > maxAttempts {
			return x.fail(last)
		}
		if err := x.pause(e.delay(x.request.Events.Retry)); err != nil {
			return x.fail(err)
		}
		err := x.again()
		if err == nil && !passing(x.response.Status) {
			if err := checkStream(&x.response); err != nil {
				return x.fail(err)
			}
			return nil
		}
		if err == nil {
			err = &EventStreamError{"the server cannot go on with the stream of events: " + statusLine(&x.response)}
		} else if !unreachable(err) {
			return err
		}
		last = err
	}
}

// passing reports whether a status says that it may be another one later.
func passing(status int) bool {
	switch status {
	case 429, 500, 502, 503, 504:
		return true
	}
	return false
}

// delay is the reconnection time, doubled with each failure after the first, and
// spread by a quarter so that a server that was away is not met by all at once.
func (e *events) delay(otherwise time.Duration) time.Duration {
	base, asked := e.parser.Retry()
	if !asked {
		base = otherwise
	}
	delay := base << min(e.failed-1, 20)
	if limit := max(base, maxBackoff); delay > limit || delay < base {
		delay = limit
	}
	if e.failed > 1 {
		delay += time.Duration(rand.Float64() * 0.25 * float64(delay))
	}
	return delay
}

// pause waits for nothing but the end of the exchange.
func (x *Exchange) pause(limit time.Duration) error {
	if limit > 0 {
		_ = x.ctx.Part(limit).Await(nil, wait.Total)
	}
	return x.ctx.Check()
}

// again sends the request anew, with as much time for its answer as the first had.
func (x *Exchange) again() error {
	x.release()
	x.ctx.Relimit()
	defer x.ctx.Unlimit()
	e := x.events
	x.hop, x.response, x.reader = hop{began: time.Now()}, envelope.Response{}, nil
	x.answered, x.failed, x.received, x.body = false, nil, 0, e.body
	e.parser, e.rest = e.parser.Resume(), nil
	if err := x.prepare(); err != nil {
		return x.fail(err)
	}
	if err := x.send(); err != nil {
		return x.fail(err)
	}
	_, err := x.Reply()
	return err
}
