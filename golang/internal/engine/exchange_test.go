package engine

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/http2"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

func start(t *testing.T, s *Session, r *envelope.Request) *Exchange {
	t.Helper()
	x, err := s.Start(wait.Background(), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func gzipped(t testing.TB, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// coded answers with a body under a coding.
func coded(name string, body []byte) reply {
	return reply{status: 200, body: bytes.NewReader(body), fields: message.Fields{{Name: "Content-Encoding", Value: name}}}
}

func TestExchange(t *testing.T) {
	answer := ok("content")
	answer.fields = message.Fields{{Name: "B", Value: "1"}, {Name: "a", Value: "2"}}
	answer.trailers = message.Fields{{Name: "Checksum", Value: "x"}}
	s, w := onWire(t, defaults(t), inTurn(answer))
	r := post("http://example.org/p?x#f")
	r.Params = message.Fields{{Name: "q", Value: "ü b"}}
	r.Body = &envelope.Body{}
	x, err := s.Start(wait.Background(), r, []byte("sent"))
	if err != nil {
		t.Fatal(err)
	}
	response, err := x.Reply()
	if err != nil {
		t.Fatal(err)
	}
	if response.Status != 200 || response.URL != "http://example.org/p?x&q=%C3%BC+b#f" || response.Method != "POST" || lines(response.Headers) != "B: 1\na: 2\n" || !strings.Contains(string(response.Sent), "Host") {
		t.Errorf("%+v", response)
	}
	if got := w.last(); got.body != "sent" || got.Path != "/p?x&q=%C3%BC+b" || got.Scheme != "http" || got.Authority != "example.org" || got.origin.Port != 80 {
		t.Errorf("%+v", got)
	}
	if again, err := x.Reply(); again != response || err != nil {
		t.Errorf("a second time: %+v, %v", again, err)
	}
	if x.Length() != 7 {
		t.Errorf("length %d", x.Length())
	}
	content, err := io.ReadAll(x)
	if err != nil || string(content) != "content" || lines(x.Trailers()) != "Checksum: x\n" || !w.last().closed {
		t.Errorf("%q, %v, trailers %v", content, err, x.Trailers())
	}
	if n, err := x.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("after the end: %d, %v", n, err)
	}
	x.Close()
	x.Close()
	_, err = x.Read(make([]byte, 1))
	expectKind(t, err, envelope.Closed)
}

func TestStreamedBody(t *testing.T) {
	s, w := onWire(t, defaults(t), inTurn())
	r := post(url)
	r.Body = &envelope.Body{Length: message.UnknownLength, Streamed: true}
	x := start(t, s, r)
	defer x.Close()
	for _, piece := range []string{"a", "", "bc"} {
		if n, err := x.Write([]byte(piece)); n != len(piece) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := x.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Reply(); err != nil {
		t.Fatal(err)
	}
	if got := w.last(); got.body != "abc" || got.field("Transfer-Encoding") != "chunked" || got.Fields.Has("Content-Length") || got.Length != message.UnknownLength {
		t.Errorf("%+v", got)
	}
	r.Headers = headers("Content-Length: 3")
	start(t, s, r).Close()
	if got := w.last(); got.Length != 3 || got.field("Content-Length") != "3" || got.Fields.Has("Transfer-Encoding") {
		t.Errorf("with a length from the caller: %+v", got)
	}
}

// A server that has answered ends the upload, which is no error.
func TestAnswerEndsTheUpload(t *testing.T) {
	early := reply{status: 413, write: message.ErrAnswered, delivery: message.Answered}
	s, _ := onWire(t, defaults(t), func(seen) reply { return early })
	if r := must(t, s, post(url), "content"); r.Status != 413 {
		t.Errorf("%+v", r)
	}
	r := post(url)
	r.Body = &envelope.Body{Length: 9, Streamed: true}
	x := start(t, s, r)
	defer x.Close()
	if _, err := x.Write([]byte("con")); !errors.Is(err, message.ErrAnswered) {
		t.Error(err)
	}
	if response, err := x.Reply(); err != nil || response.Status != 413 {
		t.Errorf("%+v, %v", response, err)
	}
}

// Safety 47: a final status instead of 100 keeps the body here.
func TestBodyIsNotSentWhenTheServerDeclinesIt(t *testing.T) {
	for _, unwanted := range []bool{true, false} {
		s, w := onWire(t, defaults(t), inTurn(reply{status: 200, unwanted: unwanted}))
		r := post(url)
		r.ExpectContinue = time.Second
		must(t, s, r, "content")
		if got := w.last(); got.field("Expect") != "100-continue" || (got.body == "") != unwanted {
			t.Errorf("unwanted: %v, sent %q with %q", unwanted, got.body, got.field("Expect"))
		}
	}
	empty := post(url)
	empty.Body = &envelope.Body{}
	for _, r := range []*envelope.Request{get(url), empty} {
		s, w := onWire(t, defaults(t), inTurn())
		r.ExpectContinue = time.Second
		must(t, s, r, "")
		if w.last().Fields.Has("Expect") {
			t.Errorf("%s: Expect without content", r.Method)
		}
	}
}

// Safety 48 and 58: sent again is only what cannot have been acted on, or, when
// a reused connection failed, what may be acted on twice; and only once. A
// connection that only refused a stream may serve the second attempt.
func TestRetryOfStaleConnections(t *testing.T) {
	refused := &message.ResetError{Name: "REFUSED_STREAM", Code: 7}
	for _, c := range []struct {
		method   string
		err      error
		delivery message.Delivery
		reused   bool
		want     bool
	}{
		{"GET", errLost, message.Unsent, true, true},
		{"GET", errLost, message.Sent, true, true},
		{"GET", errLost, message.Answered, true, false},
		{"GET", errLost, message.Sent, false, false},
		{"GET", errLost, message.Unsent, false, true},
		{"PUT", errLost, message.Sent, true, true},
		{"DELETE", errLost, message.Sent, true, true},
		{"POST", errLost, message.Sent, true, false},
		{"PATCH", errLost, message.Sent, true, false},
		{"POST", errLost, message.Unsent, true, true},
		{"POST", refused, message.Unsent, true, true},
		{"POST", refused, message.Unsent, false, true},
		{"GET", refused, message.Sent, false, false},
		{"POST", refused, message.Sent, true, false},
		{"POST", http2.ErrUnavailable, message.Unsent, true, true},
		{"GET", &message.ProtocolError{What: "x"}, message.Sent, true, false},
		{"GET", &wait.TimeoutError{Phase: wait.Read}, message.Sent, true, false},
		{"GET", wait.ErrCancelled, message.Unsent, true, false},
	} {
		s, w := onWire(t, defaults(t), inTurn(reply{head: c.err, delivery: c.delivery, reused: c.reused}, ok("again")))
		body := ""
		if c.method == "POST" || c.method == "PUT" {
			body = "content"
		}
		_, content, err := exchange(s, &envelope.Request{Method: c.method, URL: url}, body)
		if retried := len(w.requests) == 2; retried != c.want || (err == nil) != c.want {
			t.Errorf("%s after %v, delivery %d, reused %v: %d requests, %v", c.method, c.err, c.delivery, c.reused, len(w.requests), err)
		} else if retried && (content != "again" || w.last().fresh == (c.err == refused) || w.last().body != body || w.requests[0].fresh || !w.requests[0].closed) {
			t.Errorf("%s: sent again as %+v", c.method, w.last())
		}
	}
	stale := reply{head: errLost, delivery: message.Unsent, reused: true}
	s, w := onWire(t, defaults(t), func(seen) reply { return stale })
	_, _, err := exchange(s, get(url), "")
	expectKind(t, err, envelope.ConnectionClosed)
	if len(w.requests) != 2 {
		t.Errorf("%d requests", len(w.requests))
	}
	if failure := Failure(err); failure.Detail["delivery"] != "unsent" || failure.Detail["url"] != url || failure.Detail["method"] != "GET" {
		t.Errorf("%+v", failure)
	}
}

// A server may have acted on the first attempt although the second never left.
func TestDeliveryIsTheMostOfBothAttempts(t *testing.T) {
	for _, second := range []message.Delivery{message.Unsent, message.Answered} {
		s, _ := onWire(t, defaults(t), inTurn(reply{head: errLost, delivery: message.Sent, reused: true}, reply{head: errLost, delivery: second}))
		_, _, err := exchange(s, get(url), "")
		if got, want := Failure(err).Detail["delivery"], deliveryNames[max(message.Sent, second)]; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// A failure in sending is retried like one in reading.
func TestRetryWhileSending(t *testing.T) {
	stale := reply{write: errLost, delivery: message.Unsent, reused: true}
	s, w := onWire(t, defaults(t), inTurn(stale))
	must(t, s, post(url), "content")
	if len(w.requests) != 2 || w.last().body != "content" {
		t.Errorf("%+v", w.requests)
	}
}

// A streamed body goes again only while nothing of it is gone.
func TestRetryOfAStreamedBody(t *testing.T) {
	stale := reply{write: errLost, delivery: message.Unsent, reused: true}
	s, w := onWire(t, defaults(t), inTurn(stale))
	r := post(url)
	r.Body = &envelope.Body{Length: 7, Streamed: true}
	x := start(t, s, r)
	if n, err := x.Write([]byte("content")); n != 7 || err != nil {
		t.Fatal(n, err)
	}
	if err := x.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if response, err := x.Reply(); err != nil || response.Status != 200 || w.last().body != "content" || !w.last().fresh {
		t.Errorf("%+v, %v, %+v", response, err, w.last())
	}
	x.Close()

	s, w = onWire(t, defaults(t), inTurn(reply{head: errLost, delivery: message.Unsent, reused: true}))
	x = start(t, s, r)
	x.Write([]byte("content"))
	x.CloseWrite()
	_, err := x.Reply()
	expectKind(t, err, envelope.ConnectionClosed)
	if len(w.requests) != 1 {
		t.Error("a consumed body was sent again")
	}
}

// Each hop of a chain has its own retry.
func TestRetryAfterARedirect(t *testing.T) {
	stale := reply{head: errLost, delivery: message.Sent, reused: true}
	s, w := onWire(t, defaults(t), inTurn(stale, to(302, "/next"), stale, ok("end")))
	if _, content, err := exchange(s, get(url), ""); err != nil || content != "end" || len(w.requests) != 4 {
		t.Errorf("%q, %v, %d requests", content, err, len(w.requests))
	}
}

func TestDecoding(t *testing.T) {
	packed := gzipped(t, []byte("content"))
	s, _ := onWire(t, defaults(t), func(seen) reply { return coded("gzip", packed) })
	response, content, err := exchange(s, get(url), "")
	if err != nil || content != "content" || !response.Headers.Has("Content-Encoding") {
		t.Errorf("%q, %v", content, err)
	}
	r := get(url)
	r.Undecoded = true
	if _, content, err := exchange(s, r, ""); err != nil || content != string(packed) {
		t.Errorf("undecoded: %q, %v", content, err)
	}
	x := start(t, s, get(url))
	defer x.Close()
	if _, err := x.Reply(); err != nil || x.Length() != message.UnknownLength {
		t.Errorf("length %d, %v", x.Length(), err)
	}
}

// Responses that have no body have nothing to decode, whatever they say.
func TestResponsesWithoutABody(t *testing.T) {
	for _, c := range []struct {
		method string
		status int
	}{{"HEAD", 200}, {"GET", 204}, {"GET", 304}} {
		r := coded("gzip, nonsense", nil)
		r.status, r.length, r.body = c.status, 0, nil
		s, _ := onWire(t, defaults(t), inTurn(r))
		if response, content, err := exchange(s, &envelope.Request{Method: c.method, URL: url}, ""); err != nil || content != "" || response.Status != c.status {
			t.Errorf("%s, %d: %q, %v", c.method, c.status, content, err)
		}
	}
}

// Safety 39: a coding that is cut off or broken is an error of its own kind.
func TestBrokenCodingIsAnError(t *testing.T) {
	packed := gzipped(t, []byte("content"))
	for _, body := range [][]byte{packed[:len(packed)-3], []byte("plain"), append(bytes.Clone(packed), 'x')} {
		s, w := onWire(t, defaults(t), inTurn(coded("gzip", body)))
		_, _, err := exchange(s, get(url), "")
		expectKind(t, err, envelope.Decoding)
		if !w.last().closed {
			t.Error("the stream is open")
		}
	}
}

// Safety 44 and 45, and the limit of what is read into memory.
func TestBodiesAreBounded(t *testing.T) {
	bomb := gzipped(t, make([]byte, 12<<20))
	s, _ := onWire(t, defaults(t), func(seen) reply { return coded("gzip", bomb) })
	_, content, err := exchange(s, get(url), "")
	expectKind(t, err, envelope.Limit)
	if len(content) > expansionFloor+1<<20 {
		t.Errorf("%d bytes", len(content))
	}
	config := defaults(t)
	config.MaxExpansion = 0
	s, _ = onWire(t, config, func(seen) reply { return coded("gzip", bomb) })
	if _, content, err := exchange(s, get(url), ""); err != nil || len(content) != 12<<20 {
		t.Errorf("without a limit: %d bytes, %v", len(content), err)
	}
	config.MaxBodyBytes = 5
	s, _ = onWire(t, config, inTurn(ok("12345"), ok("123456")))
	if _, content, err := exchange(s, get(url), ""); err != nil || content != "12345" {
		t.Errorf("%q, %v", content, err)
	}
	_, _, err = exchange(s, get(url), "")
	expectKind(t, err, envelope.Limit)
	s, _ = onWire(t, defaults(t), inTurn(coded(strings.Repeat("gzip,", 200), []byte("x"))))
	_, _, err = exchange(s, get(url), "")
	expectKind(t, err, envelope.Limit)
}

// A body that ends early is an error, under a coding too.
func TestShortBodyIsAnError(t *testing.T) {
	short := &message.IncompleteError{Received: 3, Expected: 7, Cause: errLost}
	packed := gzipped(t, []byte("content"))
	for _, r := range []reply{
		{status: 200, body: io.MultiReader(strings.NewReader("con"), iotest.ErrReader(short)), length: 7},
		{status: 200, body: io.MultiReader(bytes.NewReader(packed[:15]), iotest.ErrReader(short)), length: 7, fields: coded("gzip", nil).fields},
	} {
		s, w := onWire(t, defaults(t), inTurn(r))
		_, _, err := exchange(s, get(url), "")
		expectKind(t, err, envelope.Incomplete)
		if !w.last().closed {
			t.Error("the stream is open")
		}
	}
}

// Once it has failed, an exchange fails alike whatever is asked of it.
func TestFailedExchangeStaysFailed(t *testing.T) {
	s, w := onWire(t, defaults(t), inTurn(reply{head: errLost, delivery: message.Sent}))
	x := start(t, s, get(url))
	_, err := x.Reply()
	expectKind(t, err, envelope.ConnectionClosed)
	if !w.last().closed {
		t.Error("the stream is open")
	}
	for _, again := range []func() error{
		func() error { _, err := x.Reply(); return err },
		func() error { _, err := x.Read(nil); return err },
		func() error { _, err := x.Write([]byte("x")); return err },
		x.CloseWrite,
	} {
		expectKind(t, again(), envelope.ConnectionClosed)
	}
	x.Close()
}

func TestTimeoutsOfARequestReplaceThoseOfTheSession(t *testing.T) {
	config := defaults(t)
	config.Timeouts = envelope.Timeouts{Total: time.Second, Read: time.Second}
	s, _ := onWire(t, config, inTurn())
	if got := s.Timeouts(get(url)); got != config.Timeouts {
		t.Errorf("%+v", got)
	}
	r := get(url)
	r.Timeouts = &envelope.Timeouts{Connect: time.Second}
	if got := s.Timeouts(r); got != *r.Timeouts {
		t.Errorf("%+v", got)
	}
}

// Safety 32: sessions share cookies only where told to.
func TestSessionsShareNoCookies(t *testing.T) {
	set := ok("")
	set.fields = message.Fields{{Name: "Set-Cookie", Value: "c=1"}}
	one, _ := onWire(t, defaults(t), inTurn(set))
	must(t, one, get(url), "")
	other, w := onWire(t, defaults(t), inTurn())
	must(t, other, get(url), "")
	if w.last().Fields.Has("Cookie") {
		t.Error("a cookie crossed sessions")
	}
	sharing, err := NewSession(defaults(t), one.Jar())
	if err != nil {
		t.Fatal(err)
	}
	defer sharing.Close()
	if len(sharing.Jar().All()) != 1 {
		t.Error("a shared jar is not shared")
	}
}

// Safety 32: cookies of an exchange of its own reach its later hops and nobody
// else.
func TestOwnCookiesEndWithTheExchange(t *testing.T) {
	setting := reply{status: 302, fields: message.Fields{{Name: "Location", Value: "/next"}, {Name: "Set-Cookie", Value: "login=1"}}}
	s, w := onWire(t, defaults(t), inTurn(setting, ok(""), ok("")))
	r := get(url)
	r.OwnCookies = true
	must(t, s, r, "")
	if got := w.last().field("Cookie"); got != "login=1" {
		t.Errorf("the second hop had %q", got)
	}
	must(t, s, get(url), "")
	if got := w.last().field("Cookie"); got != "" || len(s.Jar().All()) != 0 {
		t.Errorf("the session kept %q", got)
	}
}
