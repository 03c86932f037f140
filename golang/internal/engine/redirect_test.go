package engine

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/message"
)

const (
	a       = "http://a.example/"
	secureA = "https://a.example/"
	b       = "http://b.example/"
)

// trip sends a request through redirects and returns what was sent, hop by hop.
func trip(t *testing.T, config *envelope.Session, r *envelope.Request, body string, replies ...reply) []seen {
	t.Helper()
	s, w := onWire(t, config, inTurn(replies...))
	must(t, s, r, body)
	return w.requests
}

func expectCrossed(t *testing.T, hops []seen, name string, crossed ...bool) {
	t.Helper()
	for i, want := range crossed {
		if got := hops[i].Fields.Has(name); got != want {
			t.Errorf("%s at hop %d (%v): %v, want %v", name, i, hops[i].origin, got, want)
		}
	}
}

// secrets is a request with every kind of credentials.
func secrets(url string) *envelope.Request {
	r := get(url)
	r.Headers = headers("Authorization: Bearer 1", "Cookie: secret=1", "Proxy-Authorization: Basic x", "X-Api-Key: 1", "X-Auth-Token: 1", "X-Harmless: 1")
	return r
}

var credentials = []string{"Authorization", "Cookie", "X-Api-Key", "X-Auth-Token"}

// Safety 13, 15, 16: another host gets none of the caller's credentials.
func TestCredentialsAreDroppedAtAnotherHost(t *testing.T) {
	hops := trip(t, defaults(t), secrets(a), "", to(302, "/same"), to(302, b))
	for _, name := range credentials {
		expectCrossed(t, hops, name, true, true, false)
	}
	expectCrossed(t, hops, "X-Harmless", true, true, true)
}

// Safety 14: a port is another server.
func TestCredentialsAreDroppedAtAnotherPort(t *testing.T) {
	hops := trip(t, defaults(t), secrets(a), "", to(302, "http://a.example:8080/"))
	for _, name := range credentials {
		expectCrossed(t, hops, name, true, false)
	}
}

// Safety 17: what was dropped does not come back, whoever set it.
func TestDroppedCredentialsDoNotComeBack(t *testing.T) {
	config := defaults(t)
	config.Headers = headers("X-Session-Token: 1", "X-Other: 1", "Api-Key: 1")
	r := secrets(a)
	r.Auth = &envelope.BasicAuth{User: "u", Password: "p"}
	r.Cookies = message.Fields{{Name: "mine", Value: "1"}}
	hops := trip(t, config, r, "", to(302, b), to(302, a))
	for _, name := range append(credentials, "X-Session-Token", "Api-Key") {
		expectCrossed(t, hops, name, true, false, false)
	}
	expectCrossed(t, hops, "X-Other", true, true, true)
}

// Safety 18: https to http drops credentials, or refuses.
func TestDowngradeDropsCredentialsAndIsRefusedWhereAsked(t *testing.T) {
	hops := trip(t, defaults(t), secrets(secureA), "", to(302, a))
	for _, name := range credentials {
		expectCrossed(t, hops, name, true, false)
	}
	config := defaults(t)
	config.Redirects.AllowDowngrade = false
	s, w := onWire(t, config, inTurn(to(302, a)))
	_, _, err := exchange(s, get(secureA), "")
	expectKind(t, err, envelope.RedirectRefused)
	if len(w.requests) != 1 {
		t.Error("the downgrade was followed")
	}
	if hops := trip(t, config, get(a), "", to(302, secureA)); len(hops) != 2 {
		t.Error("the upgrade was not followed")
	}
}

