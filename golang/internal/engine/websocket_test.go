package engine

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
	"github.com/cycletls/cycletls/golang/internal/websocket"
)

// patient is a connection that waits for ever.
type patient struct{ net.Conn }

func (patient) SetReadContext(*wait.Context)  {}
func (patient) SetWriteContext(*wait.Context) {}

// accept answers a handshake and returns the server's end.
func accept(t testing.TB, w http.ResponseWriter, r *http.Request, subprotocols ...string) *websocket.Conn {
	var asked message.Fields
	for name, values := range r.Header {
		for _, value := range values {
			asked = append(asked, message.Field{Name: name, Value: value})
		}
	}
	fields, agreed, err := websocket.Answer(asked, subprotocols, true)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return nil
	}
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		t.Error(err)
		return nil
	}
	fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\n")
	for _, f := range fields {
		fmt.Fprintf(conn, "%s: %s\r\n", f.Name, f.Value)
	}
	fmt.Fprint(conn, "\r\n")
	return websocket.New(patient{conn}, websocket.Config{Server: true, Deflate: agreed.Deflate})
}

func echo(c *websocket.Conn) {
	for ctx := wait.Background(); ; {
		opcode, p, err := c.Receive(ctx)
		if err != nil {
			_ = c.Shut()
			return
		}
		_ = c.Send(ctx, opcode, p)
	}
}

func ws(url string, change func(*envelope.WebSocket)) *envelope.Request {
	r := get(strings.Replace(url, "http", "ws", 1))
	r.WebSocket = &envelope.WebSocket{Compression: true}
	if change != nil {
		change(r.WebSocket)
	}
	return r
}

// A WebSocket over HTTP/1.1, in the clear and with TLS whose server would rather
// speak HTTP/2: messages both ways, a subprotocol, and a goodbye.
func TestWebSocket(t *testing.T) {
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			srv := server(t, p.secure, p.h2, func(w http.ResponseWriter, r *http.Request) {
				if c := accept(t, w, r, "b"); c != nil {
					go echo(c)
				}
			})
			s := session(t, nil)
			_ = must(t, s, get(srv.URL+"/plain"), "") // a connection that cannot be used
			x, err := s.Start(wait.Background(), ws(srv.URL, func(w *envelope.WebSocket) { w.Subprotocols = []string{"a", "b"} }), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer x.Close()
			response, err := x.Reply()
			if err != nil {
				t.Fatal(err)
			}
			chosen, _ := response.Headers.Get("Sec-WebSocket-Protocol")
			if response.Status != 101 || chosen != "b" || !strings.HasPrefix(response.URL, "ws") {
				t.Errorf("%+v", response)
			}
			c := x.WebSocket()
			for _, text := range []string{"", "Hello", strings.Repeat("x", 100000)} {
				if err := c.Send(wait.Background(), websocket.Text, []byte(text)); err != nil {
					t.Fatal(err)
				}
				opcode, got, err := c.Receive(wait.Background())
				if err != nil || opcode != websocket.Text || string(got) != text {
					t.Fatalf("%d %q %v", opcode, got, err)
				}
			}
			if err := c.Close(wait.Background(), 1000, "bye"); err != nil {
				t.Error(err)
			}
			x.Close()
			s.Close()
			if open := s.Connections(); open != 0 {
				t.Errorf("%d connections", open)
			}
		})
	}
}

