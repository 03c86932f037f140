package transport

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/cycletls/cycletls/golang/internal/proxy"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// relayProxy is a proxy that speaks HTTP, SOCKS 4a and SOCKS 5 on one port. Wherever
// it is asked to lead, it leads to its one origin; requests it answers itself.
type relayProxy struct {
	net.Listener
	origin   string
	secure   *tls.Config // nil: in the clear
	accepted atomic.Int32
	asked    chan string // the destinations
	hellos   chan bool   // of TLS connections: whether they were resumed
}

func newRelayProxy(t *testing.T, origin string, secure *tls.Config) *relayProxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relayProxy{Listener: listener, origin: origin, secure: secure, asked: make(chan string, 100), hellos: make(chan bool, 100)}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			r.accepted.Add(1)
			go r.serve(conn)
		}
	}()
	return r
}

// at returns the proxy as a URL of that scheme names it.
func (r *relayProxy) at(t *testing.T, scheme, userinfo string) *proxy.Proxy {
	t.Helper()
	p, err := proxy.Parse(scheme + "://" + userinfo + r.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (r *relayProxy) serve(conn net.Conn) {
	defer conn.Close()
	if r.secure != nil {
		secured := tls.Server(conn, r.secure)
		if secured.Handshake() != nil {
			return
		}
		r.hellos <- secured.ConnectionState().DidResume
		conn = secured
	}
	in := bufio.NewReader(conn)
	version, err := in.Peek(1)
	switch {
	case err != nil:
	case version[0] == 4:
		r.socks4(conn, in)
	case version[0] == 5:
		r.socks5(conn, in)
	default:
		r.http(conn, in)
	}
}

func (r *relayProxy) http(conn net.Conn, in *bufio.Reader) {
	for {
		request, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		r.asked <- request.Host
		if request.Method == "CONNECT" {
			r.lead(conn, in, "HTTP/1.1 200 Connection established\r\n\r\n")
			return
		}
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n/x")
	}
}

func (r *relayProxy) socks4(conn net.Conn, in *bufio.Reader) {
	head := make([]byte, 8)
	io.ReadFull(in, head)
	in.ReadBytes(0)
	host := netip.AddrFrom4([4]byte(head[4:])).String()
	if head[4] == 0 {
		name, _ := in.ReadBytes(0)
		host = string(name[:len(name)-1])
	}
	r.asked <- hostPort(host, binary.BigEndian.Uint16(head[2:]))
	r.lead(conn, in, "\x00\x5a\x00\x00\x00\x00\x00\x00")
}

func (r *relayProxy) socks5(conn net.Conn, in *bufio.Reader) {
	greeting := make([]byte, 3)
	io.ReadFull(in, greeting)
	io.WriteString(conn, "\x05\x00")
	head := make([]byte, 5)
	io.ReadFull(in, head)
	rest := make([]byte, map[byte]int{1: 3, 3: int(head[4]), 4: 15}[head[3]]+2)
	io.ReadFull(in, rest)
	name, port := rest[:len(rest)-2], binary.BigEndian.Uint16(rest[len(rest)-2:])
	host := string(name)
	if head[3] != 3 {
		addr, _ := netip.AddrFromSlice(append(head[4:], name...))
		host = addr.String()
	}
	r.asked <- hostPort(host, port)
	r.lead(conn, in, "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
}

func (r *relayProxy) lead(conn net.Conn, in io.Reader, reply string) {
	out, err := net.Dial("tcp", r.origin)
	if err != nil {
		return
	}
	defer out.Close()
	io.WriteString(conn, reply)
	go func() {
		defer out.Close()
		carry(out, in)
	}()
	carry(conn, out)
}

// carry copies without splice(2), for which Go keeps pipes that would count as
// descriptors left behind.
func carry(to io.Writer, from io.Reader) {
	io.Copy(struct{ io.Writer }{to}, struct{ io.Reader }{from})
}

// Both protocols go through every kind of proxy, whichever way exchanges wait,
// and a connection through one is used again.
func TestThroughEveryProxy(t *testing.T) {
	root := newAuthority(t)
	shown := &tls.Config{Certificates: []tls.Certificate{root.issue(t, nil)}}
	for _, scheme := range []string{"http", "https", "socks4", "socks4a", "socks5", "socks5h"} {
		for _, h2 := range []bool{false, true} {
			for _, async := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, h2 %v, async %v", scheme, h2, async), func(t *testing.T) {
					server := newSecureServer(t, h2, nil)
					relay := newRelayProxy(t, server.Listener.Addr().String(), map[bool]*tls.Config{true: shown}[scheme == "https"])
					p := newSecurePool(t, func(c *Config) {
						c.Async = async
						c.Resolve = map[string]string{"origin.test": "192.0.2.1"}
					})
					o := Origin{Scheme: "https", Host: "origin.test", Port: 443, Proxy: relay.at(t, scheme, "")}
					first, second := mustGet(t, p, o), mustGet(t, p, o)
					want := map[bool]string{false: "origin.test:443", true: "192.0.2.1:443"}[o.Proxy.LooksUpHere()]
					if asked := <-relay.asked; asked != want {
						t.Errorf("led to %s", asked)
					}
					protocol := map[bool]string{false: "http/1.1", true: "h2"}[h2]
					if first.Protocol != protocol || !second.Reused || relay.accepted.Load() != 1 || first.RemoteAddr != relay.Addr().String() {
						t.Errorf("%+v, %+v", first, second)
					}
				})
			}
		}
	}
}