// Safety 19: the URL's userinfo goes to its own origin and shows up nowhere.
func TestUserinfoStaysWithItsOrigin(t *testing.T) {
	s, w := onWire(t, defaults(t), inTurn(to(302, "/same"), to(302, "http://a.example/absolute"), to(302, b), to(302, a)))
	response := must(t, s, get("http://user:secret@a.example/"), "")
	expectCrossed(t, w.requests, "Authorization", true, true, true, false, false)
	for _, hop := range w.requests {
		if strings.Contains(hop.Path+hop.Authority+hop.field("Referer"), "secret") {
			t.Errorf("secret in %+v", hop.Request)
		}
	}
	for _, r := range append(response.History, *response) {
		if strings.Contains(r.URL, "secret") {
			t.Errorf("secret in %s", r.URL)
		}
	}
	s, _ = onWire(t, defaults(t), inTurn(reply{head: errLost, delivery: message.Answered}))
	_, _, err := exchange(s, get("http://user:secret@a.example/"), "")
	if failure := Failure(err); strings.Contains(fmt.Sprint(failure, failure.Detail), "secret") {
		t.Errorf("%v %v", failure, failure.Detail)
	}
	_, _, err = exchange(s, get("http://user:secret@a.example:x/"), "")
	if failure := Failure(err); strings.Contains(fmt.Sprint(failure, failure.Detail), "secret") || failure.Kind != envelope.InvalidURL {
		t.Errorf("%v %v", failure, failure.Detail)
	}
}

// Safety 20: a redirect leads to http and https only.
func TestRedirectsToOtherSchemesAreRefused(t *testing.T) {
	for _, location := range []string{"file:///etc/passwd", "gopher://a/", "data:text/plain,x", "javascript:alert(1)", "http+unix://x/", "//", "http://", "http://[", "/a\tb"} {
		s, w := onWire(t, defaults(t), inTurn(to(302, location)))
		_, _, err := exchange(s, get(a), "")
		expectKind(t, err, envelope.RedirectRefused)
		if len(w.requests) != 1 || !w.requests[0].closed {
			t.Errorf("%s: %d requests, stream closed: %v", location, len(w.requests), w.requests[0].closed)
		}
	}
}

// Safety 22: the limit holds, 0 too, and counts the hops of the driver.
func TestRedirectLimit(t *testing.T) {
	for _, c := range []struct{ max, before, want int }{{10, 0, 11}, {0, 0, 1}, {10, 7, 4}, {3, 3, 1}} {
		config := defaults(t)
		config.Redirects.Max = c.max
		s, w := onWire(t, config, func(seen) reply { return to(302, "/again") })
		r := get(a)
		r.Hops = c.before
		_, _, err := exchange(s, r, "")
		expectKind(t, err, envelope.TooManyRedirects)
		if len(w.requests) != c.want {
			t.Errorf("limit %d after %d: %d requests, want %d", c.max, c.before, len(w.requests), c.want)
		}
	}
}

// Safety 23: which method and body the next request has.
func TestMethodAfterRedirect(t *testing.T) {
	for _, c := range []struct {
		status       int
		method, want string
		body         bool
	}{
		{301, "POST", "GET", false}, {302, "POST", "GET", false}, {303, "POST", "GET", false}, {307, "POST", "POST", true}, {308, "POST", "POST", true},
		{301, "PUT", "PUT", true}, {302, "DELETE", "DELETE", true}, {303, "PUT", "GET", false}, {303, "HEAD", "HEAD", false}, {302, "HEAD", "HEAD", false},
		{303, "GET", "GET", false}, {307, "PATCH", "PATCH", true},
	} {
		r := &envelope.Request{Method: c.method, URL: a}
		body := ""
		if c.method != "HEAD" && c.method != "GET" {
			body = "content"
			r.Headers = headers("content-type: a/b", "Content-Encoding: br", "Content-Length: 7", "Expect: x", "X: 1")
			r.Body = &envelope.Body{ContentType: "text/plain"}
		}
		hops := trip(t, defaults(t), r, body, to(c.status, "/next"))
		next := hops[1]
		if next.Method != c.want || next.HasBody != c.body || (next.body == "content") != c.body {
			t.Errorf("%s, %d: %s with %q", c.method, c.status, next.Method, next.body)
		}
		for _, name := range []string{"Content-Type", "Content-Encoding", "Content-Length", "Expect"} {
			if next.Fields.Has(name) != c.body {
				t.Errorf("%s, %d: %s is there: %v", c.method, c.status, name, !c.body)
			}
		}
	}
}

