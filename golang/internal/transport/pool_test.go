package transport

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cycletls/cycletls/golang/internal/http1"
	"github.com/cycletls/cycletls/golang/internal/http2"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// testConfig keeps connections, and bounds what servers send.
func testConfig() Config {
	return Config{
		Reuse: true, MaxIdle: 100,
		HTTP1: http1.Config{MaxHeaderBytes: 256 << 10, MaxInformational: 8},
		HTTP2: http2.Config{FirstStreamID: 1, PseudoOrder: "masp", MaxHeaderBytes: 256 << 10, MaxInformational: 8},
	}
}

// newTestPool returns a pool that keeps connections, and closes it at the end.
// Afterwards nothing may be left of it.
func newTestPool(t *testing.T, change func(*Config)) *Pool {
	t.Helper()
	before := descriptors(t)
	config := testConfig()
	if change != nil {
		change(&config)
	}
	p := NewPool(config)
	t.Cleanup(func() {
		p.Close()
		if n := p.Connections(); n != 0 || len(p.hosts) != 0 || len(p.hungry) != 0 {
			t.Errorf("%d connections, %d hosts and %d queues are left of the pool", n, len(p.hosts), len(p.hungry))
		}
		eventually(t, "descriptors are closed", func() bool { return descriptors(t) <= before })
		eventually(t, "goroutines have ended", func() bool { return !runs("wait.(*Context)", "transport.(*Pool)", "transport.(*resolver)") })
	})
	return p
}

// runs reports whether a goroutine is in one of the methods.
func runs(methods ...string) bool {
	buffer := make([]byte, 1<<20)
	stacks := string(buffer[:runtime.Stack(buffer, true)])
	return slices.ContainsFunc(methods, func(method string) bool { return strings.Contains(stacks, method) })
}

// webServer answers every request with its path.
func webServer(t *testing.T) (Origin, *httptest.Server) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.URL.Path)
	}))
	t.Cleanup(server.Close)
	return originOf("http", server.Listener), server
}

func originOf(scheme string, listener net.Listener) Origin {
	at := addrOf(listener)
	return Origin{Scheme: scheme, Host: at.Addr().String(), Port: at.Port()}
}

// exchange is a request under way.
type exchange struct {
	message.Stream
	about *message.Connection
}

// start sends a request and leaves its reply to be read.
func start(ctx *wait.Context, p *Pool, o Origin, fresh bool) (*exchange, error) {
	stream, about, err := p.Open(ctx, o, fresh)
	if err != nil {
		return nil, err
	}
	authority := hostPort(o.Host, o.Port)
	request := &message.Request{Method: "GET", Scheme: o.Scheme, Authority: authority, Path: "/x"}
	if about.Protocol != "h2" {
		request.Fields = message.Fields{{Name: "Host", Value: authority}}
	}
	if err := stream.WriteHead(request); err != nil {
		stream.Close()
		return nil, err
	}
	return &exchange{stream, about}, nil
}

// finish reads the reply and gives the connection back.
func (e *exchange) finish() error {
	defer e.Close()
	if _, err := e.ReadHead(); err != nil {
		return err
	}
	body, err := io.ReadAll(e)
	if err == nil && string(body) != "/x" {
		err = fmt.Errorf("got body %q", body)
	}
	return err
}

func get(ctx *wait.Context, p *Pool, o Origin) (*message.Connection, error) {
	e, err := start(ctx, p, o, false)
	if err != nil {
		return nil, err
	}
	return e.about, e.finish()
}

func mustGet(t *testing.T, p *Pool, o Origin) *message.Connection {
	t.Helper()
	about, err := get(wait.Background(), p, o)
	if err != nil {
		t.Fatal(err)
	}
	return about
}

func mustStart(t *testing.T, p *Pool, o Origin) *exchange {
	t.Helper()
	e, err := start(wait.Background(), p, o, false)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (p *Pool) queued() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, h := range p.hungry {
		n += len(h.queue)
	}
	return n
}

// TestConnectionIsUsedAgain, and the exchanges are told.
func TestConnectionIsUsedAgain(t *testing.T) {
	origin, _ := webServer(t)
	p := newTestPool(t, nil)
	first, second := mustGet(t, p, origin), mustGet(t, p, origin)
	if first.Reused || !second.Reused || first.ID != second.ID || p.Connections() != 1 {
		t.Errorf("first %+v, second %+v", first, second)
	}
	if first.Connect <= 0 || second.Connect != 0 || first.RemoteAddr != second.RemoteAddr || first.LocalAddr == "" {
		t.Errorf("first %+v, second %+v", first, second)
	}
}

