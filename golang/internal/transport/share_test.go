package transport

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cycletls/cycletls/golang/internal/fingerprint"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// secureServer answers requests over TLS with their path; HTTP/2 where asked.
type secureServer struct {
	*httptest.Server
	origin   Origin
	accepted atomic.Int32
	hold     atomic.Pointer[chan struct{}] // requests wait for it to be closed
	held     chan struct{}                 // told of each that waits
}

func newSecureServer(t *testing.T, http2 bool, change func(*httptest.Server)) *secureServer {
	t.Helper()
	s := &secureServer{held: make(chan struct{}, 100)}
	s.Server = httptest.NewUnstartedServer(s)
	s.EnableHTTP2 = http2
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.accepted.Add(1)
		}
	}
	if change != nil {
		change(s.Server)
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	s.origin = originOf("https", s.Listener)
	return s
}

func (s *secureServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if hold := s.hold.Load(); hold != nil {
		s.held <- struct{}{}
		<-*hold
	}
	io.WriteString(w, r.URL.Path)
}

// holdRequests makes requests wait until the returned function is called.
func (s *secureServer) holdRequests(t *testing.T) (release func()) {
	hold := make(chan struct{})
	s.hold.Store(&hold)
	release = sync.OnceFunc(func() { close(hold) })
	t.Cleanup(release)
	return release
}

var plainProfile = sync.OnceValues(func() (*fingerprint.Profile, error) {
	document, err := os.ReadFile("../../../cycletls/browsers/plain.json")
	if err != nil {
		return nil, err
	}
	return fingerprint.Parse(document)
})

// newSecurePool returns a pool that offers HTTP/2 and does not verify.
func newSecurePool(t *testing.T, change func(*Config)) *Pool {
	t.Helper()
	profile, err := plainProfile()
	if err != nil {
		t.Fatal(err)
	}
	return newTestPool(t, func(c *Config) {
		c.Profile, c.TLS = profile, TLSConfig{insecure: true}
		if change != nil {
			change(c)
		}
	})
}

// TestThirtyTwoThreadsShareAConnection: even those who come while it is being
// made.
func TestThirtyTwoThreadsShareAConnection(t *testing.T) {
	server := newSecureServer(t, true, nil)
	p := newSecurePool(t, nil)
	inParallel(32, func(int) {
		for range 20 {
			if about, err := get(wait.Background(), p, server.origin); err != nil || about.Protocol != "h2" {
				t.Errorf("got %+v, %v", about, err)
			}
		}
	})
	if n := server.accepted.Load(); n != 1 {
		t.Errorf("the server saw %d connections", n)
	}
}

// TestSharedConnectionTellsWhatItIs.
func TestSharedConnectionTellsWhatItIs(t *testing.T) {
	server := newSecureServer(t, true, nil)
	p := newSecurePool(t, nil)
	first, second := mustGet(t, p, server.origin), mustGet(t, p, server.origin)
	if first.Reused || first.Handshake <= 0 || first.TLS == nil || first.TLS.ALPN != "h2" {
		t.Errorf("first %+v", first)
	}
	if !second.Reused || second.Handshake != 0 || second.ID != first.ID || second.TLS != first.TLS {
		t.Errorf("second %+v", second)
	}
}

// TestAnotherConnectionWhenStreamsRunOut: eight exchanges are under way at once
// where a connection carries four, so that there must be two.
func TestAnotherConnectionWhenStreamsRunOut(t *testing.T) {
	server := newSecureServer(t, true, func(s *httptest.Server) {
		s.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 4}
	})
	p := newSecurePool(t, nil)
	mustGet(t, p, server.origin) // its settings are known now
	release := server.holdRequests(t)
	go func() {
		for range 8 {
			<-server.held
		}
		release()
	}()
	inParallel(8, func(int) {
		if err := getUnlessRefused(p, server.origin); err != nil {
			t.Error(err)
			release()
		}
	})
	if n := server.accepted.Load(); n != 2 {
		t.Errorf("%d connections", n)
	}
}

// getUnlessRefused tries again what the server says it did not process: a new
// connection's limit is not known before its first reply (RFC 9113 section 5.1.2).
func getUnlessRefused(p *Pool, o Origin) error {
	for {
		e, err := start(wait.New(limits(wait.Pool, 5*time.Second), nil), p, o, false)
		if err != nil {
			return err
		}
		if err = e.finish(); err == nil || e.Delivery() != message.Unsent {
			return err
		}
	}
}

