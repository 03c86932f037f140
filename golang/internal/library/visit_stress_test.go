//go:build linux

package library

import (
	"bytes"
	"encoding/base64"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tinylib/msgp/msgp"
	"golang.org/x/sys/unix"

	"github.com/cycletls/cycletls/golang/internal/envelope"
)

func asking(method, url string, body bool) string {
	size := uint32(3)
	if body {
		size++
	}
	b := msgp.AppendMapHeader(nil, size)
	for _, text := range []string{"type", "request", "method", method, "url", url} {
		b = msgp.AppendString(b, text)
	}
	if body {
		b = msgp.AppendMapHeader(msgp.AppendString(b, "body"), 0)
	}
	return base64.StdEncoding.EncodeToString(b)
}

// Guests and goroutines share connections, some are given up, and all are answered once.
func TestGuestsAndGoroutinesAmongEachOther(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 20_000) // 320 KB
	zipped := zip(long[:48000])
	plain, secure := served(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/zipped":
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(zipped)
		case "/moved":
			http.Redirect(w, r, "/late", http.StatusFound)
		case "/late":
			time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
			io.WriteString(w, "late")
		case "/up":
			n, _ := io.Copy(io.Discard, r.Body)
			if n != 300_000 {
				w.WriteHeader(500)
			}
		case "/pieces":
			for at := 0; at < 40_000; at += 10_000 {
				io.WriteString(w, long[at:at+10_000])
				w.(http.Flusher).Flush()
				time.Sleep(time.Millisecond)
			}
		case "/long":
			io.WriteString(w, long)
		case "/hang":
			select {
			case <-r.Context().Done():
			case <-time.After(300 * time.Millisecond):
			}
		}
	})
	up := make([]byte, 300_000)
	for _, url := range []string{plain, secure} {
		l := newLoop(t, func(m *envelope.Session) {
			m.Timeouts = envelope.Timeouts{Total: 20 * time.Second, Read: 15 * time.Second}
		})
		l.get(url + "/late")
		type asked struct {
			path      string
			cancelled bool
			began     time.Time
		}
		open := make(map[uint64]*asked)
		reads := make(map[uint64][]byte)
		var mu sync.Mutex
		total, answered := 0, 0
		paths := []string{"/late", "/late", "/late", "/zipped", "/moved", "/up", "/pieces", "/long", "/hang"}
		end := time.Now().Add(2 * time.Second)
		slow := time.Duration(0)
		for time.Now().Before(end) || len(open)+len(reads) > 0 {
			if time.Now().After(end.Add(25 * time.Second)) {
				for _, a := range open {
					t.Errorf("%s: %s is not answered after %v, cancelled %v", url, a.path, time.Since(a.began), a.cancelled)
				}
				break
			}
			for time.Now().Before(end) && len(open) < 40 {
				path := paths[rand.IntN(len(paths))]
				work := Work{Verb: VerbCall, Target: l.session, Text: asking("GET", url+path, false)}
				if path == "/up" {
					work.Text, work.Body = asking("POST", url+path, true), up
				}
				ticket := l.Submit(l.queue, work)
				a := &asked{path: path, began: time.Now()}
				open[ticket] = a
				total++
				if rand.IntN(8) == 0 {
					a.cancelled = true
					time.AfterFunc(time.Duration(rand.IntN(15))*time.Millisecond, func() {
						mu.Lock()
						defer mu.Unlock()
						l.Cancel(ticket)
					})
				}
			}
			var more []Completion
			l.Drain(l.queue, func(c *Completion) bool {
				kept := *c
				kept.Head, kept.Body = bytes.Clone(c.Head), bytes.Clone(c.Body)
				more = append(more, kept)
				return true
			})
			for _, c := range more {
				if buffer, ok := reads[c.Ticket]; ok {
					delete(reads, c.Ticket)
					if strings.Contains(decoded(c), "cancelled") {
						continue // its call was, too late
					}
					if c.Reply.Filled != len(long) && c.Reply.Status != Done || c.Reply.Filled > 0 && string(buffer[:c.Reply.Filled]) != long[65536:65536+c.Reply.Filled] {
						t.Errorf("%s: read %+v of %d: %s", url, c.Reply, len(long), decoded(c))
					}
					if c.Reply.Handle != 0 {
						l.Close(c.Reply.Handle)
					}
					continue
				}
				a := open[c.Ticket]
				if a == nil {
					t.Fatalf("%s: answered twice", url)
				}
				delete(open, c.Ticket)
				answered++
				slow = max(slow, time.Since(a.began))
				if c.Reply.Status/100 != 2 && !a.cancelled {
					t.Errorf("%s%s: %+v %s", url, a.path, c.Reply, decoded(c))
				}
				if c.Reply.Handle != 0 {
					switch rand.IntN(3) {
					case 0:
						go l.Close(c.Reply.Handle)
					default:
						buffer := make([]byte, len(long)-65536)
						reads[l.Submit(l.queue, Work{Verb: VerbRead, Target: c.Reply.Handle, Buffer: buffer})] = buffer
					}
				}
			}
			if len(more) == 0 {
				fds := [1]unix.PollFd{{Fd: int32(l.descriptor), Events: unix.POLLIN}}
				if n, err := unix.Poll(fds[:], 4000); n == 0 && err == nil && len(open)+len(reads) > 0 {
					for _, a := range open {
						t.Errorf("%s: the descriptor is silent, and %s is not answered after %v, cancelled %v", url, a.path, time.Since(a.began), a.cancelled)
					}
					t.Fatalf("%d reads", len(reads))
				}
			}
			if rand.IntN(100) == 0 {
				time.Sleep(time.Duration(rand.IntN(40)) * time.Millisecond) // the loop is busy
			}
		}
		t.Logf("%s: %d of %d, slowest %v", url, answered, total, slow)
	}
}
