//go:build linux

package library

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cycletls/cycletls/golang/internal/envelope"
)

// loop stands for an event loop: it waits for its descriptor and drains.
type loop struct {
	*bench
	queue      uint64
	descriptor int
	session    uint64
}

// newLoop makes one with a session that verifies nobody.
func newLoop(t *testing.T, change func(*envelope.Session)) *loop {
	l := &loop{bench: &bench{T: t}}
	document, err := os.ReadFile("../../../cycletls/browsers/plain.json")
	if err != nil {
		t.Fatal(err)
	}
	l.session = l.bench.session(string(document), func(m *envelope.Session) {
		m.Async, m.InsecureSkipVerify, m.Redirects.Max = true, true, 5
		m.MaxBodyBytes = 1 << 30
		if change != nil {
			change(m)
		}
	})
	made := l.ask(0, &envelope.MakeQueue{}).(*envelope.Queue)
	l.queue, l.descriptor = made.Handle, made.Descriptor
	t.Cleanup(func() { l.Close(l.queue) })
	return l
}

func (l *loop) call(url string) uint64 {
	return l.Submit(l.queue, Work{Verb: VerbCall, Target: l.session, Text: get(url, 0)})
}

// answers waits until so much is done. The descriptor must tell of all of it.
func (l *loop) answers(count int) map[uint64]Completion {
	l.Helper()
	done := make(map[uint64]Completion)
	for len(done) < count {
		fds := [1]unix.PollFd{{Fd: int32(l.descriptor), Events: unix.POLLIN}}
		if n, err := unix.Poll(fds[:], 10_000); n == 0 && err == nil {
			l.Fatalf("%d of %d are done, and the descriptor tells of no more", len(done), count)
		}
		l.Drain(l.queue, func(c *Completion) bool {
			kept := *c
			kept.Head, kept.Body = bytes.Clone(c.Head), bytes.Clone(c.Body)
			done[c.Ticket] = kept
			return true
		})
	}
	return done
}

func (l *loop) get(url string) Completion {
	l.Helper()
	ticket := l.call(url)
	return l.answers(1)[ticket]
}

// zip is a text in gzip.
func zip(text string) []byte {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	io.WriteString(w, text)
	w.Close()
	return zipped.Bytes()
}

// failure is the kind of error that a completion tells of.
func failure(c Completion) string {
	text := decoded(c)
	_, rest, _ := strings.Cut(text, "kind")
	return rest
}

// served runs a server for both protocols.
func served(t *testing.T, handler http.HandlerFunc) (plain, secure string) {
	first, second := httptest.NewServer(handler), httptest.NewUnstartedServer(handler)
	second.EnableHTTP2 = true
	second.StartTLS()
	t.Cleanup(first.Close)
	t.Cleanup(second.Close)
	return first.URL, second.URL
}

// What a response can be like, on a connection that serves one after the other, and
// on one that serves all at once.
func TestLoopsAreAnsweredWithWhatWasSent(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 3000) // in several reads, below 64 KiB
	zipped := zip(long)
	handler := func(w http.ResponseWriter, r *http.Request) {
		flush := func() {
			w.(http.Flusher).Flush()
			time.Sleep(2 * time.Millisecond)
		}
		switch r.URL.Path {
		case "/none":
			w.WriteHeader(204)
		case "/zipped":
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(zipped)
		case "/moved":
			http.Redirect(w, r, "/counted", http.StatusFound)
		case "/hints":
			w.WriteHeader(103)
			flush()
			io.WriteString(w, long)
		case "/counted":
			w.Header().Set("Content-Length", fmt.Sprint(len(long)))
			io.WriteString(w, long[:1000])
			flush()
			io.WriteString(w, long[1000:])
		default: // in pieces, with trailers
			w.Header().Set("Trailer", "X-End")
			for at := 0; at < len(long); at += 10_000 {
				io.WriteString(w, long[at:min(len(long), at+10_000)])
				flush()
			}
			w.Header().Set("X-End", "yes")
		}
	}
	plain, secure := served(t, handler)
	for _, url := range []string{plain, secure} {
		l := newLoop(t, nil)
		l.get(url + "/none")
		for range 3 {
			want := make(map[uint64]string)
			for _, path := range []string{"/none", "/zipped", "/moved", "/hints", "/counted", "/pieces"} {
				want[l.call(url+path)] = map[bool]string{true: "", false: long}[path == "/none"]
			}
			for ticket, got := range l.answers(len(want)) {
				if string(got.Body) != want[ticket] || got.Reply.Handle != 0 || got.Reply.Status/100 != 2 {
					t.Errorf("%s: status %d, %d bytes of %d, %s", url, got.Reply.Status, len(got.Body), len(want[ticket]), decoded(got))
				}
			}
		}
	}
}

