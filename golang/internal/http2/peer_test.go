package http2

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	xhttp2 "golang.org/x/net/http2"
	xhpack "golang.org/x/net/http2/hpack"

	"github.com/cycletls/cycletls/golang/internal/hpack"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
	"github.com/cycletls/cycletls/golang/internal/wait/waittest"
)

// chrome is a configuration as a profile gives it.
var chrome = Config{
	Settings:        []Setting{{1, 65536}, {2, 0}, {4, 6291456}, {6, 262144}},
	WindowUpdate:    15663105,
	HeadersPriority: &Priority{Weight: 256, Exclusive: true},
	FirstStreamID:   1,
	PseudoOrder:     "masp",
	HPACK:           hpack.Quiche,

	MaxHeaderBytes: 256 << 10, MaxInformational: 8,
}

// peer is a server that does what a script says, rules or no rules.
type peer struct {
	*xhttp2.Framer
	t     *testing.T
	conn  *waittest.Conn
	block bytes.Buffer
	enc   *xhpack.Encoder
}

// errGone ends a script when the client has closed the connection.
var errGone = errors.New("the client has gone")

// against returns a connection to a server that begins with settings, reads the
// client's preface and then follows the script. Most scripts end by panicking
// with errGone, when the client closes.
func against(t *testing.T, cfg Config, settings []xhttp2.Setting, script func(*peer)) *Conn {
	t.Helper()
	client, server := waittest.Pipe()
	server.SetCapacity(256 << 10)
	p := &peer{t: t, conn: server, Framer: xhttp2.NewFramer(server, server)}
	p.AllowIllegalWrites = true
	p.enc = newEncoder(p)
	p.ReadMetaHeaders = xhpack.NewDecoder(65536, nil)
	c := NewConn(client, cfg)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer server.Close()
		defer p.end()
		p.must(p.WriteSettings(settings...))
		p.preface()
		script(p)
	}()
	t.Cleanup(func() {
		c.Close()
		<-done
	})
	return c
}

func newEncoder(p *peer) *xhpack.Encoder { return xhpack.NewEncoder(&p.block) }

// pipe is a connection in memory that the test ends.
func pipe(t *testing.T) (client, server *waittest.Conn) {
	client, server = waittest.Pipe()
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

// end lets a script end because the client has gone.
func (p *peer) end() {
	if reason := recover(); reason != nil && reason != errGone {
		panic(reason)
	}
}

func (p *peer) must(err error) {
	if err != nil {
		panic(errGone)
	}
}

func (p *peer) preface() {
	got := make([]byte, len(preface))
	_, err := io.ReadFull(p.conn, got)
	p.must(err)
	if string(got) != preface {
		p.t.Errorf("preface %q", got)
	}
}

// next returns the next frame.
func (p *peer) next() xhttp2.Frame {
	f, err := p.ReadFrame()
	p.must(err)
	return f
}

// await reads up to the next frame of a type.
func await[F xhttp2.Frame](p *peer) F {
	for {
		if f, ok := p.next().(F); ok {
			return f
		}
	}
}

// request reads up to the next request and returns its stream.
func (p *peer) request() uint32 { return await[*xhttp2.MetaHeadersFrame](p).StreamID }

// drain reads until the client closes.
func (p *peer) drain() {
	for {
		p.next()
	}
}

func (p *peer) encode(pairs ...string) []byte {
	p.block.Reset()
	for i := 0; i < len(pairs); i += 2 {
		p.must(p.enc.WriteField(xhpack.HeaderField{Name: pairs[i], Value: pairs[i+1]}))
	}
	return p.block.Bytes()
}

func (p *peer) respond(stream uint32, end bool, pairs ...string) {
	p.must(p.WriteHeaders(xhttp2.HeadersFrameParam{
		StreamID: stream, EndHeaders: true, EndStream: end, BlockFragment: p.encode(pairs...),
	}))
}

func (p *peer) data(stream uint32, end bool, data string) {
	p.must(p.WriteData(stream, end, []byte(data)))
}

// answerAll answers every request with its path's length as a body.
func (p *peer) answerAll() {
	for {
		stream := p.request()
		p.respond(stream, false, ":status", "200")
		p.data(stream, true, "ok")
	}
}

func get(path string, fields ...message.Field) *message.Request {
	return &message.Request{Method: "GET", Scheme: "http", Authority: "test.example", Path: path, Fields: fields}
}

func post(path string, length int64) *message.Request {
	return &message.Request{
		Method: "POST", Scheme: "http", Authority: "test.example", Path: path, HasBody: true, Length: length,
	}
}

// limited is a context whose total limit saves a broken test from hanging.
func limited() *wait.Context { return wait.New(wait.Limits{wait.Total: 20 * time.Second}, nil) }

func open(t testing.TB, c *Conn, ctx *wait.Context) message.Stream {
	t.Helper()
	s, err := c.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// send opens a stream and sends a head.
func send(t testing.TB, c *Conn, ctx *wait.Context, req *message.Request) message.Stream {
	t.Helper()
	s := open(t, c, ctx)
	if err := s.WriteHead(req); err != nil {
		t.Fatal(err)
	}
	return s
}

// exchange runs a request without a body to its end.
func exchange(c *Conn, req *message.Request) (*message.Response, []byte, error) {
	s, err := c.Open(limited())
	if err != nil {
		return nil, nil, err
	}
	defer s.Close()
	if err := s.WriteHead(req); err != nil {
		return nil, nil, err
	}
	head, err := s.ReadHead()
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(s)
	return head, body, err
}

// works fails the test unless the connection carries another exchange.
func works(t *testing.T, c *Conn) {
	t.Helper()
	if _, body, err := exchange(c, get("/")); err != nil || string(body) != "ok" {
		t.Errorf("the connection does not go on: %q, %v", body, err)
	}
}

// wantProtocol expects a protocol error that names what was wrong.
func wantProtocol(t *testing.T, err error, what string) {
	t.Helper()
	var broken *message.ProtocolError
	if !errors.As(err, &broken) || !bytes.Contains([]byte(broken.Error()), []byte(what)) {
		t.Errorf("got %v, want a protocol error about %q", err, what)
	}
}

func wantLimit(t *testing.T, err error) {
	t.Helper()
	var limit *message.LimitError
	if !errors.As(err, &limit) {
		t.Errorf("got %v, want a limit", err)
	}
}
