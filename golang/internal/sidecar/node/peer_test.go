package node

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/wait"
	"github.com/cycletls/cycletls/golang/internal/wait/waittest"
	"github.com/cycletls/cycletls/golang/internal/websocket"
)

// peer is a client of the test's.
type peer struct {
	t      *testing.T
	socket *websocket.Conn
	down   *waittest.Conn // the server's end
	served chan struct{}  // closed when the server has ended everything
}

func profile(t *testing.T, name string) string {
	t.Helper()
	document, err := os.ReadFile("../../../../cycletls/browsers/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return string(document)
}

func defaults(t *testing.T) *envelope.Node {
	plain, firefox := profile(t, "plain"), profile(t, "firefox-154-macos")
	return &envelope.Node{Session: envelope.Session{
		Identity:              envelope.Identity{Profile: plain, Bases: []string{firefox, plain}},
		Redirects:             envelope.Redirects{Follow: true, Max: 10},
		EnableConnectionReuse: true,
		MaxIdleConnections:    100,
		MaxHeaderBytes:        256 << 10,
		MaxInformational:      8,
		MaxExpansion:          100,
	}}
}

// connect returns a client of a server with these defaults.
func connect(t *testing.T, defaults *envelope.Node) *peer {
	t.Helper()
	up, down := waittest.Pipe()
	p := &peer{t: t, socket: websocket.New(up, websocket.Config{}), down: down, served: make(chan struct{})}
	go func() {
		defer close(p.served)
		Serve(websocket.New(down, websocket.Config{Server: true, MaxMessage: MaxMessage}), &Config{Defaults: defaults, Stall: time.Minute})
	}()
	t.Cleanup(p.leave)
	return p
}

// leave goes without a word, and waits for the server to be done.
func (p *peer) leave() {
	_ = p.socket.Shut()
	select {
	case <-p.served:
	case <-time.After(20 * time.Second):
		p.t.Error("the server goes on after its client has left")
	}
}

func forever() *wait.Context { return wait.New(wait.Limits{wait.Total: 20 * time.Second}, nil) }

func (p *peer) say(message string) {
	p.t.Helper()
	if err := p.socket.Send(forever(), websocket.Text, []byte(message)); err != nil {
		p.t.Fatal(err)
	}
}

// ask sends a request.
func (p *peer) ask(id string, options map[string]any) {
	p.t.Helper()
	message, err := json.Marshal(map[string]any{"requestId": id, "options": options})
	if err != nil {
		p.t.Fatal(err)
	}
	p.say(string(message))
}

// frame is what came.
type frame struct {
	id, kind string
	status   int
	text     string // the URL of a response, the message of an error
	fields   map[string][]string
	data     []byte
	opcode   byte
}

// next returns the next frame, which must be whole and nothing more.
func (p *peer) next() (f frame) {
	p.t.Helper()
	opcode, b, err := p.socket.Receive(forever())
	if err != nil || opcode != websocket.Binary {
		p.t.Fatalf("opcode %d, %v", opcode, err)
	}
	number := func() int {
		n := binary.BigEndian.Uint16(b)
		b = b[2:]
		return int(n)
	}
	text := func() string {
		n := number()
		s := string(b[:n])
		b = b[n:]
		return s
	}
	data := func() []byte {
		n := binary.BigEndian.Uint32(b)
		d := append([]byte{}, b[4:4+n]...)
		b = b[4+n:]
		return d
	}
	f.id, f.kind = text(), text()
	switch f.kind {
	case kindResponse:
		f.status, f.text, f.fields = number(), text(), map[string][]string{}
		for count := number(); count > 0; count-- {
			name := text()
			for values := number(); values > 0; values-- {
				f.fields[name] = append(f.fields[name], text())
			}
		}
	case kindData, kindWSOpen, kindWSClose:
		f.data = data()
	case kindWSMessage:
		f.opcode, b = b[0], b[1:]
		f.data = data()
	case kindError, kindWSError:
		f.status, f.text = number(), text()
	case kindEnd:
	default:
		p.t.Fatalf("a frame of kind %q", f.kind)
	}
	if len(b) > 0 {
		p.t.Fatalf("%d bytes follow a frame of kind %q", len(b), f.kind)
	}
	return f
}

// expect returns the next frame, which must be of this kind.
func (p *peer) expect(id, kind string) frame {
	p.t.Helper()
	f := p.next()
	if f.id != id || f.kind != kind {
		p.t.Fatalf("%s of %.100q (%d %.200q), not %s of %.100q", f.kind, f.id, f.status, f.text, kind, id)
	}
	return f
}

// response returns the head and the body of a whole response.
func (p *peer) response(id string) (frame, string) {
	p.t.Helper()
	head, body := p.expect(id, kindResponse), ""
	for {
		switch f := p.next(); f.kind {
		case kindData:
			if len(f.data) > maxChunk {
				p.t.Fatalf("a chunk of %d bytes", len(f.data))
			}
			body += string(f.data)
		case kindEnd:
			return head, body
		default:
			p.t.Fatalf("%s: %d %s", f.kind, f.status, f.text)
		}
	}
}

// serve runs an HTTP server.
func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// echo answers with what it was asked.
func echo(w http.ResponseWriter, r *http.Request) {
	body := make([]byte, max(r.ContentLength, 0))
	n, _ := r.Body.Read(body)
	fmt.Fprintf(w, "%s %s %s %q %q %q", r.Method, r.URL, body[:n], r.Header["X-List"], r.Header["Cookie"], r.UserAgent())
}