// A body that is longer than what comes along is read when its turn comes.
func TestLoopsReadLongBodies(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB
	plain, secure := served(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		w.Write(body)
	})
	for _, url := range []string{plain, secure} {
		l := newLoop(t, nil)
		for range 2 {
			head := l.get(url)
			if head.Reply.Handle == 0 || head.Reply.Length != int64(len(body)) {
				t.Fatalf("%+v", head.Reply)
			}
			buffer := make([]byte, len(body))
			ticket := l.Submit(l.queue, Work{Verb: VerbRead, Target: head.Reply.Handle, Buffer: buffer})
			got := l.answers(1)[ticket]
			if got.Reply.Filled != len(body) || got.Reply.Handle != 0 || !bytes.Equal(buffer, body) {
				t.Errorf("%s: %+v", url, got.Reply)
			}
		}
	}
}

// While exchanges wait on connections that are there, nobody else does: no goroutine
// of theirs.
func TestWaitingInAHallTakesNoGoroutine(t *testing.T) {
	answer := make(chan struct{})
	var asked atomic.Int32 // heads leave together when the loop comes by
	_, secure := served(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			asked.Add(1)
			<-answer
		}
	})
	l := newLoop(t, nil)
	l.get(secure)
	const many = 100
	before := mine()
	for range many {
		l.call(secure + "/late")
	}
	for asked.Load() < many {
		l.Drain(l.queue, func(*Completion) bool { return true })
		time.Sleep(time.Millisecond)
	}
	if got := mine(); got > before {
		t.Errorf("%d goroutines wait for %d exchanges", got-before, many)
	}
	close(answer)
	for _, got := range l.answers(many) {
		if got.Reply.Status != 200 {
			t.Errorf("%+v: %s", got.Reply, decoded(got))
		}
	}
}

// A small body that is there as a whole is decoded where it is read.
func TestDecodingTakesNoGoroutine(t *testing.T) {
	zipped := zip(strings.Repeat("x", 10_000))
	plain, secure := served(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		if r.URL.Path == "/chunked" {
			w.(http.Flusher).Flush()
		}
		w.Write(zipped)
	})
	for _, url := range []string{plain, secure} {
		l := newLoop(t, nil)
		l.get(url)
		l.another()
		for _, path := range []string{"/counted", "/chunked"} {
			for range 5 {
				if got := l.get(url + path); len(got.Body) != 10_000 {
					t.Errorf("%d bytes, %s", len(got.Body), decoded(got))
				}
			}
		}
		if got := mine(); url == plain && got > 0 {
			t.Errorf("%d goroutines were needed", got)
		}
	}
}

// another begins anew with a queue for which no goroutine was needed yet.
func (l *loop) another() {
	l.Close(l.queue)
	made := l.ask(0, &envelope.MakeQueue{}).(*envelope.Queue)
	l.queue, l.descriptor = made.Handle, made.Descriptor
	for mine() > 0 {
		time.Sleep(time.Millisecond)
	}
}

// mine counts the goroutines that are in this package or beneath, not in the server.
func mine() int {
	stacks := make([]byte, 8<<20)
	count := 0
	for _, stack := range strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		if strings.Contains(stack, "library.(*Crew)") {
			count++
		}
	}
	return count
}

// scripted is a server that does with its connections, in turn, what it is told.
func scripted(t *testing.T, script func(connection int, c net.Conn, in *bufio.Reader)) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for n := 0; ; n++ {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				script(n, c, bufio.NewReader(c))
			}()
		}
	}()
	return "http://" + listener.Addr().String()
}

// heard reads the head of a request; false is the end.
func heard(in *bufio.Reader) bool { return asked(in) != "" }

// asked reads the head of a request and returns its first line, "" at the end.
func asked(in *bufio.Reader) string {
	first, err := in.ReadString('\n')
	for line := first; err == nil && line != "\r\n"; {
		line, err = in.ReadString('\n')
	}
	if err != nil {
		return ""
	}
	return first
}