// TestMostRecentlyUsedConnectionComesFirst, so that the others can expire.
func TestMostRecentlyUsedConnectionComesFirst(t *testing.T) {
	origin, _ := webServer(t)
	p := newTestPool(t, nil)
	older, newer := mustStart(t, p, origin), mustStart(t, p, origin)
	if older.finish() != nil || newer.finish() != nil {
		t.Fatal("no answer")
	}
	for range 3 {
		if about := mustGet(t, p, origin); about.ID != newer.about.ID {
			t.Errorf("used %d, not %d", about.ID, newer.about.ID)
		}
	}
}

// TestFreshConnectionServedNobodyBefore: that is what a retry asks for.
func TestFreshConnectionServedNobodyBefore(t *testing.T) {
	origin, _ := webServer(t)
	p := newTestPool(t, func(c *Config) { c.MaxPerHost = 1 })
	used := mustGet(t, p, origin)
	e, err := start(wait.Background(), p, origin, true)
	if err != nil {
		t.Fatal(err)
	}
	if e.about.Reused || e.about.ID == used.ID || e.finish() != nil || p.Connections() != 1 {
		t.Errorf("got %+v after %+v", e.about, used)
	}
}

// TestConnectionsAreNotKeptWhereThatIsOff.
func TestConnectionsAreNotKeptWhereThatIsOff(t *testing.T) {
	origin, _ := webServer(t)
	p := newTestPool(t, func(c *Config) { c.Reuse = false })
	for range 3 {
		if about := mustGet(t, p, origin); about.Reused || p.Connections() != 0 {
			t.Errorf("got %+v, %d connections are open", about, p.Connections())
		}
	}
}

// TestThirtyTwoThreadsHaveAConnectionEach, and no more, over HTTP/1.
func TestThirtyTwoThreadsHaveAConnectionEach(t *testing.T) {
	origin, _ := webServer(t)
	p := newTestPool(t, nil)
	const threads = 32
	inParallel(threads, func(int) {
		for range 50 {
			if _, err := get(wait.Background(), p, origin); err != nil {
				t.Error(err)
			}
		}
	})
	if n := p.Connections(); n > threads {
		t.Errorf("%d connections for %d threads", n, threads)
	}
}

func inParallel(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}

// TestConnectionThatDiedIsNotUsed: the server closed it, said something that
// nobody asked for, or reset it while it was idle.
func TestConnectionThatDiedIsNotUsed(t *testing.T) {
	for name, kill := range map[string]func(*net.TCPConn){
		"closed":      func(c *net.TCPConn) { c.Close() },
		"reset":       func(c *net.TCPConn) { c.SetLinger(0); c.Close() },
		"unsolicited": func(c *net.TCPConn) { io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil") },
	} {
		t.Run(name, func(t *testing.T) {
			listener := listen(t, "127.0.0.1:0")
			served := make(chan *net.TCPConn)
			go serveOnce(listener, served)
			p := newTestPool(t, nil)
			first := mustGet(t, p, originOf("http", listener))
			kill(<-served)
			done := make(chan *message.Connection)
			go func() { done <- mustGet(t, p, originOf("http", listener)) }()
			(<-served).Close()
			if second := <-done; second.Reused || second.ID == first.ID || p.Connections() != 1 {
				t.Errorf("first %+v, then %+v; %d are open", first, second, p.Connections())
			}
		})
	}
}

// serveOnce answers one request on each connection and hands that over.
func serveOnce(listener net.Listener, served chan<- *net.TCPConn) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		answer(conn)
		served <- conn.(*net.TCPConn)
	}
}

func answer(conn net.Conn) {
	conn.Read(make([]byte, 4096))
	io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n/x")
}

// TestLimitPerHostIsWaitedFor: the next exchange gets the connection of the one
// that ends.
func TestLimitPerHostIsWaitedFor(t *testing.T) {
	origin, _ := webServer(t)
	p := newTestPool(t, func(c *Config) { c.MaxPerHost = 1 })
	first := mustStart(t, p, origin)
	done := make(chan *message.Connection)
	go func() { done <- mustGet(t, p, origin) }()
	eventually(t, "the second exchange waits", func() bool { return p.queued() == 1 })
	if err := first.finish(); err != nil {
		t.Fatal(err)
	}
	if second := <-done; second.ID != first.about.ID || !second.Reused {
		t.Errorf("got %+v", second)
	}
}

