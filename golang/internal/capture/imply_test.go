package capture

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/cycletls/cycletls/golang/internal/fingerprint"
	"github.com/cycletls/cycletls/golang/internal/hpack"
)

// hello11 is the hello of a client of TLS 1.2 that speaks HTTP/1.1.
func hello11() Hex {
	alpn := extension{16, []byte("\x00\x09\x08http/1.1")}
	return helloMessage(0x0303, []uint16{0xc02f}, extension{0, []byte("\x00\x06\x00\x00\x03abc")}, extension{10, list16(23)}, extension{11, []byte{1, 0}}, alpn)
}

func request1(kind, method, target string, fields ...Field) Request {
	return Request{Kind: kind, Method: method, Target: target, Fields: fields}
}

func implied(t *testing.T, requests ...Request) *fingerprint.Profile {
	t.Helper()
	log := &Log{Connections: []Seen{{
		Connection: Connection{Protocol: "http/1.1"}, TLS: &TLS{Hellos: []Hex{hello11()}}, Requests: requests,
	}}}
	p, err := Imply("mine", fingerprint.Source{}, log)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func names(slots []fingerprint.Slot) string {
	var list []string
	for _, slot := range slots {
		text := slot.Name
		if !slot.Place {
			text += "=" + slot.Value
		}
		list = append(list, text)
	}
	return strings.Join(list, " ")
}

// TestRequestsOfAKindAreMerged: the first GET says what is always sent, the
// others where the rest comes; what varies is a place.
func TestRequestsOfAKindAreMerged(t *testing.T) {
	p := implied(t,
		request1("navigate", "POST", "/", Field{"Host", "a"}, Field{"Content-Length", "2"}, Field{"X-New", "1"}, Field{"User-Agent", "me"}, Field{"Origin", "o"}),
		request1("navigate", "GET", "/", Field{"Host", "a"}, Field{"User-Agent", "me"}, Field{"Accept", "*/*"}),
		request1("navigate", "GET", "/", Field{"Host", "a"}, Field{"User-Agent", "me"}, Field{"X-Capture", "1"}, Field{"Accept", "text/html"}, Field{"Cookie", "c=1"}),
	)
	if got, want := names(p.Layout("navigate", "http/1.1")), "Host Content-Length User-Agent=me * Origin Accept=*/* Cookie"; got != want {
		t.Errorf("HTTP/1.1: %s\nwant      %s", got, want)
	}
	if got, want := names(p.Layout("navigate", "h2")), "content-length user-agent=me * origin accept=*/* cookie"; got != want {
		t.Errorf("HTTP/2: %s\nwant    %s", got, want)
	}
}

// TestPlaceOfTheCallersFieldsIsFound: where it was seen, else by another kind or
// by content-type.
func TestPlaceOfTheCallersFieldsIsFound(t *testing.T) {
	p := implied(t,
		request1("navigate", "GET", "/", Field{"Host", "a"}, Field{"User-Agent", "me"}, Field{"Accept", "*/*"}),
		request1("fetch", "GET", "/", Field{"Host", "a"}, Field{"x-capture", "1"}, Field{"User-Agent", "me"}),
		request1("xhr", "POST", "/", Field{"Host", "a"}, Field{"User-Agent", "me"}, Field{"Content-Type", "t"}, Field{"Accept", "*/*"}),
	)
	for kind, want := range map[string]string{
		"navigate": "Host * User-Agent=me Accept=*/*", "fetch": "Host * User-Agent=me", "xhr": "Host User-Agent=me Content-Type * Accept=*/*",
	} {
		if got := names(p.Layout(kind, "http/1.1")); got != want {
			t.Errorf("%s: %s\nwant %s", kind, got, want)
		}
	}
}

// TestAPathThatNamesTheKindCountsMore: a browser asks for icons of its own.
func TestAPathThatNamesTheKindCountsMore(t *testing.T) {
	p := implied(t,
		request1("navigate", "GET", "/", Field{"A", "other"}),
		request1("navigate", "GET", Start, Field{"A", "page"}),
	)
	if got := names(p.Layout("navigate", "h2")); got != "a=page *" {
		t.Errorf("%s", got)
	}
}

// TestAnotherKindStandsForTheNavigation, and the profile says so.
func TestAnotherKindStandsForTheNavigation(t *testing.T) {
	p := implied(t, request1("fetch", "GET", "/", Field{"Host", "a"}, Field{"Accept", "*/*"}))
	if got := names(p.Layout("navigate", "http/1.1")); got != "Host Accept=*/* *" {
		t.Errorf("%s", got)
	}
	if !slices.ContainsFunc(p.Source.Notes, func(note string) bool { return strings.Contains(note, "fetch stand for it") }) {
		t.Errorf("notes %q", p.Source.Notes)
	}
	if _, err := Imply("x", fingerprint.Source{}, &Log{Connections: []Seen{{TLS: &TLS{Hellos: []Hex{hello11()}}}}}); err == nil {
		t.Error("a profile of no request")
	}
}

// TestPolicyIsRecognised: each by the blocks it writes; one field that no policy
// writes so is noticed.
func TestPolicyIsRecognised(t *testing.T) {
	for _, policy := range []hpack.Policy{hpack.Plain, hpack.Quiche, hpack.Gecko} {
		encoder := hpack.NewEncoder(policy)
		var requests []Request
		for _, path := range []string{"/a", "/b"} {
			fields := []Field{{":method", "GET"}, {":path", path}, {"cookie", "a=1; b=2"}, {"accept", "*/*"}}
			block := encodeAgain(encoder, fields)
			requests = append(requests, Request{Fields: fields, Head: block})
		}
		if got, exact := impliedPolicies(requests); !exact || !slices.Equal(got, []hpack.Policy{policy}) {
			t.Errorf("%v taken for %v (exactly: %v)", policy, got, exact)
		}
		requests[1].Head = append(Hex{}, requests[1].Head[1:]...)
		if _, exact := impliedPolicies(requests); exact {
			t.Errorf("%v: a block that is not of the policy passes", policy)
		}
	}
}

// TestStreamWindowIsOfEveryStream: one without it means that there is none.
func TestStreamWindowIsOfEveryStream(t *testing.T) {
	frames := []Frame{
		{Type: "HEADERS", Stream: 1}, {Type: "WINDOW_UPDATE", Stream: 1, Payload: Hex{0, 0, 1, 0}},
		{Type: "HEADERS", Stream: 3}, {Type: "WINDOW_UPDATE", Stream: 3, Payload: Hex{0, 0, 1, 0}},
	}
	if got := streamWindow(frames); got != 256 {
		t.Errorf("%d", got)
	}
	if got := streamWindow(frames[:3]); got != 0 {
		t.Errorf("%d though a stream has none", got)
	}
}

// TestUrgencyShowsInWeights: only where two requests of different urgency agree.
func TestUrgencyShowsInWeights(t *testing.T) {
	headers := func(stream uint32, weight byte) Frame {
		return Frame{Type: "HEADERS", Flags: flagPriority | flagPadded, Stream: stream, Payload: Hex{0, 0x80, 0, 0, 0, weight}}
	}
	request := func(stream uint32, priority string) Request {
		return Request{Stream: stream, Fields: []Field{{"priority", priority}}}
	}
	for _, test := range []struct {
		weights   []byte
		requests  []Request
		byUrgency bool
	}{
		{[]byte{219, 255}, []Request{request(1, "u=1, i"), request(3, "u=0, i")}, true},
		{[]byte{255, 255}, []Request{request(1, "u=0"), request(3, "u=0")}, false},
		{[]byte{255, 255}, []Request{request(1, "u=0"), request(3, "u=1")}, false},
	} {
		frames := []Frame{headers(1, test.weights[0]), headers(3, test.weights[1])}
		priority, weights := headersPriority(frames, test.requests)
		if (weights != nil) != test.byUrgency || priority == nil || priority.Weight != 256 || !priority.Exclusive {
			t.Errorf("weights %v: %+v, %v", test.weights, priority, weights)
		}
	}
	if priority, _ := headersPriority([]Frame{{Type: "HEADERS", Stream: 1}}, nil); priority != nil {
		t.Errorf("%+v of a frame without one", priority)
	}
}

// FuzzImply: whatever a log says, the end is a profile or an error.
func FuzzImply(f *testing.F) {
	log := Log{Connections: []Seen{
		{Connection: Connection{Protocol: "http/1.1"}, TLS: &TLS{Hellos: []Hex{hello11()}}, Requests: []Request{request1("navigate", "GET", "/", Field{"Host", "a"})}},
		{
			Connection: Connection{Protocol: "h2"},
			Frames:     []Frame{{Type: "SETTINGS", Payload: make(Hex, 6)}, {Type: "HEADERS", Flags: byte(http2.FlagHeadersPriority), Stream: 1, Payload: make(Hex, 5)}},
			Requests:   []Request{{Kind: "navigate", Stream: 1, Fields: []Field{{":method", "GET"}, {":path", "/"}, {":scheme", "s"}, {":authority", "a"}, {"cookie", "a"}}}},
		},
	}}
	text, err := json.Marshal(log)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		var log *Log
		if json.Unmarshal(text, &log) != nil || log == nil {
			return
		}
		if p, err := Imply("x", fingerprint.Source{}, log); (p == nil) == (err == nil) {
			t.Errorf("%v, %v", p, err)
		}
	})
}