// silentWhenAsked answers all requests but those for silence.
func silentWhenAsked(_ int, c net.Conn, in *bufio.Reader) {
	for {
		switch line := asked(in); {
		case line == "":
			return
		case !strings.Contains(line, "/silence"):
			io.WriteString(c, ok)
		}
	}
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// A response may come byte by byte, with all that lies between two chunks.
func TestLoopsAreAnsweredByteByByte(t *testing.T) {
	url := scripted(t, func(_ int, c net.Conn, in *bufio.Reader) {
		for heard(in) {
			for _, b := range []byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\none\r\nA\r\n0123456789\r\n0\r\nX-End: 1\r\n\r\n") {
				c.Write([]byte{b})
				time.Sleep(200 * time.Microsecond)
			}
		}
	})
	l := newLoop(t, nil)
	for range 3 {
		if got := l.get(url); string(got.Body) != "one0123456789" || got.Reply.Status != 200 {
			t.Errorf("%q, %+v, %s", got.Body, got.Reply, decoded(got))
		}
	}
}

// A connection that ends while an exchange waits on it is no answer: what may be sent
// again is, on a fresh one, and else the end is told.
func TestLoopsOutliveStaleConnections(t *testing.T) {
	var connections atomic.Int32
	url := scripted(t, func(n int, c net.Conn, in *bufio.Reader) {
		connections.Add(1)
		heard(in)
		io.WriteString(c, ok)
		if n == 0 { // takes one more request and hangs up
			heard(in)
			return
		}
		for heard(in) {
			io.WriteString(c, ok)
		}
	})
	l := newLoop(t, nil)
	for range 3 {
		if got := l.get(url); string(got.Body) != "ok" {
			t.Errorf("%q, %s", got.Body, decoded(got))
		}
	}
	if got := connections.Load(); got != 2 {
		t.Errorf("%d connections", got)
	}
}

// Who is not answered is told when its time has passed, and what it waited for.
func TestLoopsKeepTimeLimits(t *testing.T) {
	url := scripted(t, silentWhenAsked)
	for limits, want := range map[envelope.Timeouts]string{
		{Read: 50 * time.Millisecond}:                       string(envelope.ReadTimeout),
		{Total: 50 * time.Millisecond}:                      string(envelope.TotalTimeout),
		{Total: 50 * time.Millisecond, Read: time.Minute}:   string(envelope.TotalTimeout),
		{Total: time.Minute, Read: 50 * time.Millisecond}:   string(envelope.ReadTimeout),
		{Total: time.Minute, Write: time.Minute, Pool: 1e9}: "",
	} {
		l := newLoop(t, func(m *envelope.Session) { m.Timeouts = limits })
		l.get(url)
		began := time.Now()
		ticket := l.call(url + "/silence")
		if want == "" {
			l.Cancel(ticket)
			want = string(envelope.Cancelled)
		}
		got := l.answers(1)[ticket]
		if kind := failure(got); !strings.Contains(kind, want) || time.Since(began) > 5*time.Second {
			t.Errorf("%+v: %q instead of %s", limits, decoded(got), want)
		}
	}
}

// Nothing is left of a queue that is closed while its exchanges wait in the hall.
func TestClosingAQueueEndsItsGuests(t *testing.T) {
	url := scripted(t, silentWhenAsked)
	l := newLoop(t, nil)
	for range 10 {
		l.get(url)
		for range 5 {
			l.call(url + "/silence")
		}
		l.another()
	}
	l.handles.each(func(value any) {
		switch value.(type) {
		case *operation, *exchange:
			t.Errorf("%T is left", value)
		}
	})
}

// A session that is closed ends what waits, from any thread.
func TestClosingASessionEndsGuests(t *testing.T) {
	url := scripted(t, silentWhenAsked)
	l := newLoop(t, nil)
	l.get(url)
	ticket := l.call(url + "/silence")
	go l.Close(l.session)
	if got := l.answers(1)[ticket]; !strings.Contains(failure(got), string(envelope.Closed)) {
		t.Errorf("%s", decoded(got))
	}
}

// decoded is the message of a completion, in the clear.
func decoded(c Completion) string {
	text, _ := base64.StdEncoding.DecodeString(string(c.Head))
	return string(text)
}