// Safety 23: a streamed body goes again only when it can, and from its start.
func TestStreamedBodyIsHandedBackOrRefusedAtARedirect(t *testing.T) {
	for _, replayable := range []bool{true, false} {
		s, w := onWire(t, defaults(t), inTurn(to(307, b)))
		r := post(a)
		r.Body = &envelope.Body{Length: 3, Streamed: true, Replayable: replayable}
		x := start(t, s, r)
		if _, err := x.Write([]byte("abc")); err != nil {
			t.Fatal(err)
		}
		if err := x.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		response, err := x.Reply()
		if !replayable {
			expectKind(t, err, envelope.Unrewindable)
		} else if err != nil || response.Redirect == nil || !response.Redirect.KeepBody || !response.Redirect.Foreign || response.Redirect.URL != b {
			t.Errorf("%+v, %v", response, err)
		}
		if x.Close(); len(w.requests) != 1 || !w.last().closed {
			t.Error("the stream is open, or the body went on without its driver")
		}
	}
	s, w := onWire(t, defaults(t), inTurn(to(303, b)))
	r := post(a)
	r.Body = &envelope.Body{Length: 3, Streamed: true}
	x := start(t, s, r)
	x.Write([]byte("abc"))
	x.CloseWrite()
	if response, err := x.Reply(); err != nil || response.Status != 200 || w.last().Method != "GET" || w.last().HasBody {
		t.Errorf("%+v, %v", response, err)
	}
}

// What the driver gets is complete: sent as it is, it leaks nothing and repeats
// nothing that the redirect took away.
func TestManualRedirectsComePrepared(t *testing.T) {
	config := defaults(t)
	config.Headers = headers("X-Session-Token: 1", "Content-Type: session/type", "Host: inner.example")
	s, w := onWire(t, config, inTurn(to(302, b+"next"), to(302, "/more")))
	r := secrets(a)
	r.Method, r.ManualRedirects, r.Hops = "POST", true, 2
	response := must(t, s, r, "abc")
	got := response.Redirect
	if got == nil || got.Method != "GET" || got.URL != b+"next" || got.Kind != "fetch" || got.KeepBody || !got.Foreign || got.Hops != 3 {
		t.Fatalf("%+v", got)
	}
	next := &envelope.Request{
		Method: got.Method, URL: got.URL, Kind: got.Kind, Headers: got.Headers, ManualRedirects: true, Hops: got.Hops, Foreign: got.Foreign,
	}
	response = must(t, s, next, "")
	for _, name := range append(credentials, "X-Session-Token", "Content-Type", "Content-Length") {
		if w.last().Fields.Has(name) {
			t.Errorf("%s was sent: %s", name, lines(w.last().Fields))
		}
	}
	if got := w.last().field("Host"); got != "b.example" {
		t.Errorf("Host: %s", got)
	}
	if got := response.Redirect; got == nil || got.URL != b+"more" || !got.Foreign || got.Hops != 4 {
		t.Errorf("%+v", got)
	}
	if len(w.requests) != 2 {
		t.Errorf("%d requests", len(w.requests))
	}
	s, _ = onWire(t, defaults(t), inTurn(to(302, "/x")))
	r = get("http://u:p@a.example/")
	r.ManualRedirects = true
	if got := must(t, s, r, "").Redirect; got.URL != "http://u:p@a.example/x" {
		t.Errorf("userinfo is lost: %s", got.URL)
	}
}

