package engine

import (
	"strings"
	"testing"

	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/fingerprint"
	"github.com/cycletls/cycletls/golang/internal/message"
)

const url = "http://example.org/path"

// sent returns the fields of a request as they left.
func sent(t *testing.T, config *envelope.Session, protocol string, request *envelope.Request, body string) string {
	t.Helper()
	s, w := onWire(t, config, inTurn())
	w.protocol = protocol
	must(t, s, request, body)
	return lines(w.last().Fields)
}

func expectFields(t *testing.T, got string, want ...string) {
	t.Helper()
	if wanted := strings.Join(want, "\n") + "\n"; got != wanted {
		t.Errorf("sent\n%swant\n%s", got, wanted)
	}
}

// The profile says which fields leave, in which order and case.
func TestFieldsFollowTheProfile(t *testing.T) {
	expectFields(t, sent(t, defaults(t), "", get(url), ""),
		"Host: example.org", "Connection: keep-alive", "User-Agent: cycletls", "Accept: */*", "Accept-Encoding: gzip, deflate, br, zstd")
	expectFields(t, sent(t, defaults(t), "h2", get(url), ""),
		"user-agent: cycletls", "accept: */*", "accept-encoding: gzip, deflate, br, zstd")
}

// A header of the caller's takes the place that the profile has for it, in the
// caller's case; others go to the place of the rest, in order, repeats and all.
func TestCallersHeadersTakeTheirPlaces(t *testing.T) {
	r := get(url)
	r.Headers = headers("X-B: 1", "x-a: 2", "accept: text/html", "X-B: 3", "User-Agent:", "Cookie: a=b")
	expectFields(t, sent(t, defaults(t), "", r, ""),
		"Host: example.org", "Connection: keep-alive", "accept: text/html", "Accept-Encoding: gzip, deflate, br, zstd",
		"X-B: 1", "x-a: 2", "X-B: 3", "Cookie: a=b")
	expectFields(t, sent(t, defaults(t), "h2", r, ""),
		"accept: text/html", "accept-encoding: gzip, deflate, br, zstd", "x-b: 1", "x-a: 2", "x-b: 3", "cookie: a=b")
}

// Session headers are the profile's for the caller: replaced, removed, added to.
func TestSessionHeadersAreMergedBetweenProfileAndCaller(t *testing.T) {
	config := defaults(t)
	config.Headers = headers("Accept: a/b", "X-One: 1", "X-One: 2", "Accept-Encoding:", "X-Two: 2", "Accept: c/d")
	config.UserAgent = "tester"
	expectFields(t, sent(t, config, "", get(url), ""),
		"Host: example.org", "Connection: keep-alive", "User-Agent: tester", "Accept: a/b", "Accept: c/d", "X-One: 1", "X-One: 2", "X-Two: 2")
	r := get(url)
	r.Headers = headers("accept: */*", "x-one: 3", "X-Two:", "accept-encoding: br", "User-Agent: mine")
	expectFields(t, sent(t, config, "", r, ""),
		"Host: example.org", "Connection: keep-alive", "User-Agent: mine", "accept: */*", "accept-encoding: br", "x-one: 3")
}

// The named headers come in that order at the places they have; names that are
// not sent change nothing.
func TestHeaderOrder(t *testing.T) {
	r := get(url)
	r.Headers = headers("X-A: 1", "X-B: 2", "X-A: 3")
	r.HeaderOrder = []string{"x-b", "ACCEPT", "absent", "X-a", "Host"}
	expectFields(t, sent(t, defaults(t), "", r, ""),
		"X-B: 2", "Connection: keep-alive", "User-Agent: cycletls", "Accept: */*", "Accept-Encoding: gzip, deflate, br, zstd",
		"X-A: 1", "X-A: 3", "Host: example.org")
	config := defaults(t)
	config.HeaderOrder = []string{"user-agent", "connection"}
	expectFields(t, sent(t, config, "", get(url), ""),
		"Host: example.org", "User-Agent: cycletls", "Connection: keep-alive", "Accept: */*", "Accept-Encoding: gzip, deflate, br, zstd")
}

// Safety 12: the order names headers, it adds none.
func TestHeaderOrderSmugglesNothing(t *testing.T) {
	r := get(url)
	r.HeaderOrder = []string{"X-Evil: 1\r\nX", "Content-Length", "Transfer-Encoding"}
	if got := sent(t, defaults(t), "", r, ""); got != sent(t, defaults(t), "", get(url), "") {
		t.Error(got)
	}
}

