package library

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/fingerprint"
	"github.com/cycletls/cycletls/golang/internal/message"
)

// bench is a library with a capture server in it, and clients of that.
type bench struct {
	*testing.T
	Library
	server *envelope.Capturing
	caFile string
}

func newBench(t *testing.T, m *envelope.Capture) *bench {
	b := &bench{T: t}
	b.server = b.ask(0, m).(*envelope.Capturing)
	t.Cleanup(func() { b.Close(b.server.Handle) })
	b.caFile = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(b.caFile, []byte(b.server.Authority), 0o600); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) ask(target uint64, m any) any {
	b.Helper()
	reply, err := b.control(target, m, nil)
	if err != nil {
		b.Fatal(err)
	}
	return reply
}

// session makes a client with a profile's document.
func (b *bench) session(document string, change func(*envelope.Session)) uint64 {
	m := &envelope.Session{CAFile: b.caFile, EnableConnectionReuse: true, MaxIdleConnections: 100, MaxHeaderBytes: 1 << 18, MaxInformational: 8, MaxExpansion: 100}
	m.Redirects = envelope.Redirects{Follow: true, Max: 1}
	m.Profile = document
	if change != nil {
		change(m)
	}
	handle := b.ask(0, m).(*envelope.Made).Handle
	b.Cleanup(func() { b.Close(handle) })
	return handle
}

func (b *bench) send(session uint64, r *envelope.Request, body string) {
	b.Helper()
	r.URL = b.server.URL + r.URL
	if body != "" {
		r.Body = &envelope.Body{Length: int64(len(body)), ContentType: "application/json"}
	}
	reply := b.request(session, r, []byte(body), given(make([]byte, 1<<22)), host{})
	if reply.Status != 200 || reply.Handle != 0 {
		b.Fatalf("%s %s: %+v", r.Method, r.URL, reply.Message)
	}
}

// seen returns what the server has captured.
func (b *bench) seen() string {
	return b.ask(b.server.Handle, &envelope.Captured{}).(*envelope.Document).Text
}

// everyKind sends what shows the layout of a kind: a plain request, one with
// all that a browser may add, one with a body; and redirects, where the profile
// tells them apart. No WebSocket is opened.
func (b *bench) everyKind(session uint64, profile *fingerprint.Profile) {
	cookies := message.Fields{{Name: "a", Value: "1"}, {Name: "b", Value: strings.Repeat("2", 30)}}
	for kind := range profile.Headers {
		if kind == fingerprint.WebSocket || !fingerprint.ValidKind(kind) {
			continue
		}
		all := allFields(profile, kind)
		b.send(session, &envelope.Request{Method: "GET", URL: "/pages/" + kind, Kind: kind}, "")
		b.send(session, &envelope.Request{Method: "GET", URL: "/pages/" + kind, Kind: kind, Headers: all, Cookies: cookies}, "")
		if kind != fingerprint.Image { // which has no body
			b.send(session, &envelope.Request{Method: "POST", URL: "/pages/" + kind, Kind: kind, Headers: all, Cookies: cookies}, "{}")
		}
	}
	// more than a DATA frame holds
	b.send(session, &envelope.Request{Method: "POST", URL: "/pages/navigate", Kind: fingerprint.Navigate, Headers: allFields(profile, fingerprint.Navigate)}, strings.Repeat("x", 100_000))
	for _, page := range [][2]string{{"moved", fingerprint.Fetch}, {"start", fingerprint.Navigate}, {"form", fingerprint.Navigate}} {
		url, kind := "/pages/"+page[0], page[1]
		if again := fingerprint.Redirected(kind); profile.Headers[again] != nil {
			b.send(session, &envelope.Request{Method: "GET", URL: url, Kind: kind}, "")
			b.send(session, &envelope.Request{Method: "GET", URL: url, Kind: kind, Headers: allFields(profile, again), Cookies: cookies}, "")
		}
	}
}

// allFields are the caller's for every place of a layout.
func allFields(profile *fingerprint.Profile, kind string) []envelope.HeaderChange {
	all := []envelope.HeaderChange{{Name: "X-Capture", Value: "1"}}
	for _, slot := range profile.Layout(kind, "http/1.1") {
		if slot.Place && slices.Contains([]string{"Referer", "Origin", "Cache-Control"}, slot.Name) {
			all = append(all, envelope.HeaderChange{Name: slot.Name, Value: "https://a"})
		}
	}
	return all
}

// comparable is a profile without what the capture cannot see: its name and
// source, the order of extensions where that is drawn, places of a body in
// requests that have none, WebSockets, what a proxy is asked.
func comparable(t *testing.T, document []byte) string {
	t.Helper()
	p, err := fingerprint.Parse(document)
	if err != nil {
		t.Fatal(err)
	}
	copied := *p
	copied.Name, copied.Source = "", fingerprint.Source{}
	copied.HTTP1.Connect = nil
	copied.TLS.Extensions = slices.Clone(p.TLS.Extensions)
	if copied.TLS.ExtensionOrder == "shuffle" {
		slices.SortStableFunc(copied.TLS.Extensions, func(a, b fingerprint.Extension) int { return strings.Compare(a.Type, b.Type) })
	}
	copied.Headers, copied.HTTP1.Headers, copied.TLS.WebSocket = maps.Clone(p.Headers), maps.Clone(p.HTTP1.Headers), nil
	for _, headers := range []map[string][]fingerprint.HeaderRow{copied.Headers, copied.HTTP1.Headers} {
		delete(headers, fingerprint.WebSocket)
		headers[fingerprint.Image] = slices.DeleteFunc(slices.Clone(headers[fingerprint.Image]), func(row fingerprint.HeaderRow) bool {
			return strings.HasPrefix(strings.ToLower(row.Name), "content-")
		})
	}
	return string(copied.Document())
}

