package capture

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/cycletls/cycletls/golang/internal/fingerprint"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

func logOf(t *testing.T, server *Server, want Want) *Log {
	t.Helper()
	log, err := server.Log(wait.Background(), want)
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// TestPagesNameTheirKind: whoever follows all.html sends every kind, and the
// paths in it exist.
func TestPagesNameTheirKind(t *testing.T) {
	for path, kind := range map[string]string{
		Start: "navigate", Done: "fetch", "/pages/fetch?x": "fetch", "/pages/xhr": "xhr", "/pages/image": "image",
		"/pages/websocket": "websocket", "/pages/form": "navigate", "/pages/other": "navigate", "/": "navigate",
	} {
		if got := kindOf(&Request{Target: path}); got != kind {
			t.Errorf("%s is of kind %s, want %s", path, got, kind)
		}
	}
	for name, found := range allPages {
		if !fingerprint.ValidKind(found.kind) {
			t.Errorf("%s has kind %q", name, found.kind)
		}
		for _, part := range strings.Split(found.body, pages)[1:] {
			target := pages + part[:strings.IndexAny(part, "\"`)")]
			if _, ok := pageOf(target); !ok {
				t.Errorf("%s leads to %s, which is none", name, target)
			}
		}
	}
}

// TestKindIsReadFromFetchMetadata, where the path does not tell.
func TestKindIsReadFromFetchMetadata(t *testing.T) {
	for destination, kind := range map[string]string{"document": "navigate", "empty": "fetch", "image": "image", "": "navigate"} {
		if got := kindOf(&Request{Target: "/", Fields: []Field{{"Sec-Fetch-Dest", destination}}}); got != kind {
			t.Errorf("%q is of kind %s, want %s", destination, got, kind)
		}
	}
}

// TestPagesAreServedOverBothVersions: the form redirects, cookies are set, and a
// page that ends the connection does.
func TestPagesAreServedOverBothVersions(t *testing.T) {
	for _, protocol := range []string{"h2", "http/1.1"} {
		server := start(t, Config{TLS: true, Protocols: []string{protocol}})
		transport := &http.Transport{TLSClientConfig: client(t, server), ForceAttemptHTTP2: true}
		defer transport.CloseIdleConnections()
		c := &http.Client{Transport: transport}
		page, err := c.Get(server.URL() + Start)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(page.Body)
		if string(text) != pageAll || len(page.Cookies()) != 2 || page.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v, %d bytes", protocol, page.Header, len(text))
		}
		again, err := c.PostForm(server.URL()+"/pages/form", nil)
		if err != nil || again.Request.URL.Path != "/pages/again" {
			t.Fatalf("%s: the form leads to %v: %v", protocol, again.Request.URL, err)
		}
		io.Copy(io.Discard, again.Body)
		if _, err := c.Get(server.URL() + Done); err != nil {
			t.Fatal(err)
		}
		seen := logOf(t, server, Want{Requests: 5, Target: Done})
		if len(seen.Connections) != 2 || len(seen.Connections[1].Requests) != 1 || seen.Connections[1].Requests[0].Number != 5 {
			t.Errorf("%s: %d connections", protocol, len(seen.Connections))
		}
	}
}