// Safety 1 to 4: what would become other lines on the wire is refused before
// anything is sent.
func TestInjectionIsRefused(t *testing.T) {
	for _, change := range []envelope.HeaderChange{
		{Name: "X", Value: "a\r\nX: 1"}, {Name: "X", Value: "a\n"}, {Name: "X", Value: "a\x00"}, {Name: "X", Value: "\x7f"}, {Name: "X", Value: "\x1b"},
		{Name: "X\r\nY", Value: "1"}, {Name: "X Y", Value: "1"}, {Name: "X:", Value: "1"}, {Name: "", Value: "1"}, {Name: "Ü", Value: "1"}, {Name: ":path", Value: "/"},
		{Name: "X\x00", Remove: true},
	} {
		s, w := onWire(t, defaults(t), inTurn())
		r := get(url)
		r.Headers = []envelope.HeaderChange{change}
		_, _, err := exchange(s, r, "")
		expectKind(t, err, envelope.InvalidHeader)
		if len(w.requests) != 0 {
			t.Errorf("%v was sent", change)
		}
		config := defaults(t)
		config.Headers = r.Headers
		_, err = NewSession(config, nil)
		expectKind(t, err, envelope.InvalidHeader)
	}
	for _, method := range []string{"GET / HTTP/1.1\r\nX:", "GET ", "", "G\x00T", "GÜT", "CONNECT"} {
		s, w := onWire(t, defaults(t), inTurn())
		_, _, err := exchange(s, &envelope.Request{Method: method, URL: url}, "")
		expectKind(t, err, envelope.InvalidMethod)
		if len(w.requests) != 0 {
			t.Errorf("%q was sent", method)
		}
	}
	config := defaults(t)
	config.UserAgent = "a\r\nb"
	_, err := NewSession(config, nil)
	expectKind(t, err, envelope.InvalidHeader)
}