// TestCaptureOfOurOwnClientGivesItsProfileBack: the profile goes out onto the
// wire whole, and comes back from it whole.
func TestCaptureOfOurOwnClientGivesItsProfileBack(t *testing.T) {
	for _, name := range []string{"chrome-156-linux", "firefox-153-linux", "plain"} {
		t.Run(name, func(t *testing.T) {
			document, err := os.ReadFile(filepath.Join("../../../cycletls/browsers", name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			profile, err := fingerprint.Parse(document)
			if err != nil {
				t.Fatal(err)
			}
			b := newBench(t, &envelope.Capture{TLS: true})
			b.everyKind(b.session(string(document), nil), profile)
			b.everyKind(b.session(string(document), func(m *envelope.Session) { m.ForceHTTP1 = true }), profile)
			resuming := b.session(string(document), func(m *envelope.Session) { m.EnableConnectionReuse = false })
			for range 4 {
				b.send(resuming, &envelope.Request{Method: "GET", URL: "/pages/navigate"}, "")
			}
			implied := b.ask(0, &envelope.Imply{Captures: []string{b.seen()}, Name: "mine", Browser: "B", Version: "1", OS: "o", Date: "2026"})
			got, want := comparable(t, []byte(implied.(*envelope.Document).Text)), comparable(t, document)
			if got != want {
				t.Errorf("%s", difference(got, want))
			}
		})
	}
}

// difference shows the lines of both that the other does not have.
func difference(got, want string) string {
	var out strings.Builder
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		if i >= len(gotLines) || i >= len(wantLines) || gotLines[i] != wantLines[i] {
			out.WriteString("from line " + wantLines[max(0, i-3)] + "\ngot\n" + strings.Join(gotLines[i:min(i+12, len(gotLines))], "\n") +
				"\nwant\n" + strings.Join(wantLines[i:min(i+12, len(wantLines))], "\n"))
			break
		}
	}
	return out.String()
}

// TestCaptureEndsWithItsHandle: the port is free, and the handle says so.
func TestCaptureEndsWithItsHandle(t *testing.T) {
	b := newBench(t, &envelope.Capture{})
	if stats := b.stats(); stats.Captures != 1 {
		t.Errorf("%d captures alive", stats.Captures)
	}
	if !b.Close(b.server.Handle) || b.Close(b.server.Handle) {
		t.Error("closed not once")
	}
	var failure *envelope.Error
	if _, err := b.control(b.server.Handle, &envelope.Captured{}, nil); !errors.As(err, &failure) || failure.Kind != envelope.Closed {
		t.Errorf("asked after its end: %v", err)
	}
}

// TestCapturedWaitsNoLongerThanItMay: what came by then is the answer.
func TestCapturedWaitsNoLongerThanItMay(t *testing.T) {
	b := newBench(t, &envelope.Capture{})
	text := b.ask(b.server.Handle, &envelope.Captured{Requests: 1, Timeout: time.Millisecond}).(*envelope.Document).Text
	var log struct{ Connections []json.RawMessage }
	if err := json.Unmarshal([]byte(text), &log); err != nil || log.Connections == nil || len(log.Connections) != 0 {
		t.Errorf("%s: %v", text, err)
	}
}

// TestCapturedObeysTheHostsSignals: Ctrl-C ends the wait for a browser that
// never comes.
func TestCapturedObeysTheHostsSignals(t *testing.T) {
	b := newBench(t, &envelope.Capture{})
	_, err := b.control(b.server.Handle, &envelope.Captured{Requests: 1, Timeout: time.Hour}, func() bool { return true })
	if failed := failed(err).Message.(*envelope.Error); failed.Kind != envelope.Interrupted {
		t.Errorf("%v", failed)
	}
}

// TestImplyRefusesWhatIsNoCapture: with the kind of error that options have.
func TestImplyRefusesWhatIsNoCapture(t *testing.T) {
	for _, text := range []string{"", "null", "[]", "{}", `{"connections":[{"tls":{"hellos":["01"]}}]}`} {
		var failure *envelope.Error
		if _, err := imply(&envelope.Imply{Captures: []string{text}, Name: "x"}); !errors.As(err, &failure) || failure.Kind != envelope.InvalidOption {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestCaptureShowsTheCertificateItWasGiven: a file that is none is refused.
func TestCaptureShowsTheCertificateItWasGiven(t *testing.T) {
	var failure *envelope.Error
	var l Library
	if _, err := l.startCapture(&envelope.Capture{TLS: true, CertFile: "none.pem"}); !errors.As(err, &failure) || failure.Kind != envelope.InvalidOption {
		t.Errorf("%v", err)
	}
	if b := newBench(t, &envelope.Capture{TLS: true}); b.server.KeyPin == "" || !bytes.HasPrefix(b.server.Leaf, []byte{0x30}) {
		t.Errorf("%+v", b.server)
	}
}
