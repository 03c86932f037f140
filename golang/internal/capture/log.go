package capture

import (
	"strings"
	"sync"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

// A log remembers the newest connections and requests within these bounds.
const (
	maxConnections  = 1000
	maxRequests     = 1000 // of a connection
	maxRequestBytes = 16 << 20
	maxLogBytes     = 64 << 20
)

// Log is what a server has seen, the oldest connection first.
type Log struct {
	URL         string `json:"url"`
	Connections []Seen `json:"connections"`
	Requests    int    `json:"requests"`            // in all, since the start
	Truncated   bool   `json:"truncated,omitempty"` // older connections were forgotten
}

// Seen is one connection so far.
type Seen struct {
	Connection Connection `json:"connection"`
	TLS        *TLS       `json:"tls,omitempty"`
	Frames     []Frame    `json:"frames,omitempty"` // HTTP/2
	Akamai     string     `json:"akamai,omitempty"` // HTTP/2
	Requests   []Request  `json:"requests"`         // the newest
	Error      string     `json:"error,omitempty"`  // what ended it, other than the client

	size int
}

// Want is what somebody waits for; the zero value is there at once.
type Want struct {
	Requests int    // so many requests in all
	Target   string // a request whose target begins like this; "": any
}

// log is filled by the connections' goroutines, each with values that it does
// not touch again: it only ever appends behind what it has given away.
type log struct {
	mu       sync.Mutex
	entries  []Seen
	size     int
	numbered int
	requests int
	dropped  bool
	targets  map[string]bool
	changed  chan struct{} // closed by the next change
}

func newLog() *log { return &log{targets: make(map[string]bool), changed: make(chan struct{})} }

// put takes the newest state of a connection, and the request that is new in it
// if there is one: who waits for that must find it.
func (l *log) put(seen Seen, request *Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entry(seen.Connection.ID, seen)
	if request != nil {
		l.requests++
		if len(l.targets) < maxRequests {
			l.targets[request.Target] = true
		}
	}
	for len(l.entries) > maxConnections || l.size > maxLogBytes && len(l.entries) > 1 {
		l.size -= l.entries[0].size
		l.entries = l.entries[1:]
		l.dropped = true
	}
	l.announce()
}

func (l *log) entry(id uint64, seen Seen) {
	l.size += seen.size
	for i := len(l.entries) - 1; i >= 0; i-- {
		if l.entries[i].Connection.ID == id {
			l.size -= l.entries[i].size
			l.entries[i] = seen
			return
		}
	}
	l.entries = append(l.entries, seen)
}

// number returns the next request's.
func (l *log) number() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.numbered++
	return l.numbered
}

func (l *log) announce() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// has reports whether what is wanted is there, else what to wait for.
func (l *log) has(want Want) (bool, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.requests < want.Requests {
		return false, l.changed
	}
	for target := range l.targets {
		if strings.HasPrefix(target, want.Target) {
			return true, nil
		}
	}
	return want.Target == "", l.changed
}

// Log returns what the server has seen, as soon as what is wanted is there or
// the limit of ctx has passed; what else ends ctx is an error.
func (s *Server) Log(ctx *wait.Context, want Want) (*Log, error) {
	for {
		there, changed := s.log.has(want)
		if there {
			break
		}
		err := ctx.Await(changed, wait.Read)
		if wait.IsTimeout(err) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return &Log{
		URL: s.URL(), Connections: append([]Seen{}, s.log.entries...), Requests: s.log.requests, Truncated: s.log.dropped,
	}, nil
}