// TestFirefoxsCutsAreRecognised: by all bodies of a connection, one of them long.
func TestFirefoxsCutsAreRecognised(t *testing.T) {
	fields := []Field{{":method", "POST"}, {"cookie", "a=1"}, {"cookie", "b=2"}, {"te", "trailers"}}
	long := Request{Method: "POST", Target: "/", Authority: "a", Stream: 1, Fields: fields, Body: Body{Length: 40000}}
	head := int64(len("POST / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\ncookie: a=1; b=2\r\n\r\n"))
	data := func(sizes ...int64) (frames []Frame) {
		for _, size := range sizes {
			frames = append(frames, Frame{Type: "DATA", Stream: 1, Length: uint32(size)})
		}
		return frames
	}
	right := data(2048-head, 16000, 14720, 1296, 40000-(2048-head)-16000-14720-1296)
	for name, c := range map[string]struct {
		frames   []Frame
		requests []Request
		want     bool
	}{
		"as Firefox":   {right, []Request{long}, true},
		"otherwise":    {data(16000, 16000, 8000), []Request{long}, false},
		"not all":      {right, []Request{long, {Stream: 3, Body: Body{Length: 5}}}, false},
		"nothing long": {nil, nil, false},
	} {
		if got := impliedUpload(&Seen{Frames: c.frames, Requests: c.requests}, 16000); (got != nil) != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestSilentCloseIsSeen where the server has asked a client to go.
func TestSilentCloseIsSeen(t *testing.T) {
	asked, other := []Request{{Target: "/pages/again"}}, []Request{{Target: "/pages/all"}}
	h2 := Connection{Protocol: "h2"}
	goAway := []Frame{{Type: "GOAWAY"}}
	for name, c := range map[string]struct {
		seen []Seen
		want bool
	}{
		"silent":      {[]Seen{{Connection: h2, Requests: asked}, {Connection: h2, Requests: other}}, true},
		"with a word": {[]Seen{{Connection: h2, Requests: asked, Frames: goAway}}, false},
		"not asked":   {[]Seen{{Connection: h2, Requests: other}}, false},
		"HTTP/1.1":    {[]Seen{{Requests: asked}}, false},
	} {
		if got := closesSilently(c.seen); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestRequestsAfterARedirectHaveALayout: the order is theirs, the values are the
// kind's where they are the same; what comes at times is a place.
func TestRequestsAfterARedirectHaveALayout(t *testing.T) {
	host, agent, accept := Field{"Host", "a"}, Field{"User-Agent", "me"}, Field{"Accept", "*/*"}
	p := implied(t,
		request1("navigate", "GET", Start, host, agent, accept),
		request1("navigate", "GET", "/pages/again", host, Field{"Cache-Control", "max-age=0"}, accept, agent),
		request1("navigate", "GET", "/pages/resumed", host, accept, agent, Field{"Cookie", "c=1"}),
	)
	if got, want := names(p.Layout("navigate-redirected", "http/1.1")), "Host Cache-Control Accept=*/* User-Agent=me Cookie *"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if got, want := names(p.Layout("navigate", "http/1.1")), "Host User-Agent=me Accept=*/* *"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	for _, row := range p.Headers["navigate-redirected"] {
		if !row.Place {
			t.Errorf("%s has a value of its own", row.Name)
		}
	}
}
