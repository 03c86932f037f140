//go:build linux

package library

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"golang.org/x/sys/unix"

	"github.com/cycletls/cycletls/golang/internal/envelope"
)

// A guest that waits alone answers a server's PING: servers end connections that do not.
func TestLoneGuestsAnswerPings(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			asked.Add(1)
			time.Sleep(2 * time.Second)
		}
		io.WriteString(w, "ok")
	}))
	server.Config.HTTP2 = &http.HTTP2Config{SendPingTimeout: 200 * time.Millisecond, PingTimeout: 300 * time.Millisecond}
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	l := newLoop(t, func(m *envelope.Session) { m.Timeouts = envelope.Timeouts{Total: 8 * time.Second} })
	l.get(server.URL)
	if got := l.get(server.URL + "/late"); string(got.Body) != "ok" {
		t.Errorf("%+v %s", got.Reply, decoded(got))
	}
	if got := asked.Load(); got != 1 {
		t.Errorf("it was asked %d times", got)
	}
}

// A streamed body longer than the windows goes on when a guest has read what was there.
func TestLoneGuestsOpenTheWindow(t *testing.T) {
	const size = 64 << 20
	_, secure := served(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/long" {
			w.Header().Set("Content-Length", fmt.Sprint(size))
			piece := make([]byte, 64<<10)
			for n := 0; n < size; n += len(piece) {
				w.Write(piece)
			}
		}
	})
	l := newLoop(t, func(m *envelope.Session) { m.Timeouts = envelope.Timeouts{Read: 3 * time.Second} })
	l.get(secure)
	head := l.get(secure + "/long")
	for _, piece := range []int{size / 2, size / 2} {
		buffer := make([]byte, piece)
		ticket := l.Submit(l.queue, Work{Verb: VerbRead, Target: head.Reply.Handle, Buffer: buffer})
		if got := l.answers(1)[ticket]; got.Reply.Filled != piece {
			t.Fatalf("%+v %s", got.Reply, decoded(got))
		}
	}
}

// A body longer than a small window (Firefox': 128 KiB) comes whole, though the loop is late.
func TestLoneGuestsOpenSmallWindows(t *testing.T) {
	const size = 1 << 20
	_, secure := served(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/long" {
			w.Header().Set("Content-Length", fmt.Sprint(size))
			w.Write(make([]byte, size))
		}
	})
	document, err := os.ReadFile("../../../cycletls/browsers/plain.json")
	if err != nil {
		t.Fatal(err)
	}
	small := strings.Replace(string(document), "6291456", "131072", 1)
	l := newLoop(t, nil)
	l.session = l.bench.session(small, func(m *envelope.Session) {
		m.Async, m.InsecureSkipVerify, m.MaxBodyBytes = true, true, 1<<30
		m.Timeouts = envelope.Timeouts{Read: 3 * time.Second}
	})
	l.get(secure)
	head := l.get(secure + "/long")
	buffer := make([]byte, size)
	ticket := l.Submit(l.queue, Work{Verb: VerbRead, Target: head.Reply.Handle, Buffer: buffer})
	var got Completion
	for began := time.Now(); got.Ticket == 0 && time.Since(began) < 20*time.Second; {
		time.Sleep(50 * time.Millisecond) // the loop has other things to do
		l.Drain(l.queue, func(c *Completion) bool {
			got = *c
			got.Head = bytes.Clone(c.Head)
			return true
		})
	}
	if got.Ticket != ticket || got.Reply.Filled != size {
		t.Fatalf("%+v %s", got.Reply, decoded(got))
	}
}

