package engine

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// server runs handler over HTTP/1.1 in the clear, or over TLS, where it speaks
// HTTP/2 if asked.
func server(t testing.TB, secure, h2 bool, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(handler)
	srv.EnableHTTP2 = h2
	if secure {
		srv.StartTLS()
	} else {
		srv.Start()
	}
	t.Cleanup(srv.Close)
	return srv
}

func session(t testing.TB, change func(*envelope.Session)) *Session {
	t.Helper()
	config := defaults(t)
	config.InsecureSkipVerify = true
	if change != nil {
		change(config)
	}
	s, err := NewSession(config, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

var protocols = []struct {
	name       string
	secure, h2 bool
	version    string
}{{"h1", false, false, "HTTP/1.1"}, {"TLS", true, false, "HTTP/1.1"}, {"h2", true, true, "HTTP/2"}}

// One session, one server, all of it: cookies, redirects, bodies, trailers,
// codings, on each protocol.
func TestOverTheLoopback(t *testing.T) {
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			srv := server(t, p.secure, p.h2, func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/start":
					http.SetCookie(w, &http.Cookie{Name: "c", Value: "1"})
					http.Redirect(w, r, "/echo?x=1", http.StatusTemporaryRedirect)
				case "/echo":
					w.Header().Set("Trailer", "Sum")
					cookie, _ := r.Cookie("c")
					body, _ := io.ReadAll(r.Body)
					fmt.Fprintf(w, "%s %s %v %s %s", r.Method, r.URL, cookie, body, r.Header.Get("Content-Type"))
					w.Header().Set("Sum", "7")
				case "/none":
					w.WriteHeader(http.StatusNoContent)
				case "/packed":
					w.Header().Set("Content-Encoding", "gzip")
					w.Write(gzipped(t, []byte(strings.Repeat("content", 1000))))
				}
			})
			s := session(t, nil)
			r := post(srv.URL + "/start#f")
			r.Body = &envelope.Body{ContentType: "a/b"}
			x, err := s.Start(wait.Background(), r, []byte("body"))
			if err != nil {
				t.Fatal(err)
			}
			defer x.Close()
			response, err := x.Reply()
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(x)
			if want := "POST /echo?x=1 c=1 body a/b"; err != nil || string(content) != want {
				t.Errorf("%q, %v, want %q", content, err, want)
			}
			if response.Version != p.version || len(response.History) != 1 || response.URL != srv.URL+"/echo?x=1#f" || !x.Trailers().Has("Sum") {
				t.Errorf("%+v, trailers %v", response, x.Trailers())
			}
			first := response.History[0]
			if first.Connection.Reused || !response.Connection.Reused || first.Connection.ID != response.Connection.ID {
				t.Errorf("connections %+v, %+v", first.Connection, response.Connection)
			}
			if first.Timings.Connect <= 0 || response.Timings.Connect != 0 || response.Timings.Total < first.Timings.Total {
				t.Errorf("timings %+v, %+v", first.Timings, response.Timings)
			}
			if _, content, err := exchange(s, get(srv.URL+"/packed"), ""); err != nil || content != strings.Repeat("content", 1000) {
				t.Errorf("%d bytes, %v", len(content), err)
			}
			for _, r := range []*envelope.Request{{Method: "HEAD", URL: srv.URL + "/packed"}, get(srv.URL + "/none")} {
				if response, content, err := exchange(s, r, ""); err != nil || content != "" || !response.Connection.Reused {
					t.Errorf("%s %s: %q, %v", r.Method, r.URL, content, err)
				}
			}
		})
	}
}

func TestTLSIsDescribed(t *testing.T) {
	srv := server(t, true, true, func(http.ResponseWriter, *http.Request) {})
	s := session(t, nil)
	for range 2 {
		c := must(t, s, get(srv.URL), "").Connection
		if c.TLS == nil || c.TLS.Version != "TLSv1.3" || !strings.HasPrefix(c.TLS.Cipher, "TLS_") || c.TLS.ALPN != "h2" || c.Protocol != "h2" || c.TLS.Group == "" {
			t.Errorf("%+v %+v", c, c.TLS)
		}
		if chain := s.Certificates(c.ID); len(chain) != 1 || string(chain[0]) != string(srv.Certificate().Raw) {
			t.Errorf("%d certificates", len(chain))
		}
	}
	if s.Certificates(1<<60) != nil || s.Certificates(0) != nil {
		t.Error("certificates of no connection")
	}
}

// A session that verifies tells what is wrong, and which kind of failure it is.
func TestFailuresOfRealConnectionsHaveTheirKinds(t *testing.T) {
	srv := server(t, true, true, func(http.ResponseWriter, *http.Request) {})
	plain := server(t, false, false, func(http.ResponseWriter, *http.Request) {})
	gone := httptest.NewServer(nil)
	gone.Close()
	for url, c := range map[string]struct {
		change func(*envelope.Session)
		kind   envelope.Kind
	}{
		srv.URL:   {func(c *envelope.Session) { c.InsecureSkipVerify = false }, envelope.Certificate},
		gone.URL:  {nil, envelope.Connect},
		plain.URL: {func(c *envelope.Session) { c.BlockPrivate = true }, envelope.Blocked},
		strings.Replace(plain.URL, "http:", "https:", 1): {nil, envelope.TLSFailed},
	} {
		_, _, err := exchange(session(t, c.change), get(url), "")
		expectKind(t, err, c.kind)
	}
}

