package engine

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/transport"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// wire stands in for the connections: it notes every request that would have
// left and answers as the test says.
type wire struct {
	answer   func(seen) reply
	requests []seen
	protocol string // "" = "http/1.1"
}

// seen is one attempt to send a request.
type seen struct {
	message.Request
	body   string
	origin transport.Origin
	fresh  bool
	closed bool // the stream was
	read   int  // bytes of the response's body
}

func (s *seen) field(name string) string {
	value, _ := s.Fields.Get(name)
	return value
}

// reply is what comes of a request. An error in writing or reading comes with
// what is known of the delivery.
type reply struct {
	status   int
	fields   message.Fields
	body     io.Reader
	length   int64 // of body, where that is no strings.Reader
	trailers message.Fields
	open     error
	head     error // of ReadHead
	write    error // of the first Write
	unwanted bool  // the final response comes instead of 100 (Continue)
	delivery message.Delivery
	reused   bool
}

// ok answers with a body.
func ok(body string) reply { return reply{status: 200, body: strings.NewReader(body)} }

// to redirects.
func to(status int, location string) reply {
	return reply{status: status, fields: message.Fields{{Name: "Location", Value: location}}}
}

func (w *wire) Open(_ *wait.Context, origin transport.Origin, fresh bool) (message.Stream, *message.Connection, error) {
	w.requests = append(w.requests, seen{origin: origin, fresh: fresh})
	s := &wireStream{wire: w, index: len(w.requests) - 1, reply: w.answer(*w.last())}
	if s.reply.open != nil {
		return nil, nil, s.reply.open
	}
	protocol := w.protocol
	if protocol == "" {
		protocol = "http/1.1"
	}
	return s, &message.Connection{ID: uint64(len(w.requests)), Protocol: protocol, Reused: s.reply.reused && !fresh, RemoteAddr: "192.0.2.1:80"}, nil
}

func (*wire) OpenTunnel(*wait.Context, transport.Origin) (message.Stream, *message.Connection, error) {
	return nil, nil, nil
}

func (*wire) Connections() int { return 0 }
func (*wire) Close()           {}

// last is the request that was sent last.
func (w *wire) last() *seen { return &w.requests[len(w.requests)-1] }

type wireStream struct {
	wire  *wire
	index int
	reply reply
}

func (s *wireStream) see() *seen { return &s.wire.requests[s.index] }

func (s *wireStream) WriteHead(req *message.Request) error {
	s.see().Request = *req
	return nil
}

func (s *wireStream) AwaitContinue(time.Duration) (bool, error) { return !s.reply.unwanted, nil }

func (s *wireStream) Write(p []byte) (int, error) {
	if s.reply.write != nil {
		return 0, s.reply.write
	}
	s.see().body += string(p)
	return len(p), nil
}

func (s *wireStream) CloseWrite(message.Fields) error { return s.reply.write }

func (s *wireStream) ReadHead() (*message.Response, error) {
	if s.reply.head != nil {
		return nil, s.reply.head
	}
	length := s.reply.length
	if text, isText := s.reply.body.(*strings.Reader); isText {
		length = text.Size()
	}
	if data, isData := s.reply.body.(*bytes.Reader); isData {
		length = data.Size()
	}
	return &message.Response{Status: s.reply.status, Reason: "Reason", Version: "HTTP/1.1", Fields: s.reply.fields, Length: length}, nil
}

func (s *wireStream) Read(p []byte) (int, error) {
	if s.reply.body == nil || s.see().Method == "HEAD" {
		return 0, io.EOF
	}
	n, err := s.reply.body.Read(p)
	s.see().read += n
	return n, err
}

func (s *wireStream) ReadNow([]byte) (int, error) { return 0, wait.ErrWouldBlock }

func (s *wireStream) Whole() (bool, error) { return true, nil }

func (s *wireStream) Trailers() message.Fields   { return s.reply.trailers }
func (s *wireStream) Delivery() message.Delivery { return s.reply.delivery }

func (s *wireStream) Close() error {
	s.see().closed = true
	return nil
}

func plainProfile(t testing.TB) string { return profileNamed(t, "plain") }