// What guests could not send at once leaves when there is room, though a goroutine
// leads the connection and waits for something else.
func TestHeadsOfGuestsLeaveBehindALeader(t *testing.T) {
	borrowed := httptest.NewTLSServer(nil) // for its certificate
	defer borrowed.Close()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: borrowed.TLS.Certificates, NextProtos: []string{"h2"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	const many = 300
	first, goOn := make(chan struct{}), make(chan struct{})
	var heads atomic.Int32
	go func() {
		c, err := listener.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		io.ReadFull(c, make([]byte, len(http2.ClientPreface)))
		framer := http2.NewFramer(c, c)
		framer.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1000})
		var ids []uint32
		for {
			frame, err := framer.ReadFrame()
			if err != nil {
				return
			}
			ended := false
			switch f := frame.(type) {
			case *http2.HeadersFrame:
				ended = f.HeadersEnded()
			case *http2.ContinuationFrame:
				ended = f.HeadersEnded()
			case *http2.SettingsFrame:
				if !f.IsAck() {
					framer.WriteSettingsAck()
				}
			}
			if !ended {
				continue
			}
			ids = append(ids, frame.Header().StreamID)
			heads.Store(int32(len(ids)))
			switch len(ids) {
			case 1:
				close(first)
				<-goOn
			case many + 1:
				var block strings.Builder
				hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: ":status", Value: "204"})
				for _, id := range ids {
					framer.WriteHeaders(http2.HeadersFrameParam{
						StreamID: id, BlockFragment: []byte(block.String()), EndHeaders: true, EndStream: true,
					})
				}
			}
		}
	}()
	l := newLoop(t, func(m *envelope.Session) { m.Timeouts = envelope.Timeouts{Read: 5 * time.Second} })
	url := "https://" + listener.Addr().String()
	l.call(url + "/first") // dials, and so waits in a goroutine
	<-first
	time.Sleep(50 * time.Millisecond) // it leads
	for n := range many {
		l.call(fmt.Sprintf("%s/%d/%s", url, n, strings.Repeat("a", 30_000)))
	}
	close(goOn)
	bad := 0
	for _, c := range l.answers(many + 1) {
		if c.Reply.Status != 204 {
			if bad++; bad == 1 {
				t.Errorf("%+v %s", c.Reply, decoded(c))
			}
		}
	}
	if bad > 0 {
		t.Errorf("%d fail; the server has seen %d heads of %d", bad, heads.Load(), many+1)
	}
}

// A cancelled guest goes on in a goroutine, while a leader's ring for it is on its way.
func TestGuestsAreCancelledWhileTheyAreRung(t *testing.T) {
	_, secure := served(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			w.WriteHeader(200)
			w.(http.Flusher).Flush()
			for range 150 {
				time.Sleep(5 * time.Millisecond)
				w.Write([]byte("x"))
				w.(http.Flusher).Flush()
			}
			return
		}
		time.Sleep(2 * time.Millisecond)
	})
	l := newLoop(t, func(m *envelope.Session) { m.Timeouts = envelope.Timeouts{Total: 20 * time.Second} })
	l.get(secure)
	poll := l.Submit(l.queue, Work{Verb: VerbCall, Target: l.session, Text: asking("POST", secure, true), Body: []byte("x")})
	open, polled := 0, false
	for end := time.Now().Add(1500 * time.Millisecond); time.Now().Before(end) || open > 0 || !polled; {
		for range 20 {
			if time.Now().After(end) {
				break
			}
			ticket := l.call(secure)
			open++
			time.AfterFunc(2*time.Millisecond, func() { l.Cancel(ticket) })
		}
		for ticket := range l.answers(1) {
			if ticket == poll {
				polled = true
			} else {
				open--
			}
		}
	}
}

// Two loops may use one session: no event is lost between them.
func TestTwoLoopsShareAConnection(t *testing.T) {
	_, secure := served(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Millisecond)
		io.WriteString(w, "ok")
	})
	l := newLoop(t, func(m *envelope.Session) { m.Timeouts = envelope.Timeouts{Total: 30 * time.Second} })
	l.get(secure)
	silent := make(chan int, 2)
	run := func(queue uint64, descriptor int) {
		open := 0
		for end := time.Now().Add(1500 * time.Millisecond); time.Now().Before(end) || open > 0; {
			for time.Now().Before(end) && open < 1 {
				l.Submit(queue, Work{Verb: VerbCall, Target: l.session, Text: get(secure, 0)})
				open++
			}
			fds := [1]unix.PollFd{{Fd: int32(descriptor), Events: unix.POLLIN}}
			if n, err := unix.Poll(fds[:], 4000); n == 0 && err == nil {
				silent <- open
				return
			}
			l.Drain(queue, func(c *Completion) bool {
				if !bytes.Equal(c.Body, []byte("ok")) {
					t.Error(c.Reply, string(c.Head))
				}
				open--
				return true
			})
		}
		silent <- 0
	}
	made := l.ask(0, &envelope.MakeQueue{}).(*envelope.Queue)
	defer l.Close(made.Handle)
	go run(made.Handle, made.Descriptor)
	go run(l.queue, l.descriptor)
	for range 2 {
		if open := <-silent; open > 0 {
			t.Errorf("a loop is told of nothing any more, and waits for %d", open)
		}
	}
}
