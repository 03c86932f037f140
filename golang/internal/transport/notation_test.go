package transport

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cycletls/cycletls/golang/internal/fingerprint"
)

// given is a well-known string of a client, with its hash.
type given struct{ Client, Text, Hash string }

// notations returns JA3 strings and JA4_r strings of different clients.
func notations(t *testing.T) (ja3, ja4 []given) {
	t.Helper()
	document, err := os.ReadFile("../fingerprint/testdata/notations.json")
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ JA3, JA4R []given }
	if err := json.Unmarshal(document, &all); err != nil {
		t.Fatal(err)
	}
	return all.JA3, all.JA4R
}

// relay stands in front of a server and keeps what clients send.
type relay struct {
	net.Listener
	network, address string // of the server
	mu               sync.Mutex
	sent             []*bytes.Buffer // of each connection
}

func newRelay(t *testing.T, network, address string) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{Listener: listener, network: network, address: address}
	t.Cleanup(func() { r.Close() })
	go func() {
		for {
			client, err := r.Accept()
			if err != nil {
				return
			}
			go r.carry(client)
		}
	}()
	return r
}

func (r *relay) carry(client net.Conn) {
	defer client.Close()
	server, err := net.Dial(r.network, r.address)
	if err != nil {
		return
	}
	defer server.Close()
	r.mu.Lock()
	sent := new(bytes.Buffer)
	r.sent = append(r.sent, sent)
	r.mu.Unlock()
	go func() {
		io.Copy(io.MultiWriter(&guarded{r, sent}, server), client)
		server.Close()
	}()
	io.Copy(client, server)
}

// guarded is a buffer of a relay.
type guarded struct {
	*relay
	buffer *bytes.Buffer
}

func (g *guarded) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.buffer.Write(p)
}

// hellos takes the ClientHellos of all connections so far.
func (r *relay) hellos(t *testing.T) []*fingerprint.ClientHello {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []*fingerprint.ClientHello
	for _, sent := range r.sent {
		records := sent.Bytes()
		for len(records) > 5 && len(records) >= 5+int(records[3])<<8+int(records[4]) {
			body := records[5 : 5+int(records[3])<<8+int(records[4])]
			if hello, err := fingerprint.ParseHello(body); err == nil && records[0] == 22 {
				found = append(found, hello.ClientHello())
			}
			records = records[5+len(body):]
		}
	}
	r.sent = nil
	return found
}

// nginx starts a server that answers with 200, and returns the path of its
// socket.
func nginx(t *testing.T, root *authority) string {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("no nginx")
	}
	folder := t.TempDir()
	cert, key := writePair(t, folder, root.issue(t, nil))
	config := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log stderr; events {}
http { access_log off; client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
server { listen unix:%[1]s/socket ssl http2; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate %[2]s; ssl_certificate_key %[3]s; return 200 served; } }`, folder, cert, key)
	file := filepath.Join(folder, "conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	server := exec.Command(path, "-p", folder, "-e", "stderr", "-c", file)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
	})
	socket := filepath.Join(folder, "socket")
	eventually(t, "nginx listens", func() bool {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return socket
}

// goServer starts net/http's server and returns its address.
func goServer(t *testing.T, root *authority) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "served") }))
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{Certificates: []tls.Certificate{root.issue(t, nil)}}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// Well-known strings of different clients, with what they leave out from the
// closest of all profiles, reach Go, OpenSSL and nginx with exactly their hash,
// and are served on that very connection: no second hello, no second connection,
// TLS 1.3 where it is offered.
func TestNotationsAreServedAsTheyWereGiven(t *testing.T) {
	root := newAuthority(t)
	ja3s, ja4s := notations(t)
	var bases []string
	for _, name := range library(t) {
		bases = append(bases, string(profile(t, name).Document()))
	}
	for name, relay := range map[string]func(*testing.T) *relay{
		"Go":      func(t *testing.T) *relay { return newRelay(t, "tcp", goServer(t, root)) },
		"OpenSSL": func(t *testing.T) *relay { return newRelay(t, "tcp", fmt.Sprintf("127.0.0.1:%d", openSSL(t, root))) },
		"nginx":   func(t *testing.T) *relay { return newRelay(t, "unix", nginx(t, root)) },
	} {
		t.Run(name, func(t *testing.T) {
			relay := relay(t)
			for _, want := range ja3s {
				hello := askFor(t, root, relay, want, fingerprint.Choice{Bases: bases, JA3: want.Text})
				if hello.JA3().String() != want.Text || hello.JA3().Hash() != want.Hash {
					t.Errorf("%s: sent %s", want.Client, hello.JA3())
				}
			}
			for _, want := range ja4s {
				hello := askFor(t, root, relay, want, fingerprint.Choice{Bases: bases, JA4R: want.Text})
				if hello.JA4(false).String() != want.Text || hello.JA4(false).Hash() != want.Hash {
					t.Errorf("%s: sent %s", want.Client, hello.JA4(false))
				}
			}
		})
	}
}

// A profile that the server cannot agree with is named, and so is the alert.
func TestFailedHandshakeNamesProfileAndAlert(t *testing.T) {
	root := newAuthority(t)
	old, err := (&fingerprint.Choice{
		Profile: string(profile(t, "plain").Document()), JA3: "771,49195-49199,0-10-11-13,29-23,0",
	}).Resolve()
	if err != nil {
		t.Fatal(err)
	}
	_, _, _, err = connect(t, newHandshaker(old, root.trusting(), false), &tls.Config{
		Certificates: []tls.Certificate{root.issue(t, nil)}, MinVersion: tls.VersionTLS13,
	})
	if err == nil || !strings.Contains(err.Error(), "as "+old.Name) || !strings.Contains(err.Error(), "protocol version not supported") {
		t.Error(err)
	}
}

// askFor sends a request as was chosen and returns the one hello that it took.
func askFor(t *testing.T, root *authority, r *relay, client given, choice fingerprint.Choice) *fingerprint.ClientHello {
	t.Helper()
	chosen, err := choice.Resolve()
	if err != nil {
		t.Fatalf("%s: %v", client.Client, err)
	}
	config := testConfig()
	config.Profile, config.TLS = chosen, root.trusting()
	p := NewPool(config)
	defer p.Close()
	e, err := start(patient(), p, Origin{Scheme: "https", Host: "localhost", Port: uint16(r.Addr().(*net.TCPAddr).Port)}, true)
	if err != nil {
		t.Fatalf("%s by %s: %v", client.Client, chosen.Name, err)
	}
	defer e.Close()
	if head, err := e.ReadHead(); err != nil || head.Status != http.StatusOK {
		t.Fatalf("%s by %s: %+v, %v", client.Client, chosen.Name, head, err)
	}
	if _, err := io.Copy(io.Discard, e); err != nil {
		t.Fatalf("%s by %s: %v", client.Client, chosen.Name, err)
	}
	if e.about.TLS.Version != uint16(chosen.TLS.MaxVersion) {
		t.Errorf("%s: TLS %#04x was agreed on", client.Client, e.about.TLS.Version)
	}
	hellos := r.hellos(t)
	if len(hellos) != 1 {
		t.Fatalf("%s by %s: %d hellos", client.Client, chosen.Name, len(hellos))
	}
	if hellos[0].JA4(false).Hash() != e.about.TLS.JA4 {
		t.Errorf("%s: told JA4 %s", client.Client, e.about.TLS.JA4)
	}
	return hellos[0]
}