// TestWaitForAConnectionEnds: with its limit, when cancelled, by a signal; what
// it waited for goes to the next.
func TestWaitForAConnectionEnds(t *testing.T) {
	origin, _ := webServer(t)
	p := newTestPool(t, func(c *Config) { c.MaxPerHost = 1 })
	first := mustStart(t, p, origin)
	within(t, 200*time.Millisecond, func() {
		_, err := get(wait.New(limits(wait.Pool, 30*time.Millisecond), nil), p, origin)
		wantTimeout(t, err, wait.Pool)
	})
	promptly(t, func() {
		if _, err := get(wait.New(wait.Limits{}, func() bool { return true }), p, origin); err != wait.ErrInterrupted {
			t.Errorf("got %v", err)
		}
	})
	if n := p.queued(); n != 0 {
		t.Errorf("%d still wait", n)
	}
	if err := first.finish(); err != nil {
		t.Fatal(err)
	}
	mustGet(t, p, origin)
}

// TestTotalLimitTakesIdleConnectionsOfOtherHosts, and waits for those in use.
func TestTotalLimitTakesIdleConnectionsOfOtherHosts(t *testing.T) {
	here, _ := webServer(t)
	there, _ := webServer(t)
	p := newTestPool(t, func(c *Config) { c.MaxConnections = 1 })
	mustGet(t, p, here)
	busy := mustStart(t, p, there)
	if n := p.Connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
	done := make(chan *message.Connection)
	go func() { done <- mustGet(t, p, here) }()
	eventually(t, "the other host waits", func() bool { return p.queued() == 1 })
	if err := busy.finish(); err != nil {
		t.Fatal(err)
	}
	if about := <-done; about.Reused || p.Connections() != 1 {
		t.Errorf("got %+v, %d connections", about, p.Connections())
	}
}

// TestFailedDialLetsTheNextOneTry: its place is not lost.
func TestFailedDialLetsTheNextOneTry(t *testing.T) {
	origin, server := webServer(t)
	p := newTestPool(t, func(c *Config) { c.MaxConnections = 1; c.Resolve = map[string]string{"dead.test": "127.0.0.1"} })
	dead := Origin{Scheme: "http", Host: "dead.test", Port: free(t)}
	for range 3 {
		var refused *ConnectError
		if _, err := get(wait.Background(), p, dead); !errors.As(err, &refused) {
			t.Fatalf("got %v", err)
		}
	}
	mustGet(t, p, origin)
	server.Close()
}

// TestBrokenExchangeClosesItsConnection, and whoever waits for it makes a new
// one.
func TestBrokenExchangeClosesItsConnection(t *testing.T) {
	origin, _ := webServer(t)
	p := newTestPool(t, func(c *Config) { c.MaxPerHost = 1 })
	first := mustStart(t, p, origin)
	done := make(chan *message.Connection)
	go func() { done <- mustGet(t, p, origin) }()
	eventually(t, "the second exchange waits", func() bool { return p.queued() == 1 })
	first.Close()
	if second := <-done; second.Reused || second.ID == first.about.ID {
		t.Errorf("got %+v", second)
	}
}

// TestIdleConnectionExpires without anybody asking for it, and no timer is left
// behind.
func TestIdleConnectionExpires(t *testing.T) {
	listener := listen(t, "127.0.0.1:0")
	served := make(chan *net.TCPConn)
	go serveOnce(listener, served)
	p := newTestPool(t, func(c *Config) { c.IdleTimeout = 30 * time.Millisecond })
	mustGet(t, p, originOf("http", listener))
	conn := <-served
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("got %d bytes, %v", n, err)
	}
	conn.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open != 0 || p.sweeping || len(p.hosts) != 0 {
		t.Errorf("%d connections, %d hosts, sweeping: %v", p.open, len(p.hosts), p.sweeping)
	}
}

// TestExpiredConnectionIsNotUsed, should the janitor be late.
func TestExpiredConnectionIsNotUsed(t *testing.T) {
	origin, _ := webServer(t)
	p := newTestPool(t, func(c *Config) { c.IdleTimeout = time.Hour })
	first := mustGet(t, p, origin)
	p.mu.Lock()
	p.idle.oldest.idleSince = p.idle.oldest.idleSince.Add(-time.Hour)
	p.mu.Unlock()
	if second := mustGet(t, p, origin); second.Reused || second.ID == first.ID {
		t.Errorf("got %+v", second)
	}
}

