package http1

import (
	"errors"
	"strings"
	"testing"

	"github.com/cycletls/cycletls/golang/internal/message"
)

// rejects checks that nothing of req reaches the wire, and that the connection
// is none the worse for it.
func rejects(t *testing.T, part string, req *message.Request) {
	t.Helper()
	s := newSession(t)
	stream := s.open()
	var invalid *InvalidError
	if err := stream.WriteHead(req); !errors.As(err, &invalid) || invalid.Part != part {
		t.Errorf("%+v: got %v, want an invalid %s", *req, err, part)
	}
	equal(t, "bytes on the wire", s.client.Writes(), 0)
	equal(t, "delivery", stream.Delivery(), message.Unsent)
	check(t, stream.Close())
	s.expectIdle(true)
}

// TestHeaderValueWithLineBreakStaysOffTheWire, as any control character
// (safety cases 1 and 3).
func TestHeaderValueWithLineBreakStaysOffTheWire(t *testing.T) {
	for _, value := range []string{"a\r\nX: 1", "a\nX: 1", "a\rX: 1", "a\x00b", "\x01", "a\x7f", "\r\n"} {
		rejects(t, "field", get(message.Field{Name: "X", Value: value}))
	}
}

// TestHeaderNameMustBeAToken (safety case 2).
func TestHeaderNameMustBeAToken(t *testing.T) {
	for _, name := range []string{"", "a b", "a:", "a\r\nb", "a\x00", "ü", "a ", " a", ":path", "a\tb", "(a)"} {
		rejects(t, "field", get(message.Field{Name: name, Value: "1"}))
	}
}

// TestMethodMustBeAToken (safety case 4).
func TestMethodMustBeAToken(t *testing.T) {
	for _, method := range []string{"", "GET / HTTP/1.1\r\nX:", "GE T", "GET\n", "ü"} {
		rejects(t, "method", request(method))
	}
}

// TestTargetMustBeEncoded: no space, control character, fragment or foreign
// form (safety case 5).
func TestTargetMustBeEncoded(t *testing.T) {
	for _, path := range []string{"", "a", "/a b", "/a\r\nX: 1", "/a\x00", "/ü", "/a#b", "http://evil.test/", "/\x7f"} {
		req := get()
		req.Path = path
		rejects(t, "target", req)
	}
	for _, path := range []string{"", "/", "*", "https://a.test/", "http://a.test/ x"} {
		req := get()
		req.Path, req.Absolute = path, true
		rejects(t, "target", req)
	}
}

// TestTargetFormsReachTheWire: origin, asterisk, authority and absolute form.
func TestTargetFormsReachTheWire(t *testing.T) {
	for _, form := range []struct{ method, path, want string }{
		{"PROPFIND", "/a?b=%20{}", "PROPFIND /a?b=%20{} HTTP/1.1\r\n"},
		{"OPTIONS", "*", "OPTIONS * HTTP/1.1\r\n"},
		{"CONNECT", "", "CONNECT a.test HTTP/1.1\r\n"},
		{"GET", "http://a.test/b?c", "GET http://a.test/b?c HTTP/1.1\r\n"},
	} {
		s := newSession(t)
		req := request(form.method)
		req.Path, req.Absolute = form.path, strings.HasPrefix(form.path, "http:")
		s.start(req)
		equal(t, "head", s.received(), form.want+"Host: a.test\r\n\r\n")
	}
}

// TestFramingFieldsMustFitTheBody: a conflict is an error, and Content-Length
// never leaves together with Transfer-Encoding (safety case 8).
func TestFramingFieldsMustFitTheBody(t *testing.T) {
	host := message.Field{Name: "Host", Value: "b.test"}
	length := func(v string) message.Field { return message.Field{Name: "content-length", Value: v} }
	coding := func(v string) message.Field { return message.Field{Name: "TRANSFER-ENCODING", Value: v} }
	for _, req := range []*message.Request{
		get(host),
		get(length("5")),
		get(coding("chunked")),
		get(length("0"), length("0")),
		get(length("")),
		post(5, length("5")),
		post(5, coding("chunked")),
		post(message.UnknownLength, length("5")),
		post(message.UnknownLength, coding("chunked")),
	} {
		rejects(t, "framing", req)
	}
	for _, fields := range []message.Fields{
		{{Name: "Host", Value: "a.test"}},
		{{Name: "Host", Value: "a.test"}, length("4")},
		{{Name: "Host", Value: "a.test"}, length("+5")},
		{{Name: "Host", Value: "a.test"}, length("05")},
		{{Name: "Host", Value: "a.test"}, length("5, 5")},
		{length("5")},
	} {
		req := post(5)
		req.Fields = fields
		rejects(t, "framing", req)
	}
	for _, value := range []string{"gzip, chunked", "identity", "chunked, chunked", ""} {
		req := post(message.UnknownLength)
		req.Fields = message.Fields{{Name: "Host", Value: "a.test"}, coding(value)}
		rejects(t, "framing", req)
	}
}

// TestEmptyBodyMayBeAnnounced: a POST without a body says Content-Length: 0.
func TestEmptyBodyMayBeAnnounced(t *testing.T) {
	req := request("POST", message.Field{Name: "Content-Length", Value: "0"})
	for _, hasBody := range []bool{false, true} {
		req.HasBody = hasBody
		s := newSession(t)
		stream := s.start(req)
		check(t, stream.CloseWrite(nil))
		equal(t, "request", s.received(), "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n")
	}
}

// Requests that share their fields are written as if they did not, and what was
// refused once is refused again.
func TestSharedFieldsAreWrittenAlike(t *testing.T) {
	good := message.Fields{{Name: "Host", Value: "a"}, {Name: "Connection", Value: "close"}}
	bad := message.Fields{{Name: "Host", Value: "a"}, {Name: "X", Value: "\n"}}
	var kept section
	for i, fields := range []message.Fields{good, good, bad, bad, good, good} {
		req := &message.Request{Method: "GET", Path: "/", Fields: fields}
		got, outline, err := appendHead(nil, req, &kept)
		want, apart, otherErr := appendHead(nil, req, new(section))
		if (err == nil) != (otherErr == nil) || err == nil && (string(got) != string(want) || outline != apart || !outline.close) {
			t.Errorf("request %d: %q, %v, want %q, %v", i, got, err, want, otherErr)
		}
	}
}
