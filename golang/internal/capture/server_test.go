package capture

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	server, err := Serve(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return server
}

// client trusts the server's authority and nothing else.
func client(t *testing.T, server *Server) *tls.Config {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(server.Authority()) {
		t.Fatal("the server has no authority")
	}
	return &tls.Config{RootCAs: roots, ServerName: "localhost"}
}

// end waits until the server has closed a connection, and so has noted why.
func end(conn net.Conn) {
	io.Copy(io.Discard, conn)
}

func decode(t *testing.T, body io.Reader) Report {
	t.Helper()
	var report Report
	if err := json.NewDecoder(body).Decode(&report); err != nil {
		t.Fatal(err)
	}
	return report
}

// TestEveryProtocolIsSpoken goes through net/http as a client that is not ours.
func TestEveryProtocolIsSpoken(t *testing.T) {
	for _, test := range []struct {
		name, protocol string
		cfg            Config
	}{
		{"clear", "http/1.1", Config{}},
		{"TLS", "http/1.1", Config{TLS: true, Protocols: []string{"http/1.1"}}},
		{"HTTP/2", "h2", Config{TLS: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := start(t, test.cfg)
			transport := &http.Transport{ForceAttemptHTTP2: true}
			defer transport.CloseIdleConnections()
			if test.cfg.TLS {
				transport.TLSClientConfig = client(t, server)
			}
			for n := 1; n <= 2; n++ {
				content := strings.Repeat("x", 300_000)
				resp, err := (&http.Client{Transport: transport}).Post(server.URL()+"/path?q", "text/plain", strings.NewReader(content))
				if err != nil {
					t.Fatal(err)
				}
				report := decode(t, resp.Body)
				resp.Body.Close()
				if report.Connection.Protocol != test.protocol || report.Connection.Requests != n {
					t.Errorf("request %d: connection %+v", n, report.Connection)
				}
				if r := report.Request; r.Method != "POST" || r.Target != "/path?q" || r.Body.Length != int64(len(content)) {
					t.Errorf("request %d: %s %s, %d bytes", n, r.Method, r.Target, r.Body.Length)
				}
				if len(report.Request.Body.Content) != maxContent {
					t.Errorf("%d bytes of content repeated", len(report.Request.Body.Content))
				}
			}
			transport.CloseIdleConnections()
			server.Close()
			if failures := server.Failures(); failures != nil {
				t.Errorf("failures: %v", failures)
			}
		})
	}
}

// TestCloseEndsConnections: nobody who is connected keeps the server alive.
func TestCloseEndsConnections(t *testing.T) {
	server := start(t, Config{})
	conn, err := net.Dial("tcp", server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	exchange(t, conn, "GET / HTTP/1.1\r\n\r\n")
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the connection lives on")
	}
	if err := server.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

// TestFailuresAreKept: a client that hangs up on the handshake can be asked about.
func TestFailuresAreKept(t *testing.T) {
	server := start(t, Config{TLS: true})
	conn, kept := dialTLS(t, server, &tls.Config{ServerName: "localhost", RootCAs: x509.NewCertPool()})
	if err := conn.Handshake(); err == nil {
		t.Fatal("an unknown authority was trusted")
	}
	end(kept.Conn)
	if failures := server.Failures(); len(failures) != 1 || !strings.Contains(failures[0].Error(), "bad certificate") {
		t.Errorf("failures: %v", failures)
	}
}