// TestWebSocketIsAcceptedAndClosed with the accept key of RFC 6455 section 1.3,
// and the connection ends when the client has agreed.
func TestWebSocketIsAcceptedAndClosed(t *testing.T) {
	server := start(t, Config{})
	conn := dial(t, server)
	io.WriteString(conn, "GET /pages/websocket HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 101 || resp.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	closing := make([]byte, 4)
	if _, err := io.ReadFull(in, closing); err != nil || !bytes.Equal(closing, []byte{0x88, 2, 3, 0xe8}) {
		t.Errorf("% x: %v", closing, err)
	}
	conn.Write([]byte("\x81\x83abcdxyz" + "\x88\x82abcd\x03\xe8")) // a text that crosses, then Close, both masked
	if _, err := in.ReadByte(); err != io.EOF {
		t.Errorf("after both Close frames: %v", err)
	}
	if failures := server.Failures(); failures != nil {
		t.Errorf("failures: %v", failures)
	}
	if seen := logOf(t, server, Want{}).Connections[0]; len(seen.Requests) != 1 || seen.Requests[0].Kind != "websocket" {
		t.Errorf("%+v", seen.Requests)
	}
}

// TestARetryMakesTwoHellos: the group that is asked for is one that Go's client
// offers and sends no key for.
func TestARetryMakesTwoHellos(t *testing.T) {
	server := start(t, Config{TLS: true, Retry: true})
	conn, _ := dialTLS(t, server, client(t, server))
	if report := exchange(t, conn, "GET / HTTP/1.1\r\n\r\n"); len(report.TLS.Hellos) != 2 || report.TLS.Group != "0x0018" {
		t.Errorf("%d hellos, group %s", len(report.TLS.Hellos), report.TLS.Group)
	}
}

// TestWithoutTicketsNothingResumes.
func TestWithoutTicketsNothingResumes(t *testing.T) {
	server := start(t, Config{TLS: true, NoTickets: true})
	cfg := client(t, server)
	cfg.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	for range 2 {
		conn, _ := dialTLS(t, server, cfg)
		if exchange(t, conn, "GET / HTTP/1.1\r\n\r\n").TLS.Resumed {
			t.Error("resumed")
		}
		conn.Close()
	}
}

// TestCertificateNamesTheAddress that is listened on.
func TestCertificateNamesTheAddress(t *testing.T) {
	server := start(t, Config{Address: "127.0.0.2:0", TLS: true})
	cfg := client(t, server)
	cfg.ServerName = "127.0.0.2"
	conn, _ := dialTLS(t, server, cfg)
	if err := conn.Handshake(); err != nil {
		t.Error(err)
	}
}

// TestLoopbackUnlessToldOtherwise: a port alone does not open it to the network.
func TestLoopbackUnlessToldOtherwise(t *testing.T) {
	for _, address := range []string{"", ":0"} {
		if ip := start(t, Config{Address: address}).Addr().(*net.TCPAddr).IP; !ip.IsLoopback() {
			t.Errorf("%q listens on %s", address, ip)
		}
	}
}

// TestLogForgetsTheOldest, and says so.
func TestLogForgetsTheOldest(t *testing.T) {
	l := newLog()
	for id := range uint64(maxConnections + 1) {
		l.put(Seen{Connection: Connection{ID: id}, size: 1}, nil)
	}
	if len(l.entries) != maxConnections || l.entries[0].Connection.ID != 1 || !l.dropped {
		t.Errorf("%d connections, the first is %d", len(l.entries), l.entries[0].Connection.ID)
	}
	l.put(Seen{Connection: Connection{ID: maxConnections + 1}, size: maxLogBytes + 1}, nil)
	if len(l.entries) != 1 || l.size != maxLogBytes+1 {
		t.Errorf("%d connections of %d bytes", len(l.entries), l.size)
	}
	l.put(Seen{Connection: Connection{ID: maxConnections + 1}, size: 5}, nil)
	if len(l.entries) != 1 || l.size != 5 {
		t.Errorf("%d connections of %d bytes", len(l.entries), l.size)
	}
}

// TestRequestsOfAConnectionAreBounded: the newest stay.
func TestRequestsOfAConnectionAreBounded(t *testing.T) {
	c := &connection{log: newLog()}
	for i := range 3 * maxRequests {
		if _, err := c.report(&Request{Target: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(c.requests); n > maxRequests || c.requests[n-1].Number != 3*maxRequests {
		t.Errorf("%d requests", n)
	}
	content := Body{Content: make(Hex, maxContent)}
	for range 2 * maxRequestBytes / maxContent {
		c.keep(Request{Body: content})
	}
	if c.requestBytes > maxRequestBytes {
		t.Errorf("%d bytes", c.requestBytes)
	}
}

// TestLogCanBeReadWhileAConnectionGoesOn: the race detector judges.
func TestLogCanBeReadWhileAConnectionGoesOn(t *testing.T) {
	server := start(t, Config{TLS: true})
	p := dial2(t, server, http2.Setting{ID: 4, Val: 1 << 30})
	const requests = 50
	for i := range uint32(requests) {
		p.WriteHeaders(http2.HeadersFrameParam{
			StreamID: 2*i + 1, EndHeaders: true, EndStream: true,
			BlockFragment: p.fields(":method", "HEAD", ":scheme", "https", ":authority", "a", ":path", "/"),
		})
		if _, err := json.Marshal(logOf(t, server, Want{Requests: int(i)})); err != nil {
			t.Fatal(err)
		}
	}
	if seen := logOf(t, server, Want{Requests: requests}); seen.Requests != requests {
		t.Errorf("%d requests", seen.Requests)
	}
}

// TestWhatIsWaitedForIsInTheLog, however soon after the request the log is read.
func TestWhatIsWaitedForIsInTheLog(t *testing.T) {
	server := start(t, Config{})
	for n := 1; n <= 500; n++ {
		target := fmt.Sprintf("/%d.", n)
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			c := &connection{log: server.log, about: Connection{ID: uint64(n)}}
			c.report(&Request{Target: target})
		}()
		seen := logOf(t, server, Want{Requests: n, Target: target})
		if last := seen.Connections[len(seen.Connections)-1]; seen.Requests != n || len(last.Requests) != 1 || last.Requests[0].Target != target {
			t.Fatalf("%d requests, the last connection has %+v", seen.Requests, last.Requests)
		}
		<-answered
	}
}

// TestLogIsNotWaitedForInVain: a cancelled wait ends with the reason, one that
// takes too long with what is there.
func TestLogIsNotWaitedForInVain(t *testing.T) {
	server := start(t, Config{})
	ctx := wait.Background()
	ctx.Cancel(wait.ErrCancelled)
	if _, err := server.Log(ctx, Want{Requests: 1}); err != wait.ErrCancelled {
		t.Errorf("%v", err)
	}
	limited := wait.New(wait.Limits{wait.Total: 1}, nil)
	if log, err := server.Log(limited, Want{Target: "/x"}); err != nil || log.Requests != 0 {
		t.Errorf("%+v, %v", log, err)
	}
}

// TestOpenConnectionsAreBounded: what is too much is closed, the rest goes on.
func TestOpenConnectionsAreBounded(t *testing.T) {
	server := start(t, Config{})
	server.mu.Lock()
	for range maxOpen {
		a, b := net.Pipe()
		defer b.Close()
		server.open[a] = struct{}{}
	}
	server.mu.Unlock()
	conn := dial(t, server)
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("one more was let in")
	}
	server.mu.Lock()
	clear(server.open)
	server.mu.Unlock()
	request, _ := http.NewRequestWithContext(context.Background(), "GET", server.URL(), nil)
	if _, err := http.DefaultTransport.RoundTrip(request); err != nil {
		t.Error(err)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}
