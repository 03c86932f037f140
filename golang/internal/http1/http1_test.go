package http1

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
	"github.com/cycletls/cycletls/golang/internal/wait/waittest"
)

// session is a connection under test with the server's end in the test's hand.
type session struct {
	*testing.T
	conn   *Conn
	client *waittest.Conn
	server *waittest.Conn
	idle   []bool // what OnIdle was told, in order
}

// limited bounds what the servers of the tests send.
var limited = Config{MaxHeaderBytes: 256 << 10, MaxInformational: 8}

func newSession(t *testing.T) *session { return newSessionWith(t, limited) }

func newSessionWith(t *testing.T, cfg Config) *session {
	t.Helper()
	s := &session{T: t}
	s.client, s.server = waittest.Pipe()
	s.conn = NewConn(s.client, cfg)
	s.conn.OnIdle(func(_ *Conn, reusable bool) { s.idle = append(s.idle, reusable) })
	t.Cleanup(func() { s.conn.Close() })
	return s
}

func (s *session) open() message.Stream { return s.openWith(wait.Background()) }

func (s *session) openWith(ctx *wait.Context) message.Stream {
	s.Helper()
	stream, err := s.conn.Open(ctx)
	if err != nil {
		s.Fatal(err)
	}
	return stream
}

// start opens a stream and sends the head of req.
func (s *session) start(req *message.Request) message.Stream {
	s.Helper()
	stream := s.open()
	if err := stream.WriteHead(req); err != nil {
		s.Fatal(err)
	}
	return stream
}

// reply lets the server say something, to be read whenever the client gets there.
func (s *session) reply(text string) { s.server.Write([]byte(text)) }

// received takes what the client has sent since the last call.
func (s *session) received() string {
	s.Helper()
	p := make([]byte, s.server.Buffered())
	if _, err := io.ReadFull(s.server, p); err != nil {
		s.Fatal(err)
	}
	return string(p)
}

// exchange is a whole GET.
func (s *session) exchange(req *message.Request) (*message.Response, string, error) {
	s.Helper()
	stream := s.start(req)
	defer stream.Close()
	head, err := stream.ReadHead()
	if err != nil {
		return nil, "", err
	}
	content, err := io.ReadAll(stream)
	return head, string(content), err
}

func get(fields ...message.Field) *message.Request { return request("GET", fields...) }

func request(method string, fields ...message.Field) *message.Request {
	return &message.Request{
		Method: method, Scheme: "http", Authority: "a.test", Path: "/",
		Fields: append(message.Fields{{Name: "Host", Value: "a.test"}}, fields...),
	}
}

// post announces length bytes, or a chunked body.
func post(length int64, fields ...message.Field) *message.Request {
	req := request("POST", fields...)
	req.HasBody, req.Length = true, length
	framing := message.Field{Name: "Transfer-Encoding", Value: "chunked"}
	if length >= 0 {
		framing = message.Field{Name: "Content-Length", Value: formatLength(length)}
	}
	req.Fields = append(req.Fields, framing)
	return req
}

// fetch is what a client makes of a server that answers with reply and closes.
func fetch(t *testing.T, reply string) (*message.Response, string, error) {
	t.Helper()
	s := newSession(t)
	s.reply(reply)
	s.server.CloseWrite()
	return s.exchange(get())
}

// refuses checks that reply is an error of the kind of want, however it is cut
// into packets.
func refuses[E error](t *testing.T, reply string) {
	t.Helper()
	for _, size := range []int{0, 1, 7} {
		s := newSession(t)
		s.client.SetMaxRead(size)
		s.reply(reply)
		s.server.CloseWrite()
		_, content, err := s.exchange(get())
		var want E
		if !errors.As(err, &want) {
			t.Errorf("%s in pieces of %d: got %q and error %v (%T), want %T", abridge(reply), size, content, err, err, want)
		}
		s.expectIdle(false)
	}
}

func (s *session) expectIdle(want ...bool) {
	s.Helper()
	if len(s.idle) != len(want) {
		s.Fatalf("OnIdle was told %v, want %v", s.idle, want)
	}
	for i := range want {
		if s.idle[i] != want[i] {
			s.Fatalf("OnIdle was told %v, want %v", s.idle, want)
		}
	}
}

func abridge(text string) string {
	if len(text) > 200 {
		return text[:100] + "…" + text[len(text)-100:]
	}
	return strings.ReplaceAll(text, "\r\n", "↵")
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}