func TestRedirectsAreNotFollowedUnlessAsked(t *testing.T) {
	config := defaults(t)
	config.Redirects.Follow = false
	s, _ := onWire(t, config, func(seen) reply { return to(302, b) })
	if r := must(t, s, get(a), ""); r.Status != 302 || r.Redirect != nil || len(r.History) != 0 {
		t.Errorf("%+v", r)
	}
	r := get(a)
	r.Redirects = &envelope.Redirects{Follow: true, Max: 0}
	_, _, err := exchange(s, r, "")
	expectKind(t, err, envelope.TooManyRedirects)
	for _, reply := range []reply{to(300, b), to(304, b), to(305, b), to(302, ""), {status: 302}} {
		s, w := onWire(t, defaults(t), inTurn(reply))
		if r := must(t, s, get(a), ""); r.Status != reply.status || len(w.requests) != 1 {
			t.Errorf("%d: %+v", reply.status, r)
		}
	}
}

// Each hop keeps its own story.
func TestHistory(t *testing.T) {
	first, second := to(301, "/two#g"), to(302, "three")
	first.fields = append(first.fields, message.Field{Name: "Set-Cookie", Value: "c=1; Path=/"}, message.Field{Name: "X", Value: "1"})
	s, w := onWire(t, defaults(t), inTurn(first, second))
	response := must(t, s, get(a+"one#f"), "")
	if len(response.History) != 2 || response.URL != a+"three#g" || response.Status != 200 {
		t.Fatalf("%+v", response)
	}
	one, two := response.History[0], response.History[1]
	if one.URL != a+"one#f" || one.Status != 301 || !one.Headers.Has("X") || len(one.Cookies) != 1 || one.Cookies[0].Name != "c" || len(one.History) != 0 {
		t.Errorf("%+v", one)
	}
	if two.URL != a+"two#g" || two.Status != 302 || len(two.Cookies) != 0 || !strings.Contains(string(two.Sent), "Cookie") || strings.Contains(string(one.Sent), "Cookie") {
		t.Errorf("%+v", two)
	}
	if one.Connection.ID == two.Connection.ID || two.Timings.Total < one.Timings.Total {
		t.Errorf("%+v %+v", one, two)
	}
	for i, hop := range w.requests {
		if !hop.closed {
			t.Errorf("the stream of hop %d is open", i)
		}
	}
}

// Safety 26 in the engine: cookies of one hop go with the next where they match.
func TestCookiesTravelByTheirOwnRules(t *testing.T) {
	first := to(302, b)
	first.fields = append(first.fields, message.Field{Name: "Set-Cookie", Value: "c=1; Path=/"})
	hops := trip(t, defaults(t), get(a), "", first, to(302, a))
	expectCrossed(t, hops, "Cookie", false, false, true)
}

