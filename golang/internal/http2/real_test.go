//go:build unix

package http2

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	xhttp2 "golang.org/x/net/http2"

	"github.com/cycletls/cycletls/golang/internal/hpack"
	"github.com/cycletls/cycletls/golang/internal/message"
)

// serve runs x/net's server, in the clear with prior knowledge.
func serve(t testing.TB, config *xhttp2.Server, handler http.HandlerFunc) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go config.ServeConn(conn, &xhttp2.ServeConnOpts{Handler: handler})
		}
	}()
	return listener.Addr().String()
}

// connect returns a connection to a real server.
func connect(t testing.TB, addr string, cfg Config) *Conn {
	t.Helper()
	c := NewConn(dialLoopback(t, addr), cfg)
	t.Cleanup(func() { c.Close() })
	return c
}

// TestExchange sends a request to a real server and reads its response.
func TestExchange(t *testing.T) {
	addr := serve(t, &xhttp2.Server{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Seen", r.Method+" "+r.Host+" "+r.URL.String()+" "+r.Header.Get("X-Name"))
		fmt.Fprint(w, "hello")
	})
	head, body, err := exchange(connect(t, addr, chrome), get("/a?b=c", message.Field{Name: "X-Name", Value: "value"}))
	if err != nil {
		t.Fatal(err)
	}
	if seen, _ := head.Fields.Get("x-seen"); seen != "GET test.example /a?b=c value" {
		t.Errorf("the server saw %q", seen)
	}
	if head.Status != 200 || head.Version != "HTTP/2" || head.Length != 5 || string(body) != "hello" {
		t.Errorf("got %+v, %q", head, body)
	}
}

// TestManyExchangesInTurn reuses one connection under every HPACK policy.
func TestManyExchangesInTurn(t *testing.T) {
	addr := serve(t, &xhttp2.Server{}, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.URL.Path+r.Header.Get("Cookie"))
	})
	for _, policy := range []hpack.Policy{hpack.Plain, hpack.Quiche, hpack.Gecko} {
		cfg := chrome
		cfg.HPACK = policy
		c := connect(t, addr, cfg)
		for i := range 200 {
			path := "/" + strconv.Itoa(i%17)
			_, body, err := exchange(c, get(path, message.Field{Name: "Cookie", Value: "a=1; b=2"}))
			if err != nil || string(body) != path+"a=1; b=2" {
				t.Fatalf("%v: %q, %v", policy, body, err)
			}
		}
		if !c.Alive() || c.Streams() != 0 {
			t.Errorf("%v: alive %v, streams %d", policy, c.Alive(), c.Streams())
		}
	}
}

// TestThreadsShareAConnection runs exchanges of many threads at once, more than
// the server allows at a time, with bodies both ways.
func TestThreadsShareAConnection(t *testing.T) {
	addr := serve(t, &xhttp2.Server{MaxConcurrentStreams: 20}, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		w.Write(body)
	})
	c := connect(t, addr, chrome)
	if err := echo(c, []byte("a")); err != nil { // the limit is known from here on: before, streams may be refused
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for thread := range 32 {
		group.Go(func() {
			for i := range 20 {
				if err := echo(c, bytes.Repeat([]byte{byte(thread), byte(i)}, 1+i*5000)); err != nil {
					t.Errorf("thread %d, exchange %d: %v", thread, i, err)
					return
				}
			}
		})
	}
	group.Wait()
	if c.Streams() != 0 {
		t.Errorf("%d streams are left", c.Streams())
	}
}

// TestLargeBodies moves more than any window both ways.
func TestLargeBodies(t *testing.T) {
	const size = 40 << 20
	addr := serve(t, &xhttp2.Server{}, func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		io.Copy(sum, r.Body)
		w.Header().Set("X-Sum", fmt.Sprintf("%x", sum.Sum(nil)))
		w.Write(make([]byte, size))
	})
	s := open(t, connect(t, addr, chrome), limited())
	defer s.Close()
	if err := s.WriteHead(post("/", message.UnknownLength)); err != nil {
		t.Fatal(err)
	}
	sum, piece := sha256.New(), bytes.Repeat([]byte("0123456789abcdef"), 6400)
	for range 200 {
		sum.Write(piece)
		if _, err := s.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.CloseWrite(nil); err != nil {
		t.Fatal(err)
	}
	head, err := s.ReadHead()
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := head.Fields.Get("x-sum"); got != fmt.Sprintf("%x", sum.Sum(nil)) {
		t.Error("the server got another body")
	}
	if n, err := io.Copy(io.Discard, s); n != size || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// TestTrailersBothWays: trailer sections reach the other side.
func TestTrailersBothWays(t *testing.T) {
	addr := serve(t, &xhttp2.Server{}, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Trailer", "X-After")
		w.Write([]byte("body"))
		w.Header().Set("X-After", r.Trailer.Get("X-Sum"))
	})
	s := open(t, connect(t, addr, chrome), limited())
	defer s.Close()
	req := post("/", 4)
	req.Fields = message.Fields{{Name: "trailer", Value: "x-sum"}}
	if err := s.WriteHead(req); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write([]byte("body")); err != nil {
		t.Fatal(err)
	}
	if err := s.CloseWrite(message.Fields{{Name: "X-Sum", Value: "42"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ReadHead(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(s); err != nil {
		t.Fatal(err)
	}
	if after, _ := s.Trailers().Get("x-after"); after != "42" {
		t.Errorf("trailers %v", s.Trailers())
	}
}

// TestExpectContinue: 100 comes, and the body after it.
func TestExpectContinue(t *testing.T) {
	addr := serve(t, &xhttp2.Server{}, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
	})
	s := open(t, connect(t, addr, chrome), limited())
	defer s.Close()
	req := post("/", 4)
	req.Fields = message.Fields{{Name: "expect", Value: "100-continue"}}
	if err := s.WriteHead(req); err != nil {
		t.Fatal(err)
	}
	if goOn, err := s.AwaitContinue(10 * time.Second); !goOn || err != nil {
		t.Fatalf("%v, %v", goOn, err)
	}
	if _, err := s.Write([]byte("body")); err != nil {
		t.Fatal(err)
	}
	if err := s.CloseWrite(nil); err != nil {
		t.Fatal(err)
	}
	if head, err := s.ReadHead(); err != nil || head.Status != 200 {
		t.Fatalf("%v, %v", head, err)
	}
}

// TestHeadHasNoBody: content-length of a HEAD response announces nothing.
func TestHeadHasNoBody(t *testing.T) {
	addr := serve(t, &xhttp2.Server{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
	})
	req := get("/")
	req.Method = "HEAD"
	head, body, err := exchange(connect(t, addr, chrome), req)
	if err != nil || head.Length != 0 || len(body) != 0 {
		t.Fatalf("%+v, %q, %v", head, body, err)
	}
}