// TestTenThousandHostsLeaveMemoryFlat: of hosts that were visited once there
// remain as many connections as may be idle, and nothing of the rest.
func TestTenThousandHostsLeaveMemoryFlat(t *testing.T) {
	listener := listen(t, "127.0.0.1:0")
	go serveForever(listener)
	const hosts, idle = 10_000, 50
	resolve := make(map[string]string, hosts)
	for i := range hosts {
		resolve[fmt.Sprintf("host%d.test", i)] = "127.0.0.1"
	}
	p := newTestPool(t, func(c *Config) { c.MaxIdle = idle; c.IdleTimeout = time.Hour; c.Resolve = resolve })
	visit := func(from, to int) uint64 {
		for i := from; i < to; i++ {
			mustGet(t, p, Origin{Scheme: "http", Host: fmt.Sprintf("host%d.test", i), Port: portOf(listener)})
		}
		return heap()
	}
	early := visit(0, hosts/10)
	late := visit(hosts/10, hosts)
	if grown := int64(late) - int64(early); grown > 256<<10 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	if len(p.hosts) != idle || p.Connections() != idle || p.idle.length != idle {
		t.Errorf("%d hosts, %d connections, %d idle", len(p.hosts), p.Connections(), p.idle.length)
	}
	if about := mustGet(t, p, Origin{Scheme: "http", Host: fmt.Sprintf("host%d.test", hosts-idle), Port: portOf(listener)}); !about.Reused {
		t.Error("the longest unused connection that may be idle is gone")
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC() // empties the pools of buffers too
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func serveForever(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			for buffer := make([]byte, 512); ; {
				if _, err := conn.Read(buffer); err != nil {
					return
				}
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n/x")
			}
		}()
	}
}

// TestCloseEndsWaitsAndLetsExchangesEnd: who waits for a connection is told,
// who has one keeps it to the end.
func TestCloseEndsWaitsAndLetsExchangesEnd(t *testing.T) {
	origin, _ := webServer(t)
	p := newTestPool(t, func(c *Config) { c.MaxPerHost = 1; c.IdleTimeout = time.Hour })
	busy := mustStart(t, p, origin)
	waits := make(chan error)
	go func() { _, err := get(wait.Background(), p, origin); waits <- err }()
	eventually(t, "the second exchange waits", func() bool { return p.queued() == 1 })
	p.Close()
	p.Close()
	if err := <-waits; err != ErrClosed {
		t.Errorf("who waited got %v", err)
	}
	if _, err := get(wait.Background(), p, origin); err != ErrClosed {
		t.Errorf("who came later got %v", err)
	}
	if err := busy.finish(); err != nil || p.Connections() != 0 {
		t.Errorf("who had one got %v; %d connections are left", err, p.Connections())
	}
}

// TestCloseDuringADialDropsTheConnection.
func TestCloseDuringADialDropsTheConnection(t *testing.T) {
	listener := listen(t, "127.0.0.1:0") // never speaks TLS
	p := newSecurePool(t, nil)
	asked := make(chan struct{})
	var once sync.Once
	ctx := wait.New(wait.Limits{}, func() bool { once.Do(func() { close(asked) }); return false })
	ended := make(chan error)
	go func() { _, err := get(ctx, p, originOf("https", listener)); ended <- err }()
	<-asked
	p.Close()
	ctx.Cancel(wait.ErrCancelled)
	if err := <-ended; !errors.Is(err, wait.ErrCancelled) || p.Connections() != 0 {
		t.Errorf("got %v; %d connections are left", err, p.Connections())
	}
}

// TestBlockPrivateHoldsForEveryOpen: whatever led to the origin.
func TestBlockPrivateHoldsForEveryOpen(t *testing.T) {
	origin, _ := webServer(t)
	p := newTestPool(t, func(c *Config) { c.BlockPrivate = true })
	var blocked *BlockedError
	if _, err := get(wait.Background(), p, origin); !errors.As(err, &blocked) {
		t.Errorf("got %v", err)
	}
	if n := p.Connections(); n != 0 {
		t.Errorf("%d connections", n)
	}
}

// TestConfigurationIsChecked: an address that is none is told by Check, and
// nothing is opened with it.
func TestConfigurationIsChecked(t *testing.T) {
	for _, config := range []Config{
		{Resolve: map[string]string{"a.test": "b.test"}},
		{LocalAddress: "eth0"},
	} {
		err := config.Check()
		if err == nil {
			t.Fatalf("%+v was accepted", config)
		}
		if _, _, got := NewPool(config).Open(wait.Background(), Origin{Scheme: "http", Host: "127.0.0.1", Port: 1}, false); got == nil || got.Error() != err.Error() {
			t.Errorf("open says %v, check %v", got, err)
		}
	}
}