// Safety 25: a Location costs no more than its reading, and two are none.
func TestHostileLocations(t *testing.T) {
	start := time.Now()
	for _, location := range []string{strings.Repeat("../", 80_000), "/" + strings.Repeat("a/", 120_000), "/\xff\xfe\u00fc", "?" + strings.Repeat("%", 200_000)} {
		hops := trip(t, defaults(t), get(a+strings.Repeat("x/", 1000)), "", to(302, location))
		if strings.ContainsFunc(hops[1].Path, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("%.40q", hops[1].Path)
		}
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
	two := to(302, b)
	two.fields = append(two.fields, message.Field{Name: "location", Value: a})
	s, _ := onWire(t, defaults(t), inTurn(two))
	_, _, err := exchange(s, get(a), "")
	expectKind(t, err, envelope.RedirectRefused)
	two.fields[1].Value = b
	if hops := trip(t, defaults(t), get(a), "", two); len(hops) != 2 {
		t.Error("the same Location twice is one")
	}
}

// Safety 46: the body of a redirect is read as it is on the wire, if at all.
func TestBodyOfARedirectIsNotDecoded(t *testing.T) {
	packed := make([]byte, 2*drainLimit)
	rand.NewChaCha8([32]byte{}).Read(packed)
	packed = gzipped(t, packed)
	for _, c := range []struct {
		body []byte
		read int
	}{{packed[:drainLimit], drainLimit}, {packed[:drainLimit+1], 0}, {[]byte("no gzip"), 7}} {
		redirect := to(302, "/next")
		redirect.fields = append(redirect.fields, message.Field{Name: "Content-Encoding", Value: "gzip"})
		redirect.body = bytes.NewReader(c.body)
		hops := trip(t, defaults(t), get(a), "", redirect)
		if hops[0].read != c.read || !hops[0].closed || len(hops) != 2 {
			t.Errorf("%d bytes: %d read", len(c.body), hops[0].read)
		}
	}
	endless := to(302, "/next")
	endless.body, endless.length = endlessReader{}, message.UnknownLength
	if hops := trip(t, defaults(t), get(a), "", endless); hops[0].read > drainLimit+8<<10 {
		t.Errorf("%d bytes of an endless body read", hops[0].read)
	}
}

type endlessReader struct{}

func (endlessReader) Read(p []byte) (int, error) { return len(p), nil }

// Safety 51: nothing waits because a server says so.
func TestRetryAfterIsLeftToTheCaller(t *testing.T) {
	for _, value := range []string{"1000000000", "Fri, 31 Dec 9999 23:59:59 GMT"} {
		for _, status := range []int{503, 429, 302} {
			r := to(status, "/next")
			r.fields = append(r.fields, message.Field{Name: "Retry-After", Value: value})
			hops := trip(t, defaults(t), get(a), "", r)
			if want := map[bool]int{true: 2, false: 1}[status == 302]; len(hops) != want {
				t.Errorf("%d: %d requests", status, len(hops))
			}
		}
	}
}

// The layout of a session that crossed an origin is its own.
func TestLayoutsAreKeptApart(t *testing.T) {
	config := defaults(t)
	config.Headers = headers("X-Token: 1")
	s, w := onWire(t, config, inTurn(to(302, b), ok(""), ok("")))
	must(t, s, get(a), "")
	must(t, s, get(b), "")
	var got []bool
	for _, hop := range w.requests {
		got = append(got, hop.Fields.Has("X-Token"))
	}
	if !slices.Equal(got, []bool{true, false, true}) {
		t.Error(got)
	}
}

// A browser adds fields anew for a request that follows a redirect: the profile
// says in which order.
func TestRedirectsHaveTheProfilesOrder(t *testing.T) {
	config := defaults(t)
	config.Profile = profileNamed(t, "chrome-156-linux")
	hops := trip(t, config, get(secureA), "", to(302, "/b"))
	before := func(at int, one, other string) bool {
		text := lines(hops[at].Fields)
		return strings.Index(text, one+": ") < strings.Index(text, other+": ")
	}
	if !before(0, "sec-ch-ua", "User-Agent") || !before(1, "User-Agent", "sec-ch-ua") {
		t.Errorf("first\n%s\nthen\n%s", lines(hops[0].Fields), lines(hops[1].Fields))
	}
	if len(hops[0].Fields) != len(hops[1].Fields) {
		t.Errorf("%d fields became %d", len(hops[0].Fields), len(hops[1].Fields))
	}
}

// Origin stays behind where a navigation, or a script that asks its own origin,
// goes on with GET.
func TestOriginGoesWithWhatNeedsIt(t *testing.T) {
	for _, c := range []struct {
		kind, location string
		status         int
		kept           bool
	}{
		{"navigate", "/b", 303, false},
		{"navigate", b, 302, false},
		{"fetch", "/b", 303, false},
		{"fetch", b, 303, true},
		{"fetch", "/b", 307, true},
	} {
		r := post(a)
		r.Kind, r.Headers = c.kind, headers("Origin: http://a.example")
		hops := trip(t, defaults(t), r, "body", to(c.status, c.location))
		expectCrossed(t, hops, "Origin", true, c.kept)
	}
}

// A WebSocket asks for a connection of its own.
func TestWebSocketHasItsOwnConnection(t *testing.T) {
	for kind, want := range map[string]bool{"websocket": true, "fetch": false} {
		r := get(secureA)
		r.Kind = kind
		if hops := trip(t, defaults(t), r, ""); hops[0].origin.WebSocket != want {
			t.Errorf("%s: %+v", kind, hops[0].origin)
		}
	}
}