// The handshake looks like a browser's, and what the caller says goes before.
func TestWebSocketHandshake(t *testing.T) {
	config := defaults(t)
	config.Profile = profileNamed(t, "chrome-156-linux")
	s, w := onWire(t, config, func(seen) reply { return reply{status: 403, body: strings.NewReader("no")} })
	r := ws("http://example.test/chat?x=1", func(w *envelope.WebSocket) { w.Subprotocols = []string{"a", "b"} })
	r.Headers = []envelope.HeaderChange{{Name: "X-Own", Value: "1"}, {Name: "Sec-WebSocket-Version", Value: "14"}}
	response, content, err := exchange(s, r, "")
	if err != nil || response.Status != 403 || content != "no" || response.URL != "ws://example.test/chat?x=1" {
		t.Fatalf("%+v %q %v", response, content, err)
	}
	sent := w.last()
	if !sent.origin.WebSocket || !sent.fresh || sent.Path != "/chat?x=1" || sent.Method != "GET" {
		t.Errorf("%+v", sent)
	}
	for name, want := range map[string]string{
		"Host": "example.test", "Connection": "Upgrade", "Upgrade": "websocket", "Origin": "http://example.test", "X-Own": "1",
		"Sec-WebSocket-Version": "14", "Sec-WebSocket-Protocol": "a, b", "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits",
	} {
		if got := sent.field(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	first := sent.field("Sec-WebSocket-Key")
	r.WebSocket.Compression = false
	if _, _, err := exchange(s, r, ""); err != nil || w.last().Fields.Has("Sec-WebSocket-Extensions") || w.last().field("Sec-WebSocket-Key") == first {
		t.Errorf("%v %v", w.last().Fields, err)
	}
}

// What is no handshake is refused before anything is sent, and an answer that only
// looks like one afterwards.
func TestWebSocketRefusals(t *testing.T) {
	s, w := onWire(t, defaults(t), func(seen) reply {
		return reply{status: 101, fields: message.Fields{{Name: "Upgrade", Value: "websocket"}, {Name: "Connection", Value: "Upgrade"}}}
	})
	for _, c := range []struct {
		change func(*envelope.Request)
		kind   envelope.Kind
	}{
		{func(r *envelope.Request) { r.Method = "POST" }, envelope.InvalidMethod},
		{func(r *envelope.Request) { r.Body = &envelope.Body{} }, envelope.InvalidBody},
		{func(r *envelope.Request) { r.WebSocket.Subprotocols = []string{"a", "a"} }, envelope.InvalidOption},
		{func(r *envelope.Request) { r.WebSocket.Subprotocols = []string{"a b"} }, envelope.InvalidOption},
		{func(r *envelope.Request) { r.URL = "ftp://example.test" }, envelope.InvalidURL},
		{func(*envelope.Request) {}, envelope.WebSocketHandshake},
	} {
		r := ws("http://example.test", nil)
		c.change(r)
		if _, _, err := exchange(s, r, ""); err == nil || KindOf(err) != c.kind {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if len(w.requests) != 1 {
		t.Errorf("%d requests", len(w.requests))
	}
}

// A server's goodbye reaches the caller with its code.
func TestWebSocketClosedByServer(t *testing.T) {
	srv := server(t, false, false, func(w http.ResponseWriter, r *http.Request) {
		if c := accept(t, w, r); c != nil {
			_ = c.Close(wait.Background(), 4000, "enough")
		}
	})
	x, err := session(t, nil).Start(wait.Background(), ws(srv.URL, nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if _, err := x.Reply(); err != nil {
		t.Fatal(err)
	}
	_, _, err = x.WebSocket().Receive(wait.Background())
	failure := Failure(err)
	if failure.Kind != envelope.WebSocketClosed || failure.Detail["code"] != "4000" || failure.Detail["reason"] != "enough" {
		t.Errorf("%+v", failure)
	}
}

// asked are the requests that a server has seen.
type asked struct {
	mu       sync.Mutex
	requests []*http.Request
}

func (a *asked) all() []*http.Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.requests)
}

// add returns how many there are.
func (a *asked) add(r *http.Request) int {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	a.mu.Lock()
	defer a.mu.Unlock()
	a.requests = append(a.requests, r)
	return len(a.requests)
}

// stream serves events; each connection gets the next part.
func stream(t *testing.T, parts ...func(w http.ResponseWriter, r *http.Request)) (string, *asked) {
	requests := new(asked)
	srv := server(t, false, false, func(w http.ResponseWriter, r *http.Request) {
		part := parts[min(requests.add(r), len(parts))-1]
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		part(w, r)
	})
	return srv.URL, requests
}

func sends(text string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }
}

func status(code int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func cut(text string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, text)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

// listen returns the data of all events, and how the stream ended.
func listen(t *testing.T, url string, change func(*envelope.Request), body string) ([]string, error) {
	t.Helper()
	r := get(url)
	r.Events = &envelope.Events{}
	if change != nil {
		change(r)
	}
	x, err := session(t, nil).Start(wait.Background(), r, []byte(body))
	if err != nil {
		return nil, err
	}
	defer x.Close()
	var all []string
	for {
		event, err := x.NextEvent()
		if err != nil {
			return all, err
		}
		all = append(all, event.Data)
	}
}

// A stream goes on where it ended, however it ended, with the last id that it gave,
// until the server says that it is over.
func TestEvents(t *testing.T) {
	url, requests := stream(t, sends("id: 1\ndata: a\n\nid: 2\ndata: lost"), cut("data: b\n\nid: 3\ndata: c\n\nda"), status(503), sends("\n"), sends("data: d\n\n"), status(204))
	all, err := listen(t, url, func(r *envelope.Request) {
		r.Method, r.Body = "POST", &envelope.Body{ContentType: "a/b"}
		r.Events.LastEventID = "0"
	}, "question")
	if err != io.EOF || !slices.Equal(all, []string{"a", "b", "c", "d"}) {
		t.Fatalf("%q, %v", all, err)
	}
	var ids []string
	for _, r := range requests.all() {
		body, _ := io.ReadAll(r.Body)
		if r.Method != "POST" || string(body) != "question" || r.Header.Get("Accept") != "text/event-stream" || r.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s %q %v", r.Method, body, r.Header)
		}
		ids = append(ids, r.Header.Get("Last-Event-ID"))
	}
	if !slices.Equal(ids, []string{"0", "1", "3", "3", "3", "3"}) {
		t.Errorf("ids %q", ids)
	}
}

// What is no stream of events is an error, at the first connection and at a later
// one; so is a server that never sends one.
func TestNoEvents(t *testing.T) {
	html := func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", "text/html") }
	for name, parts := range map[string][]func(http.ResponseWriter, *http.Request){
		"type": {html}, "type later": {sends("data: a\n\n"), html}, "404": {status(404)}, "503": {status(503)}, "401 later": {sends("data: a\n\n"), status(401)},
		"nothing": {sends("")},
	} {
		url, requests := stream(t, parts...)
		_, err := listen(t, url, nil, "")
		var wrong *EventStreamError
		if !errors.As(err, &wrong) || KindOf(err) != envelope.EventStream {
			t.Errorf("%s: %v", name, err)
		}
		if name == "nothing" && len(requests.all()) != maxAttempts+1 {
			t.Errorf("%d requests", len(requests.all()))
		}
	}
}

// An event without end is stopped at the limit.
func TestEventLimit(t *testing.T) {
	url, _ := stream(t, sends(strings.Repeat("data: x\n", 1000)))
	_, err := listen(t, url, func(r *envelope.Request) { r.Events.MaxEventBytes = 500 }, "")
	if err == nil || KindOf(err) != envelope.Limit {
		t.Error(err)
	}
}
