package node

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
	"github.com/cycletls/cycletls/golang/internal/websocket"
)

// plainDuplex is a connection whose waits nothing ends but its end.
type plainDuplex struct{ net.Conn }

func (plainDuplex) SetReadContext(*wait.Context)  {}
func (plainDuplex) SetWriteContext(*wait.Context) {}

// socketServer opens a WebSocket for everybody and does with it what it is told to.
func socketServer(t *testing.T, talk func(*websocket.Conn)) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var fields message.Fields
		for name, values := range r.Header {
			for _, value := range values {
				fields = append(fields, message.Field{Name: name, Value: value})
			}
		}
		answer, agreed, err := websocket.Answer(fields, []string{"chat"}, true)
		if err != nil || r.URL.Path == "/refused" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\n")
		for _, field := range answer {
			fmt.Fprintf(conn, "%s: %s\r\n", field.Name, field.Value)
		}
		fmt.Fprint(conn, "\r\n")
		talk(websocket.New(plainDuplex{conn}, websocket.Config{Server: true, Deflate: agreed.Deflate}))
	}))
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "http:", "ws:", 1)
}

// repeat says what it hears, until it hears goodbye.
func repeat(socket *websocket.Conn) {
	for {
		opcode, p, err := socket.Receive(forever())
		if err != nil {
			return
		}
		if err := socket.Send(forever(), opcode, p); err != nil {
			return
		}
	}
}

// open opens a WebSocket and returns the head of the response.
func (p *peer) open(id, url string, options map[string]any) frame {
	p.t.Helper()
	options["url"], options["protocol"] = url, "websocket"
	p.ask(id, options)
	reply := p.expect(id, kindResponse)
	if open := string(p.expect(id, kindWSOpen).data); !strings.HasPrefix(open, `{"type":"open","protocol":"`) {
		p.t.Error(open)
	}
	if line := string(p.expect(id, kindData).data); !strings.HasPrefix(line, `{"type":"websocket","status":"connected","message":"`) {
		p.t.Error(line)
	}
	return reply
}

// heard expects a message, in both of its forms.
func (p *peer) heard(id string, opcode websocket.Opcode, text, line string) {
	p.t.Helper()
	if f := p.expect(id, kindWSMessage); f.opcode != byte(opcode) || string(f.data) != text {
		p.t.Errorf("%d %q, not %d %q", f.opcode, f.data, opcode, text)
	}
	if f := p.expect(id, kindData); string(f.data) != line+"\n" {
		p.t.Errorf("%q, not %q", f.data, line)
	}
}

// Messages go to and fro; the body is the first, bytes are bytes, and each message
// that comes is there for published clients, too.
func TestWebSocket(t *testing.T) {
	p := connect(t, defaults(t))
	url := socketServer(t, repeat)
	reply := p.open("a", url, map[string]any{"body": "first", "headers": map[string]string{"Sec-WebSocket-Protocol": "chat"}})
	if reply.status != 101 || reply.fields["Sec-Websocket-Protocol"][0] != "chat" || reply.text != url+"/" {
		t.Errorf("%+v", reply)
	}
	p.heard("a", websocket.Text, "first", `{"type":"websocket","messageType":1,"data":"first"}`)
	p.say(`{"action":"ws_send","requestId":"a","data":"☃"}`)
	p.heard("a", websocket.Text, "☃", `{"type":"websocket","messageType":1,"data":"☃"}`)
	p.say(`{"action":"ws_send","requestId":"a","data":{"type":"Buffer","data":[0,255]},"isBinary":true}`)
	p.heard("a", websocket.Binary, "\x00\xff", `{"type":"websocket","messageType":2,"data":"AP8=","encoding":"base64"}`)
	p.say(`{"action":"ws_ping","requestId":"a","data":"?"}`)
	p.say(`{"action":"ws_pong","requestId":"a","data":"!"}`)
	p.say(`{"action":"ws_close","requestId":"a","code":4001,"reason":"enough"}`)
	if f := p.expect("a", kindWSClose); string(f.data) != `{"type":"close","code":4001,"reason":"enough"}` {
		t.Errorf("%s", f.data)
	}
	p.expect("a", kindEnd)
	p.say(`{"action":"ws_send","requestId":"a","data":"late"}`)
	p.expect("a", kindWSError)
}

// The server's goodbye ends that exchange with the server's own words, and a
// connection that is lost with an error.
func TestWebSocketEndsByItsServer(t *testing.T) {
	polite := socketServer(t, func(socket *websocket.Conn) { _ = socket.Close(forever(), 4002, "bye") })
	rude := socketServer(t, func(socket *websocket.Conn) { _ = socket.Shut() })
	p := connect(t, defaults(t))
	p.open("a", polite, map[string]any{})
	if f := p.expect("a", kindWSClose); string(f.data) != `{"type":"close","code":4002,"reason":"bye"}` {
		t.Errorf("%s", f.data)
	}
	p.expect("a", kindEnd)
	p.open("b", rude, map[string]any{})
	for _, kind := range []string{kindWSError, kindError, kindEnd} {
		p.expect("b", kind)
	}
}

// What cannot be done is answered with an error, and the WebSocket goes on.
func TestWebSocketErrors(t *testing.T) {
	url := socketServer(t, repeat)
	p := connect(t, defaults(t))
	p.ask("refused", map[string]any{"url": url + "/refused", "protocol": "websocket"})
	for _, kind := range []string{kindWSError, kindError} {
		if f := p.expect("refused", kind); f.status != 403 {
			t.Errorf("%s %d %s", kind, f.status, f.text)
		}
	}
	p.open("a", url, map[string]any{})
	for _, c := range []struct{ message, want string }{
		{`{"action":"ws_close","requestId":"a","code":1006}`, "1006"},
		{`{"action":"ws_ping","requestId":"a","data":"` + strings.Repeat("x", 126) + `"}`, "125"},
		{`{"action":"ws_send","requestId":"refused","data":"x"}`, "no WebSocket"},
	} {
		p.say(c.message)
		if f := p.next(); f.kind != kindWSError || !strings.Contains(f.text, c.want) {
			t.Errorf("%s: %s %s", c.message, f.kind, f.text)
		}
	}
	p.say(`{"action":"ws_send","requestId":"a","data":"still"}`)
	p.heard("a", websocket.Text, "still", `{"type":"websocket","messageType":1,"data":"still"}`)
	p.say(`{"action":"ws_close","requestId":"a"}`)
	if f := p.expect("a", kindWSClose); !strings.Contains(string(f.data), `"code":1000`) {
		t.Errorf("%s", f.data)
	}
	p.expect("a", kindEnd)
}

// Who cancels a WebSocket, or goes, does not leave its server without a word.
func TestWebSocketIsLeftWithAGoodbye(t *testing.T) {
	codes := make(chan uint16, 2)
	url := socketServer(t, func(socket *websocket.Conn) {
		_, _, err := socket.Receive(forever())
		var how *websocket.CloseError
		errors.As(err, &how)
		codes <- how.Code
	})
	p := connect(t, defaults(t))
	p.open("a", url, map[string]any{"timeout": 0.2})
	p.open("b", url, map[string]any{})
	p.say(`{"action":"cancel","requestId":"a"}`)
	p.expect("a", kindEnd)
	p.leave()
	for range 2 {
		if code := <-codes; code != websocket.GoingAway {
			t.Errorf("%d", code)
		}
	}
}