// Safety 21: a private address is refused on every hop.
func TestRedirectToAPrivateAddressIsRefused(t *testing.T) {
	s := session(t, func(c *envelope.Session) { c.BlockPrivate = true })
	connecting := s.pool
	s.pool = &wire{answer: inTurn(to(302, "http://[::ffff:127.0.0.1]:1/"))}
	x := start(t, s, get("http://public.example/"))
	defer x.Close()
	s.pool = connecting
	_, err := x.Reply()
	expectKind(t, err, envelope.Blocked)
}

func TestUnusableOptionsAreRefusedByName(t *testing.T) {
	for name, change := range map[string]func(*envelope.Session){
		"profile":  func(c *envelope.Session) { c.Profile = "{}" },
		"ja3: ":    func(c *envelope.Session) { c.JA3 = "771,x" },
		"ja4r":     func(c *envelope.Session) { c.JA3, c.JA4R = "771,47,,,", "t" },
		"http2_":   func(c *envelope.Session) { c.HTTP2Fingerprint = "1:65536" },
		"verify: ": func(c *envelope.Session) { c.CAFile = "/absent.pem" },
		"local_":   func(c *envelope.Session) { c.LocalAddress = "here" },
	} {
		config := defaults(t)
		change(config)
		_, err := NewSession(config, nil)
		expectKind(t, err, envelope.InvalidOption)
		if err != nil && !strings.Contains(err.Error(), name) {
			t.Errorf("%q does not name %s", err, name)
		}
	}
}

// A session is used by many at a time.
func TestManyExchangesAtATime(t *testing.T) {
	for _, p := range protocols {
		srv := server(t, p.secure, p.h2, func(w http.ResponseWriter, r *http.Request) {
			http.SetCookie(w, &http.Cookie{Name: r.URL.Query().Get("n"), Value: "1"})
			io.WriteString(w, r.URL.RawQuery)
		})
		s := session(t, nil)
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for j := range 20 {
					query := fmt.Sprintf("n=%d-%d", i, j)
					if _, content, err := exchange(s, get(srv.URL+"/?"+query), ""); err != nil || content != query {
						t.Errorf("%s: %q, %v", p.name, content, err)
					}
				}
			})
		}
		all.Wait()
	}
}

// stale answers the first request on its first connection, takes the second one
// there and dies; later connections answer. It counts the requests.
func stale(t *testing.T) (url string, requests func() int) {
	t.Helper()
	var connections, served atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if served.Add(1) == 2 && connections.Load() == 1 {
			panic(http.ErrAbortHandler) // closes the connection without a word
		}
	}))
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	return srv.URL, func() int { return int(served.Load()) }
}

// Safety 48: the server died with the request: a GET is sent again, a POST that
// it may have acted on is not.
func TestPostIsNeverDuplicated(t *testing.T) {
	for method, want := range map[string]int{"GET": 3, "PUT": 3, "POST": 2} {
		url, requests := stale(t)
		s := session(t, nil)
		must(t, s, get(url), "")
		body := ""
		if method != "GET" {
			body = "content"
		}
		_, _, err := exchange(s, &envelope.Request{Method: method, URL: url}, body)
		if requests() != want || (err == nil) != (want == 3) {
			t.Errorf("%s: %d requests, %v", method, requests(), err)
		}
		if method == "POST" {
			expectKind(t, err, envelope.ConnectionClosed)
		}
	}
}

// A limit of time holds across redirects.
func TestTotalTimeoutSpansRedirects(t *testing.T) {
	stop := make(chan struct{})
	srv := server(t, false, false, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-stop:
		case <-time.After(50 * time.Millisecond):
		}
		http.Redirect(w, r, "/", http.StatusFound)
	})
	t.Cleanup(func() { close(stop) })
	s := session(t, func(c *envelope.Session) { c.Redirects.Max = 1000 })
	began := time.Now()
	_, _, err := exchangeUnder(wait.New(wait.Limits{wait.Total: 300 * time.Millisecond}, nil), s, get(srv.URL), "")
	expectKind(t, err, envelope.TotalTimeout)
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("took %v", took)
	}
}

func BenchmarkGet(b *testing.B) {
	content := make([]byte, 1024)
	for _, p := range protocols {
		b.Run(p.name, func(b *testing.B) {
			srv := server(b, p.secure, p.h2, func(w http.ResponseWriter, r *http.Request) { w.Write(content) })
			s := session(b, nil)
			benchmark(b, s, srv.URL+"/path?query")
		})
	}
}

// BenchmarkOwnCost is what the engine adds to its connections; it may hardly
// matter whom it looks like.
func BenchmarkOwnCost(b *testing.B) {
	for _, name := range []string{"plain", "chrome-156-linux"} {
		for _, protocol := range []string{"http/1.1", "h2"} {
			b.Run(name+" "+protocol, func(b *testing.B) {
				config := defaults(b)
				config.Profile = profileNamed(b, name)
				s, err := NewSession(config, nil)
				if err != nil {
					b.Fatal(err)
				}
				s.Close()
				s.pool = &instant{connection: message.Connection{ID: 1, Protocol: protocol, Reused: true}}
				benchmark(b, s, "http://example.org/path?query")
			})
		}
	}
}

func benchmark(b *testing.B, s *Session, url string) {
	buffer := make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		x, err := s.Start(wait.Background(), get(url), nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := x.Reply(); err != nil {
			b.Fatal(err)
		}
		for err == nil {
			_, err = x.Read(buffer)
		}
		x.Close()
	}
}