// TestStreamIsWaitedForWhereNoConnectionMayBeMade.
func TestStreamIsWaitedForWhereNoConnectionMayBeMade(t *testing.T) {
	server := newSecureServer(t, true, func(s *httptest.Server) {
		s.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 2}
	})
	p := newSecurePool(t, func(c *Config) { c.MaxPerHost = 1 })
	mustGet(t, p, server.origin)
	release := server.holdRequests(t)
	first, second := mustStart(t, p, server.origin), mustStart(t, p, server.origin)
	_, err := get(wait.New(limits(wait.Pool, 30*time.Millisecond), nil), p, server.origin)
	wantTimeout(t, err, wait.Pool)
	done := make(chan error)
	go func() { _, err := get(wait.Background(), p, server.origin); done <- err }()
	release()
	if first.finish() != nil || second.finish() != nil {
		t.Error("no answer")
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := server.accepted.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// TestServerThatSpeaksHTTP1HasAConnectionForEach: nobody goes on waiting for
// one that could be shared.
func TestServerThatSpeaksHTTP1HasAConnectionForEach(t *testing.T) {
	server := newSecureServer(t, false, nil)
	p := newSecurePool(t, nil)
	release := server.holdRequests(t)
	var started sync.WaitGroup
	started.Add(8)
	go func() { started.Wait(); release() }()
	inParallel(8, func(int) {
		e := mustStart(t, p, server.origin)
		started.Done()
		if e.about.Protocol != "http/1.1" || e.finish() != nil {
			t.Errorf("got %+v", e.about)
		}
	})
	if n := server.accepted.Load(); n != 8 {
		t.Errorf("%d connections", n)
	}
}

// TestForceHTTP1OffersNothingElse.
func TestForceHTTP1OffersNothingElse(t *testing.T) {
	server := newSecureServer(t, true, nil)
	p := newSecurePool(t, func(c *Config) { c.ForceHTTP1 = true })
	if about := mustGet(t, p, server.origin); about.Protocol != "http/1.1" {
		t.Errorf("got %+v", about)
	}
}

// TestSharedConnectionThatDiedIsNotUsed: closed or told to go away while it was
// idle.
func TestSharedConnectionThatDiedIsNotUsed(t *testing.T) {
	server := newSecureServer(t, true, nil)
	p := newSecurePool(t, nil)
	first := mustGet(t, p, server.origin)
	server.CloseClientConnections()
	inParallel(8, func(int) {
		if about, err := get(wait.Background(), p, server.origin); err != nil || about.ID == first.ID {
			t.Errorf("got %+v, %v", about, err)
		}
	})
	if n := server.accepted.Load(); n != 2 {
		t.Errorf("%d connections", n)
	}
}

// TestConnectionsAreNotSharedWhereReuseIsOff.
func TestConnectionsAreNotSharedWhereReuseIsOff(t *testing.T) {
	server := newSecureServer(t, true, nil)
	p := newSecurePool(t, func(c *Config) { c.Reuse = false })
	inParallel(4, func(int) {
		for range 3 {
			if about, err := get(wait.Background(), p, server.origin); err != nil || about.Reused {
				t.Errorf("got %+v, %v", about, err)
			}
		}
	})
	if n := server.accepted.Load(); n != 12 || p.Connections() != 0 {
		t.Errorf("%d connections were made, %d are left", n, p.Connections())
	}
}

// TestFailedDialFailsForAllWhoWaitForIt, once, with the same error.
func TestFailedDialFailsForAllWhoWaitForIt(t *testing.T) {
	listener := listen(t, "127.0.0.1:0")
	p := newSecurePool(t, nil)
	var accepted atomic.Int32
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			accepted.Add(1)
			for p.queued() < 7 {
				time.Sleep(time.Millisecond)
			}
			conn.Close()
		}
	}()
	inParallel(8, func(int) {
		_, err := get(wait.Background(), p, originOf("https", listener))
		var failed *TLSError
		if !errors.As(err, &failed) {
			t.Errorf("got %v", err)
		}
	})
	if n := accepted.Load(); n != 1 {
		t.Errorf("%d dials", n)
	}
}

// slowStart is a listener whose first connection is never answered.
type slowStart struct {
	net.Listener
	first sync.Once
	held  chan net.Conn
}

func (l *slowStart) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	var hold bool
	l.first.Do(func() { hold = true })
	if !hold {
		return conn, nil
	}
	l.held <- conn
	return l.Listener.Accept()
}

