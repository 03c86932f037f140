package engine

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/transport"
	"github.com/cycletls/cycletls/golang/internal/websocket"
)

// WebSocket returns the connection that the response has opened, or nil where it
// refuses that. It ends with the exchange.
func (x *Exchange) WebSocket() *websocket.Conn { return x.socket }

// schemes are those of WebSockets (RFC 6455 section 3), and what carries them.
var schemes = [...]struct{ own, carrier string }{{"ws:", "http:"}, {"wss:", "https:"}}

// carried is the URL of the handshake.
func carried(url string) string {
	for _, scheme := range schemes {
		if trimmed := strings.TrimSpace(url); len(trimmed) > len(scheme.own) && strings.EqualFold(trimmed[:len(scheme.own)], scheme.own) {
			return scheme.carrier + trimmed[len(scheme.own):]
		}
	}
	return url
}

// own is the URL as its user wrote it.
func own(url string) string {
	for _, scheme := range schemes {
		if rest, ok := strings.CutPrefix(url, scheme.carrier); ok {
			return scheme.own + rest
		}
	}
	return url
}

// checkWebSocket refuses what is no handshake.
func checkWebSocket(r *envelope.Request) error {
	switch {
	case r.Method != "GET":
		return &MethodError{r.Method, "a WebSocket is opened with GET (RFC 6455 section 4.1)"}
	case r.Body != nil:
		return &BodyError{"a WebSocket is opened without a body"}
	}
	for i, name := range r.WebSocket.Subprotocols {
		if !isToken(name) || slices.Contains(r.WebSocket.Subprotocols[:i], name) {
			return &OptionError{"subprotocols", errors.New("not a token of its own: " + strconv.Quote(name))}
		}
	}
	return nil
}

// connect opens a stream for the request. A WebSocket takes a connection of
// HTTP/2 only where one is there that takes WebSockets, as browsers do, and else
// makes one that offers nothing but HTTP/1.1.
func (x *Exchange) connect(origin transport.Origin, fresh bool) (message.Stream, *message.Connection, error) {
	pool := x.session.pool
	if x.request.WebSocket == nil {
		return pool.Open(x.ctx, origin, fresh)
	}
	if !fresh {
		shared := origin
		shared.WebSocket = false
		if stream, conn, err := pool.OpenTunnel(x.ctx, shared); stream != nil || err != nil {
			return stream, conn, err
		}
	}
	return pool.Open(x.ctx, origin, true)
}

// opening returns the caller's fields with those of the handshake that the layout
// does not have.
func (x *Exchange) opening(l layout, h2 bool) []envelope.HeaderChange {
	w, changes := x.request.WebSocket, slices.Clone(x.intent.changes)
	set := func(name, value string) {
		if !mentions(changes, name) && !l.gives(name) {
			changes = append(changes, envelope.HeaderChange{Name: name, Value: value})
		}
	}
	if !h2 {
		set("Connection", "Upgrade")
		set("Upgrade", "websocket")
		set("Sec-WebSocket-Key", websocket.NewKey())
	}
	set("Sec-WebSocket-Version", "13")
	if slices.ContainsFunc(l, func(s slot) bool { return same(s.name, "Origin") }) {
		set("Origin", x.intent.url.Scheme+"://"+x.authority())
	}
	if w.Compression {
		set("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")
	} else if !mentions(changes, "Sec-WebSocket-Extensions") {
		changes = append(changes, envelope.HeaderChange{Name: "Sec-WebSocket-Extensions", Remove: true})
	}
	if len(w.Subprotocols) > 0 {
		set("Sec-WebSocket-Protocol", strings.Join(w.Subprotocols, ", "))
	}
	return changes
}

// gives reports whether the layout has a value for a field.
func (l layout) gives(name string) bool {
	return slices.ContainsFunc(l, func(s slot) bool { return s.value != "" && same(s.name, name) })
}

// upgrade makes a WebSocket of the exchange, if the response allows it.
func (x *Exchange) upgrade(head *message.Response) error {
	check, granted := websocket.CheckUpgrade, head.Status == 101
	if x.hop.head.Protocol != "" {
		check, granted = websocket.CheckAgreement, head.Status/100 == 2
	}
	if !granted {
		return nil
	}
	agreed, err := check(x.hop.head.Fields, head.Fields)
	if err != nil {
		return err
	}
	duplex, err := x.hop.stream.(message.Upgrader).Upgrade()
	if err != nil {
		return err
	}
	w := x.request.WebSocket
	x.socket = websocket.New(duplex, websocket.Config{
		Deflate: agreed.Deflate, MaxMessage: w.MaxMessageBytes,
		MaxExpansion: x.session.config.MaxExpansion, ExpansionFloor: expansionFloor,
		PingInterval: w.PingInterval, PingTimeout: w.PingTimeout,
	})
	return nil
}

// socketKind: what ended a WebSocket, or kept a response from being one, or a
// stream of events.
func socketKind(err error) (envelope.Kind, bool) {
	switch {
	case is[*websocket.CloseError](err):
		return envelope.WebSocketClosed, true
	case is[*websocket.HandshakeError](err):
		return envelope.WebSocketHandshake, true
	case is[*EventStreamError](err):
		return envelope.EventStream, true
	case is[*websocket.CodeError](err), errors.Is(err, websocket.ErrReceiving):
		return envelope.WebSocketInvalid, true
	}
	return "", false
}

// closeDetail tells how a WebSocket was closed.
func closeDetail(err error, detail map[string]string) map[string]string {
	var how *websocket.CloseError
	if !errors.As(err, &how) {
		return detail
	}
	if detail == nil {
		detail = make(map[string]string)
	}
	detail["code"], detail["reason"] = strconv.Itoa(int(how.Code)), how.Reason
	return detail
}