// TestStorm: exchanges that succeed, fail, time out and are given up, under
// limits, from many threads: the pool's books are right at the end.
func TestStorm(t *testing.T) {
	here, _ := webServer(t)
	there, _ := webServer(t)
	dead := Origin{Scheme: "http", Host: "127.0.0.1", Port: free(t)}
	p := newTestPool(t, func(c *Config) { c.MaxPerHost, c.MaxConnections, c.MaxIdle = 3, 4, 3 })
	inParallel(16, func(thread int) {
		for i := range 60 {
			storm(t, p, [...]Origin{here, there, dead}[(thread+i)%3], thread*60+i)
		}
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open != p.idle.length || len(p.hungry) != 0 || p.open > 4 {
		t.Errorf("%d connections, %d idle, %d hosts are waited for", p.open, p.idle.length, len(p.hungry))
	}
}

func storm(t *testing.T, p *Pool, o Origin, i int) {
	ctx := wait.New(limits(wait.Pool, time.Duration(1+i%7)*time.Millisecond), nil)
	if i%5 == 0 {
		ctx = wait.New(wait.Limits{}, func() bool { return i%2 == 0 })
	}
	e, err := start(ctx, p, o, i%11 == 0)
	var refused *ConnectError
	switch {
	case err != nil:
		if !wait.IsStop(err) && !errors.As(err, &refused) {
			t.Error(err)
		}
	case i%4 == 0:
		e.Close()
	default:
		if err := e.finish(); err != nil && !wait.IsStop(err) {
			t.Error(err)
		}
	}
}

// TestWarmOpenAllocatesTheStreamOnly.
func TestWarmOpenAllocatesTheStreamOnly(t *testing.T) {
	origin, _ := webServer(t)
	p := newTestPool(t, func(c *Config) { c.IdleTimeout = time.Hour })
	mustGet(t, p, origin)
	ctx := wait.Background()
	c := p.hosts[origin].idle[0]
	allocations := testing.AllocsPerRun(100, func() {
		_, got, err := p.acquire(ctx, origin, false)
		if err != nil || got.conn != c || !p.confirm(c) {
			t.Fatal("the connection was not there")
		}
		p.released(c, true)
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}

// TestErrorsNameTheHost, as a person would look for it.
func TestErrorsNameTheHost(t *testing.T) {
	p := newTestPool(t, func(c *Config) { c.Resolve = map[string]string{"dead.test": "127.0.0.1"} })
	port := free(t)
	_, err := get(wait.Background(), p, Origin{Scheme: "http", Host: "dead.test", Port: port})
	want := fmt.Sprintf("connect to dead.test:%d: 127.0.0.1:%d: ", port, port)
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v", err)
	}
}

// TestNothingIsKeptWhereNothingMayBeIdle: each exchange makes a connection and
// leaves none.
func TestNothingIsKeptWhereNothingMayBeIdle(t *testing.T) {
	origin, _ := webServer(t)
	p := newTestPool(t, func(c *Config) { c.MaxIdle = 0 })
	for range 2 {
		if about := mustGet(t, p, origin); about.Reused || p.Connections() != 0 {
			t.Errorf("reused %v, %d connections", about.Reused, p.Connections())
		}
	}
}

// BenchmarkWarmOpen is what the pool adds to an exchange on a connection that is
// there: taking it and putting it back, without the look at the socket.
func BenchmarkWarmOpen(b *testing.B) {
	p := NewPool(Config{Reuse: true, IdleTimeout: time.Hour, MaxIdle: 100})
	origin := Origin{Scheme: "http", Host: "127.0.0.1", Port: 80}
	h := p.host(origin)
	h.open, p.open = 1, 1
	p.keep(&connection{host: h})
	defer p.stopJanitor()
	ctx := wait.Background()
	b.ReportAllocs()
	for b.Loop() {
		_, got, err := p.acquire(ctx, origin, false)
		if err != nil {
			b.Fatal(err)
		}
		p.released(got.conn, true)
	}
}

// A fault under the lock leaves the pool unlocked, and one of the janitor's does
// not end the process.
func TestFaultsLeaveThePoolUnlocked(t *testing.T) {
	p := &Pool{}
	p.idle.push(&connection{})
	p.config.IdleTimeout = time.Nanosecond
	p.sweep()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("there was no fault")
			}
		}()
		_, _, _ = p.acquire(nil, Origin{}, false)
	}()
	if !p.mu.TryLock() {
		t.Error("locked for good")
	}
}