// TestGivenUpDialIsTakenOver: who made the connection for all was cancelled or
// had less time, so the next one makes it.
func TestGivenUpDialIsTakenOver(t *testing.T) {
	for name, give := range map[string]func() *wait.Context{
		"cancelled": func() *wait.Context { return wait.New(wait.Limits{}, nil) },
		"timeout":   func() *wait.Context { return wait.New(limits(wait.Connect, 150*time.Millisecond), nil) },
	} {
		t.Run(name, func(t *testing.T) {
			held := make(chan net.Conn, 1)
			server := newSecureServer(t, true, func(s *httptest.Server) {
				s.Listener = &slowStart{Listener: s.Listener, held: held}
			})
			p := newSecurePool(t, nil)
			leader, failed := give(), make(chan error)
			go func() { _, err := get(leader, p, server.origin); failed <- err }()
			defer (<-held).Close()
			done := make(chan error, 4)
			for range 4 {
				go func() { _, err := get(wait.Background(), p, server.origin); done <- err }()
			}
			eventually(t, "the others wait", func() bool { return p.queued() == 4 })
			if name == "cancelled" {
				leader.Cancel(wait.ErrCancelled)
			}
			if err := <-failed; !wait.IsStop(err) {
				t.Errorf("who dialled got %v", err)
			}
			for range 4 {
				if err := <-done; err != nil {
					t.Errorf("who waited got %v", err)
				}
			}
			if n := p.Connections(); n != 1 {
				t.Errorf("%d connections", n)
			}
		})
	}
}

// TestConnectTimeoutIsSharedByThoseWhoHaveTheSame, instead of being served one
// after the other.
func TestConnectTimeoutIsSharedByThoseWhoHaveTheSame(t *testing.T) {
	listener := listen(t, "127.0.0.1:0")
	p := newSecurePool(t, nil)
	within(t, 400*time.Millisecond, func() {
		inParallel(8, func(int) {
			ctx := wait.New(limits(wait.Connect, 150*time.Millisecond), nil)
			_, err := get(ctx, p, originOf("https", listener))
			wantTimeout(t, err, wait.Connect)
		})
	})
	listener.Close()
}

// TestStormOverHTTP2: as TestStorm, with streams.
func TestStormOverHTTP2(t *testing.T) {
	server := newSecureServer(t, true, func(s *httptest.Server) {
		s.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 3}
		s.TLS = &tls.Config{SessionTicketsDisabled: true}
	})
	p := newSecurePool(t, func(c *Config) { c.MaxPerHost = 3 })
	mustGet(t, p, server.origin)
	inParallel(16, func(thread int) {
		for i := range 20 {
			stormOver(t, p, server.origin, thread*20+i)
		}
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.hosts {
		if len(h.shared) != 0 || h.making != 0 {
			t.Errorf("%d connections are in use, %d being made", len(h.shared), h.making)
		}
	}
	if p.open != p.idle.length || len(p.hungry) != 0 {
		t.Errorf("%d connections, %d idle, %d hosts are waited for", p.open, p.idle.length, len(p.hungry))
	}
}

func stormOver(t *testing.T, p *Pool, o Origin, i int) {
	ctx := wait.New(limits(wait.Pool, time.Duration(1+i%20)*time.Millisecond), nil)
	e, err := start(ctx, p, o, i%17 == 0)
	switch {
	case err != nil:
		if !wait.IsStop(err) {
			t.Error(err)
		}
	case i%4 == 0:
		e.Close()
	default:
		if err := e.finish(); err != nil && !wait.IsStop(err) && e.Delivery() != message.Unsent {
			t.Error(err)
		}
	}
}

// TestWebSocketHasAConnectionOfItsOwn: over HTTP/1.1, though the server prefers
// HTTP/2, and nobody gets it afterwards.
func TestWebSocketHasAConnectionOfItsOwn(t *testing.T) {
	server := newSecureServer(t, true, nil)
	p := newSecurePool(t, nil)
	shared := mustGet(t, p, server.origin)
	socket := server.origin
	socket.WebSocket = true
	first, second := mustGet(t, p, socket), mustGet(t, p, socket)
	if shared.Protocol != "h2" || first.Protocol != "http/1.1" || second.Protocol != "http/1.1" || first.ID == second.ID || second.Reused {
		t.Errorf("%+v, %+v, %+v", shared, first, second)
	}
	if about := mustGet(t, p, server.origin); about.ID != shared.ID || p.Connections() != 1 {
		t.Errorf("%+v of %d", about, p.Connections())
	}
}

// TestWebSocketsHelloGoesByTheServer: Firefox leaves certificate compression out
// unless the server is known to speak HTTP/1.1 alone.
func TestWebSocketsHelloGoesByTheServer(t *testing.T) {
	for _, http2 := range []bool{true, false} {
		server := newSecureServer(t, http2, nil)
		p := newSecurePool(t, func(c *Config) { c.Profile = profile(t, "firefox-153-linux") })
		mustGet(t, p, server.origin)
		socket := server.origin
		socket.WebSocket = true
		want := map[bool]string{true: "t13i1615h1", false: "t13i1616h2"}[http2] // JA4 counts extensions and names the protocol
		if about := mustGet(t, p, socket); about.Protocol != "http/1.1" || !strings.HasPrefix(about.TLS.JA4, want) {
			t.Errorf("HTTP/2 %v: %s over %s", http2, about.TLS.JA4, about.Protocol)
		}
	}
}