func profileNamed(t testing.TB, name string) string {
	t.Helper()
	document, err := os.ReadFile("../../../cycletls/browsers/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return string(document)
}

// defaults is a session's configuration as Python sends it.
func defaults(t testing.TB) *envelope.Session {
	return &envelope.Session{
		Identity:              envelope.Identity{Profile: plainProfile(t)},
		Redirects:             envelope.Redirects{Follow: true, Max: 10, AllowDowngrade: true},
		EnableConnectionReuse: true,
		MaxIdleConnections:    100,
		MaxHeaderBytes:        256 << 10,
		MaxInformational:      8,
		MaxExpansion:          100,
	}
}

// onWire returns a session whose requests answer answers.
func onWire(t *testing.T, config *envelope.Session, answer func(seen) reply) (*Session, *wire) {
	t.Helper()
	s, err := NewSession(config, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	w := &wire{answer: answer}
	s.pool = w
	return s, w
}

// inTurn answers the requests one after the other; what comes after the last
// is 200.
func inTurn(replies ...reply) func(seen) reply {
	next := 0
	return func(seen) reply {
		if next == len(replies) {
			return ok("")
		}
		next++
		return replies[next-1]
	}
}

// exchange does a whole one and returns the response and its body.
func exchange(s *Session, request *envelope.Request, body string) (*envelope.Response, string, error) {
	return exchangeUnder(wait.Background(), s, request, body)
}

func exchangeUnder(ctx *wait.Context, s *Session, request *envelope.Request, body string) (*envelope.Response, string, error) {
	if body != "" && request.Body == nil {
		request.Body = &envelope.Body{}
	}
	x, err := s.Start(ctx, request, []byte(body))
	if err != nil {
		return nil, "", err
	}
	defer x.Close()
	response, err := x.Reply()
	if err != nil {
		return nil, "", err
	}
	content, err := io.ReadAll(x)
	return response, string(content), err
}

// must is exchange for those that succeed.
func must(t *testing.T, s *Session, request *envelope.Request, body string) *envelope.Response {
	t.Helper()
	response, _, err := exchange(s, request, body)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

// expectKind fails unless err leaves the core as that kind.
func expectKind(t *testing.T, err error, kind envelope.Kind) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want kind %s", kind)
	} else if failure := Failure(err); failure.Kind != kind {
		t.Errorf("kind %s (%v), want %s", failure.Kind, err, kind)
	}
}

func get(url string) *envelope.Request { return &envelope.Request{Method: "GET", URL: url} }

func post(url string) *envelope.Request { return &envelope.Request{Method: "POST", URL: url} }

// headers returns changes from "Name: value" lines; "Name:" without a value
// removes.
func headers(lines ...string) []envelope.HeaderChange {
	var changes []envelope.HeaderChange
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		changes = append(changes, envelope.HeaderChange{Name: name, Value: strings.TrimPrefix(value, " "), Remove: value == ""})
	}
	return changes
}

// lines shows fields as they go over the wire.
func lines(fields message.Fields) string {
	var b strings.Builder
	for _, f := range fields {
		b.WriteString(f.Name + ": " + f.Value + "\n")
	}
	return b.String()
}

var errLost = &message.ClosedError{While: "reading the response head", Cause: errors.New("reset")}

// instant is a pool of connections that answer at once and note nothing.
type instant struct {
	wire
	connection message.Connection
}

func (i *instant) Open(*wait.Context, transport.Origin, bool) (message.Stream, *message.Connection, error) {
	return instantStream{}, &i.connection, nil
}

type instantStream struct{ message.Stream }

var (
	instantHead = message.Response{
		Status: 200, Version: "HTTP/1.1",
		Fields: message.Fields{{Name: "Content-Type", Value: "text/plain"}, {Name: "Content-Length", Value: "0"}},
	}
)

func (instantStream) WriteHead(*message.Request) error     { return nil }
func (instantStream) ReadHead() (*message.Response, error) { return &instantHead, nil }
func (instantStream) Read([]byte) (int, error)             { return 0, io.EOF }
func (instantStream) Trailers() message.Fields             { return nil }
func (instantStream) Delivery() message.Delivery           { return message.Answered }
func (instantStream) Close() error                         { return nil }