// Safety 71: the certificate of an https proxy is verified, for the name of the
// proxy, and no session is resumed with it.
func TestProxyCertificateIsVerified(t *testing.T) {
	root, server := newAuthority(t), newSecureServer(t, true, nil)
	relay := newRelayProxy(t, server.Listener.Addr().String(), &tls.Config{Certificates: []tls.Certificate{root.issue(t, nil)}})
	at, _ := proxy.Parse("https://localhost:" + strconv.Itoa(int(addrOf(relay).Port())))
	o := Origin{Scheme: "https", Host: "origin.test", Port: 443, Proxy: at}
	try := func(trust TLSConfig) (*CertificateError, *proxy.Error) {
		p := newSecurePool(t, func(c *Config) { c.TLS = trust })
		_, err := get(patient(), p, o)
		var refused *CertificateError
		var failed *proxy.Error
		errors.As(err, &failed)
		if !errors.As(err, &refused) {
			t.Fatal(err)
		}
		return refused, failed
	}
	if refused, failed := try(TLSConfig{}); failed == nil || refused.Host != "localhost" || len(relay.asked) != 0 {
		t.Errorf("%v, %v", refused, failed)
	}
	trusting := root.trusting()
	trusting.serverName = "origin.test" // which is not the proxy's name
	for range 2 {
		if refused, failed := try(trusting); failed != nil || refused.Host != "origin.test" { // the origin is none of the root's
			t.Errorf("%v, %v", refused, failed)
		}
		if <-relay.hellos {
			t.Error("a session was resumed")
		}
	}
}

// Connections are kept by proxy: forwarded requests share them whatever their
// origin, tunnels are each an origin's, and nothing is shared between proxies,
// credentials, and direct connections.
func TestConnectionsBelongToTheirProxy(t *testing.T) {
	origin, server := webServer(t)
	one, other := newRelayProxy(t, server.Listener.Addr().String(), nil), newRelayProxy(t, server.Listener.Addr().String(), nil)
	first, second := one.at(t, "http", ""), other.at(t, "http", "")
	p := newTestPool(t, nil)
	ids := make(map[uint64]bool)
	for i, c := range []struct {
		origin Origin
		reused bool
	}{
		{origin, false},
		{Origin{Scheme: "http", Host: "a.test", Port: 80, Proxy: first, Forward: true}, false},
		{Origin{Scheme: "http", Host: "b.test", Port: 81, Proxy: first, Forward: true}, true},
		{Origin{Scheme: "http", Host: "a.test", Port: 80, Proxy: first, Forward: true, Credentials: "Basic x"}, false},
		{Origin{Scheme: "http", Host: "a.test", Port: 80, Proxy: second, Forward: true}, false},
		{Origin{Scheme: "http", Host: "a.test", Port: 80, Proxy: first}, false},
		{Origin{Scheme: "http", Host: "a.test", Port: 80, Proxy: first}, true},
		{Origin{Scheme: "http", Host: "b.test", Port: 80, Proxy: first}, false},
		{Origin{Scheme: "http", Host: origin.Host, Port: origin.Port, Proxy: first}, false},
		{origin, true},
	} {
		if about := mustGet(t, p, c.origin); about.Reused != c.reused || ids[about.ID] != c.reused {
			t.Errorf("%d: %+v", i, about)
		} else {
			ids[about.ID] = true
		}
	}
}

