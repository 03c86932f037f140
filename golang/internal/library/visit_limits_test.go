//go:build linux

package library

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cycletls/cycletls/golang/internal/envelope"
)

// A response that came in time is there, however late the loop comes by.
func TestLateLoopsAreNotTimedOut(t *testing.T) {
	plain, secure := served(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") })
	for _, url := range []string{plain, secure} {
		l := newLoop(t, func(m *envelope.Session) { m.Timeouts = envelope.Timeouts{Read: 300 * time.Millisecond} })
		l.get(url)
		ticket := l.call(url)
		time.Sleep(time.Second) // the loop is busy; the server is not
		if got := l.answers(1)[ticket]; string(got.Body) != "ok" {
			t.Errorf("%s: %+v %s", url, got.Reply, decoded(got))
		}
	}
}

// A malformed trailer is told at once, not when the time has passed.
func TestMalformedTrailersFailAtOnce(t *testing.T) {
	url := scripted(t, func(n int, c net.Conn, in *bufio.Reader) {
		for i := 0; heard(in); i++ {
			if n == 0 && i == 0 {
				io.WriteString(c, ok)
				continue
			}
			io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\nX: 1\n\n")
		}
	})
	l := newLoop(t, func(m *envelope.Session) { m.Timeouts = envelope.Timeouts{Total: 3 * time.Second} })
	l.get(url)
	began := time.Now()
	got := l.get(url)
	if since := time.Since(began); since > time.Second {
		t.Errorf("after %v: %s", since, decoded(got))
	}
}

// Nothing is kept of loops that have ended, and the next one uses their connections.
func TestLoopsLeaveNoDescriptors(t *testing.T) {
	plain, secure := served(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") })
	l := newLoop(t, nil)
	count := func() int {
		entries, _ := os.ReadDir("/proc/self/fd")
		return len(entries)
	}
	before := 0
	for n := range 40 {
		for _, url := range []string{plain, secure} {
			for range 3 {
				if got := l.get(url); string(got.Body) != "ok" {
					t.Fatalf("%d: %s", n, decoded(got))
				}
			}
		}
		if n == 3 {
			before = count()
		}
		l.Close(l.queue)
		made := l.ask(0, &envelope.MakeQueue{}).(*envelope.Queue)
		l.queue, l.descriptor = made.Handle, made.Descriptor
	}
	if after := count(); after > before+2 {
		t.Errorf("%d descriptors became %d", before, after)
	}
}

// A head that cannot leave is bounded by the limit for writing.
func TestHeldHeadsKeepTheWriteLimit(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	url := scripted(t, func(_ int, c net.Conn, in *bufio.Reader) {
		heard(in)
		io.WriteString(c, ok)
		<-stop
	})
	l := newLoop(t, func(m *envelope.Session) {
		m.Timeouts = envelope.Timeouts{Write: 200 * time.Millisecond, Read: 3 * time.Second}
	})
	l.get(url)
	got := l.get(url + "/" + strings.Repeat("a", 8<<20)) // more than the kernel takes
	if text := decoded(got); !strings.Contains(text, string(envelope.WriteTimeout)) {
		t.Errorf("%.100s", text)
	}
}