// Safety 8: one framing of a body, and the right one.
func TestFramingFieldsThatConflictAreRefused(t *testing.T) {
	const unknown = message.UnknownLength
	for _, c := range []struct {
		lines   []string
		hasBody bool
		length  int64
		want    int64 // -2: refused
	}{
		{nil, true, 3, 3},
		{nil, true, unknown, unknown},
		{list("Content-Length: 3"), true, 3, 3},
		{list("content-length: 3 "), true, unknown, 3},
		{list("Content-Length: 0"), false, 0, 0},
		{list("Transfer-Encoding: Chunked"), true, unknown, unknown},
		{list("Content-Length: 4"), true, 3, -2},
		{list("Content-Length: 3"), false, 0, -2},
		{list("Content-Length: 3", "Content-Length: 3"), true, 3, -2},
		{list("Content-Length: +3"), true, 3, -2},
		{list("Content-Length: 3, 3"), true, 3, -2},
		{list("Content-Length: "), true, 3, -2},
		{list("Content-Length: 9999999999999999999"), true, unknown, -2},
		{list("Transfer-Encoding: chunked"), true, 3, -2},
		{list("Transfer-Encoding: chunked"), false, 0, -2},
		{list("Transfer-Encoding: gzip, chunked"), true, unknown, -2},
		{list("Transfer-Encoding: identity"), true, unknown, -2},
		{list("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), true, unknown, -2},
		{list("Transfer-Encoding: chunked", "Content-Length: 3"), true, unknown, -2},
	} {
		got, err := frame(headers(c.lines...), c.hasBody, c.length)
		if c.want == -2 {
			expectKind(t, err, envelope.InvalidBody)
		} else if err != nil || got != c.want {
			t.Errorf("%q: %d, %v, want %d", c.lines, got, err, c.want)
		}
	}
	for _, lines := range [][]string{{"Host: a", "Host: b"}, {"Host: a b"}, {"Host: a/b"}, {"Host: u@a"}} {
		s, w := onWire(t, defaults(t), inTurn())
		r := get(url)
		r.Headers = headers(lines...)
		_, _, err := exchange(s, r, "")
		expectKind(t, err, envelope.InvalidHeader)
		if len(w.requests) != 0 {
			t.Error("a connection was opened")
		}
	}
	config := defaults(t)
	config.Headers = headers("Content-Length: 3")
	_, err := NewSession(config, nil)
	expectKind(t, err, envelope.InvalidHeader)
}

func list(lines ...string) []string { return lines }

// What tells of the body is there once, under the caller's name for it.
func TestBodyFields(t *testing.T) {
	r := post(url)
	r.Body = &envelope.Body{ContentType: "text/plain"}
	expectFields(t, sent(t, defaults(t), "", r, "abc"),
		"Host: example.org", "Content-Length: 3", "Content-Type: text/plain", "Connection: keep-alive", "User-Agent: cycletls",
		"Accept: */*", "Accept-Encoding: gzip, deflate, br, zstd")
	r.Headers = headers("content-length: 3", "content-type: a/b")
	expectFields(t, sent(t, defaults(t), "", r, "abc"),
		"Host: example.org", "content-length: 3", "content-type: a/b", "Connection: keep-alive", "User-Agent: cycletls",
		"Accept: */*", "Accept-Encoding: gzip, deflate, br, zstd")
	r = post(url)
	if got := sent(t, defaults(t), "", r, ""); !strings.Contains(got, "Content-Length: 0\n") {
		t.Errorf("POST without a body: %s", got)
	}
	r = &envelope.Request{Method: "DELETE", URL: url}
	if got := sent(t, defaults(t), "", r, ""); strings.Contains(got, "Content-Length") {
		t.Errorf("DELETE without a body: %s", got)
	}
	r.Headers = headers("Content-Length: 0")
	if got := sent(t, defaults(t), "", r, ""); !strings.Contains(got, "Content-Length: 0\n") {
		t.Errorf("DELETE that says so: %s", got)
	}
	r = post(url)
	r.Body = &envelope.Body{}
	if got := sent(t, defaults(t), "", r, ""); !strings.Contains(got, "Content-Length: 0\n") {
		t.Errorf("an empty body: %s", got)
	}
}

// Fields of the connection have no place in HTTP/2.
func TestConnectionFieldsStayOutOfHTTP2(t *testing.T) {
	r := post(url)
	r.Headers = headers("Connection: close", "Keep-Alive: 1", "Upgrade: x", "Proxy-Connection: x", "TE: gzip", "Host: other.example", "X: 1")
	s, w := onWire(t, defaults(t), inTurn())
	w.protocol = "h2"
	must(t, s, r, "abc")
	if got := lines(w.last().Fields); strings.Contains(got, "connection") || strings.Contains(got, "host") || strings.Contains(got, "te:") || !strings.Contains(got, "x: 1\n") {
		t.Error(got)
	}
	if w.last().Authority != "other.example" || w.last().origin.Host != "example.org" {
		t.Errorf("authority %s at %v", w.last().Authority, w.last().origin)
	}
	r.Headers = headers("TE: trailers")
	must(t, s, r, "abc")
	if w.last().field("te") != "trailers" {
		t.Error("te: trailers is missing")
	}
}

func TestHostOfTheCallerIsSentToTheHostOfTheURL(t *testing.T) {
	r := get("http://example.org:81/")
	r.Headers = headers("host: Virtual:82")
	got := sent(t, defaults(t), "", r, "")
	if !strings.HasPrefix(got, "host: Virtual:82\n") || strings.Count(strings.ToLower(got), "host:") != 1 {
		t.Error(got)
	}
	config := defaults(t)
	config.Headers = headers("Host: session")
	if got := sent(t, config, "", get(a), ""); !strings.HasPrefix(got, "Host: session\n") {
		t.Error(got)
	}
	if hops := trip(t, config, get(a), "", to(302, b)); hops[1].field("Host") != "b.example" {
		t.Errorf("the host of one origin was sent to another: %s", lines(hops[1].Fields))
	}
	r.Headers = headers("Host:")
	if got := sent(t, defaults(t), "", r, ""); !strings.HasPrefix(got, "Host: example.org:81\n") {
		t.Error(got)
	}
}

// Credentials of the request come first, then headers, then the URL's.
func TestAuthorization(t *testing.T) {
	const fromURL, fromAuth = "Basic dTpwQA==", "Basic w7w6Og=="
	withUser := "http://u:p%40@example.org/"
	check := func(want string, config *envelope.Session, r *envelope.Request) {
		t.Helper()
		s, w := onWire(t, config, inTurn())
		response := must(t, s, r, "")
		if got := w.last().field("Authorization"); got != want {
			t.Errorf("Authorization %q, want %q", got, want)
		}
		if strings.Contains(response.URL, "@") || strings.Contains(w.last().Path, "@") || strings.Contains(w.last().Authority, "@") {
			t.Errorf("userinfo in %q, %q", response.URL, w.last().Authority)
		}
	}
	check(fromURL, defaults(t), get(withUser))
	r := get(withUser)
	r.Auth = &envelope.BasicAuth{User: "ü", Password: ":"}
	check(fromAuth, defaults(t), r)
	r.Headers = headers("authorization: Bearer x")
	check(fromAuth, defaults(t), r)
	r.Auth = nil
	check("Bearer x", defaults(t), r)
	r.Headers = headers("Authorization:")
	check("", defaults(t), r)
	config := defaults(t)
	config.Headers = headers("Authorization: Bearer session")
	check("Bearer session", config, get(withUser))
	check("", defaults(t), get(url))
}

// Safety 9, and the one Cookie field: the jar's, then the request's.
func TestCookieField(t *testing.T) {
	s, w := onWire(t, defaults(t), inTurn())
	if err := s.Jar().Set(envelope.Cookie{Name: "jar", Value: "1"}); err != nil {
		t.Fatal(err)
	}
	check := func(want string, r *envelope.Request) {
		t.Helper()
		must(t, s, r, "")
		if got := strings.Join(w.last().Fields.Values("Cookie"), " | "); got != want {
			t.Errorf("Cookie %q, want %q", got, want)
		}
	}
	check("jar=1", get(url))
	r := get(url)
	r.Cookies = message.Fields{{Name: "a", Value: "2"}}
	check("jar=1; a=2", r)
	r.Headers = headers("cookie: x=3", "Cookie: y=4")
	check("x=3; y=4; a=2", r)
	r.Headers, r.Cookies = headers("Cookie:"), nil
	check("", r)
	for name, value := range map[string]string{"a": "1;b=2", "b;": "", "c\r\n": "", "d": "1\r\nX: 1"} {
		r := get(url)
		r.Cookies = message.Fields{{Name: name, Value: value}}
		_, _, err := exchange(s, r, "")
		expectKind(t, err, envelope.InvalidHeader)
	}
}

func TestKindChoosesTheLayout(t *testing.T) {
	config := defaults(t)
	config.Profile = profileNamed(t, "chrome-156-linux")
	for kind, mode := range map[string]string{"": "navigate", "navigate": "navigate", "fetch": "cors", "image": "no-cors"} {
		r := get(url)
		r.Kind = kind
		if got := sent(t, config, "h2", r, ""); !strings.Contains(got, "sec-fetch-mode: "+mode+"\n") {
			t.Errorf("kind %q: %s", kind, got)
		}
	}
	if got := sent(t, config, "h2", post(url), ""); !strings.Contains(got, "sec-fetch-mode: cors\n") {
		t.Errorf("POST: %s", got)
	}
	s, _ := onWire(t, config, inTurn())
	_, _, err := exchange(s, &envelope.Request{Method: "GET", URL: url, Kind: "x"}, "")
	expectKind(t, err, envelope.InvalidOption)
}

// Values reach the wire as they are, but for the white space around them.
func TestValues(t *testing.T) {
	r := get(url)
	r.Headers = headers("X-A:  \ta b\tc ", "X-B: ü")
	got := sent(t, defaults(t), "", r, "")
	if !strings.Contains(got, "X-A: a b\tc\n") || !strings.Contains(got, "X-B: ü\n") {
		t.Error(got)
	}
}

// Requests that say nothing of their own share their fields, as long as they go
// to one authority; one that says something does not.
func TestAlikeRequestsShareTheirFields(t *testing.T) {
	s, w := onWire(t, defaults(t), func(seen) reply { return ok("") })
	own := get(a)
	own.Headers = headers("X-Own: 1")
	for _, r := range []*envelope.Request{get(a), get(a + "other"), own, get(b), get(b)} {
		must(t, s, r, "")
	}
	first, alike, different, elsewhere, again := w.requests[0], w.requests[1], w.requests[2], w.requests[3], w.requests[4]
	if !first.Fields.Same(alike.Fields) || first.Fields.Same(different.Fields) || !elsewhere.Fields.Same(again.Fields) {
		t.Error("the wrong ones are shared")
	}
	if first.field("Host") != "a.example" || elsewhere.field("Host") != "b.example" || different.field("X-Own") != "1" || first.Fields.Has("X-Own") {
		t.Errorf("%v\n%v\n%v", first.Fields, different.Fields, elsewhere.Fields)
	}
}

// What goes through a proxy has fields of its own, and leaves those of others
// alone.
func TestForwardedRequestsShareNoFields(t *testing.T) {
	p := &prepared{layout: newLayout([]fingerprint.Slot{{Name: "Connection", Value: "keep-alive"}, {Name: "*", Place: true}}, nil, "", false)}
	for i, forwarded := range []bool{false, true, false, true} {
		m := merge{layout: p.layout, proxyConnection: forwarded}
		m.values[host] = "a.example"
		if fields := p.compose(&m).fields; fields.Has("Proxy-Connection") != forwarded || fields.Has("Connection") == forwarded {
			t.Errorf("request %d: %v", i, fields)
		}
	}
}