// Safety 72: a session of TLS is resumed with its origin through the same proxy,
// and through no other.
func TestTicketsBelongToTheirProxy(t *testing.T) {
	server := newSecureServer(t, true, nil)
	one, other := newRelayProxy(t, server.Listener.Addr().String(), nil), newRelayProxy(t, server.Listener.Addr().String(), nil)
	p := newSecurePool(t, func(c *Config) { c.Reuse, c.Profile = false, profile(t, "chrome-156-linux") })
	through := func(by *proxy.Proxy) Origin {
		return Origin{Scheme: "https", Host: server.origin.Host, Port: server.origin.Port, Proxy: by}
	}
	first, second := through(one.at(t, "http", "")), through(other.at(t, "http", ""))
	for i, c := range []struct {
		origin  Origin
		resumed bool
	}{{first, false}, {first, true}, {second, false}, {server.origin, false}, {second, true}} {
		if about := mustGet(t, p, c.origin); about.TLS.Resumed != c.resumed {
			t.Errorf("%d: resumed %v", i, about.TLS.Resumed)
		}
	}
}

// Safety 75: only proxies that want addresses have names looked up here.
func TestNamesAreLookedUpWhereTheSchemeSays(t *testing.T) {
	_, server := webServer(t)
	relay := newRelayProxy(t, server.Listener.Addr().String(), nil)
	for scheme, looks := range map[string]bool{"http": false, "socks4": true, "socks4a": false, "socks5": true, "socks5h": false} {
		names := &nameServer{answer: func(string) ([]netip.Addr, dnsmessage.RCode, bool) {
			return []netip.Addr{netip.MustParseAddr("192.0.2.5")}, dnsmessage.RCodeSuccess, true
		}}
		p := newTestPool(t, nil)
		p.dialer.resolver = names.resolverAt(t, false)
		mustGet(t, p, Origin{Scheme: "http", Host: "origin.test", Port: 80, Proxy: relay.at(t, scheme, "")})
		want := map[bool]string{false: "origin.test:80", true: "192.0.2.5:80"}[looks]
		if asked := <-relay.asked; asked != want || (names.asked.Load() > 0) != looks {
			t.Errorf("%s: led to %s after %d questions", scheme, asked, names.asked.Load())
		}
	}
}

// Safety 77: what a proxy refuses is not tried without it.
func TestNoWayAroundAProxy(t *testing.T) {
	origin, server := webServer(t)
	var accepted atomic.Int32
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) { accepted.Add(1) }
	refusing, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer refusing.Close()
	go func() {
		for {
			conn, err := refusing.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	for _, address := range []string{refusing.Addr().String(), hostPort("127.0.0.1", free(t)), "dead.invalid:1"} {
		for _, scheme := range []string{"http", "https", "socks4a", "socks5h"} {
			origin.Proxy, _ = proxy.Parse(scheme + "://" + address)
			p := NewPool(Config{Reuse: true, Resolve: map[string]string{"dead.invalid": "127.0.0.1"}})
			_, err := get(patient(), p, origin)
			p.Close()
			var failed *proxy.Error
			if !errors.As(err, &failed) || failed.Proxy != origin.Proxy {
				t.Errorf("%s://%s: %v", scheme, address, err)
			}
		}
	}
	if accepted.Load() != 0 {
		t.Error("the origin was reached")
	}
}

// Safety 21: where private addresses are refused, a URL that has one is, through
// a proxy as well; the proxy's own address is its user's choice.
func TestPrivateDestinationsBehindAProxyAreRefused(t *testing.T) {
	_, server := webServer(t)
	relay := newRelayProxy(t, server.Listener.Addr().String(), nil)
	for _, scheme := range []string{"http", "socks4", "socks5", "socks5h"} {
		for host, refused := range map[string]bool{
			"127.0.0.1": true, "::1": true, "localhost": true, "169.254.169.254": true, "fixed.test": true, "192.88.100.1": false,
		} {
			for _, forward := range []bool{false, true} {
				config := testConfig()
				config.Reuse, config.BlockPrivate, config.Resolve = false, true, map[string]string{"fixed.test": "10.0.0.1"}
				p := NewPool(config)
				o := Origin{Scheme: "http", Host: host, Port: 80, Proxy: relay.at(t, scheme, "")}
				o.Forward = forward && o.Proxy.Forwards()
				_, err := get(wait.Background(), p, o)
				var blocked *BlockedError
				if errors.As(err, &blocked) != refused || !refused && err != nil {
					t.Errorf("%s through %s: %v", host, scheme, err)
				}
			}
		}
	}
}
