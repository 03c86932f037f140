package transport

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

var (
	ipv4 = netip.MustParseAddr("127.0.0.1")
	ipv6 = netip.IPv6Loopback()
)

// nameServer answers DNS questions on loopback.
type nameServer struct {
	conn  net.PacketConn
	asked atomic.Int32
	// answer says what a name means now; none is silence.
	answer func(name string) (addresses []netip.Addr, code dnsmessage.RCode, ok bool)
}

// resolverAt returns a resolver that asks the server, and no other.
func (s *nameServer) resolverAt(t *testing.T, publicOnly bool) *resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	s.conn = conn
	go s.serve()
	r, err := newResolver(nil, publicOnly)
	if err != nil {
		t.Fatal(err)
	}
	r.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}
	return r
}

func (s *nameServer) serve() {
	buffer := make([]byte, 1500)
	for {
		n, from, err := s.conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		s.asked.Add(1)
		var m dnsmessage.Message
		if m.Unpack(buffer[:n]) != nil || !s.reply(&m) {
			continue
		}
		packed, _ := m.Pack()
		s.conn.WriteTo(packed, from)
	}
}

// reply turns a question into its answer.
func (s *nameServer) reply(m *dnsmessage.Message) bool {
	q := m.Questions[0]
	addresses, code, ok := s.answer(strings.TrimSuffix(q.Name.String(), "."))
	m.Response, m.RCode, m.Additionals = true, code, nil
	for _, addr := range addresses {
		header := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 60}
		switch {
		case addr.Is4() && q.Type == dnsmessage.TypeA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: addr.As4()}})
		case addr.Is6() && q.Type == dnsmessage.TypeAAAA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: addr.As16()}})
		}
	}
	return ok
}

// means is a server's answer that never changes.
func means(texts ...string) func(string) ([]netip.Addr, dnsmessage.RCode, bool) {
	var addresses []netip.Addr
	for _, text := range texts {
		addresses = append(addresses, netip.MustParseAddr(text))
	}
	return func(string) ([]netip.Addr, dnsmessage.RCode, bool) {
		return addresses, dnsmessage.RCodeSuccess, true
	}
}

func code(c dnsmessage.RCode) func(string) ([]netip.Addr, dnsmessage.RCode, bool) {
	return func(string) ([]netip.Addr, dnsmessage.RCode, bool) { return nil, c, true }
}

// TestLookUpFindsBothFamilies through the name server.
func TestLookUpFindsBothFamilies(t *testing.T) {
	server := nameServer{answer: means("192.0.2.7", "2001:db8::7")}
	found, err := server.resolverAt(t, false).addresses(wait.Background(), "both.test")
	if err != nil || len(found) != 2 || !strings.Contains(join(found), "192.0.2.7") || !strings.Contains(join(found), "2001:db8::7") {
		t.Errorf("got %v, %v", found, err)
	}
}

// TestUnknownNameIsToldFromAFailedLookUp: the one is the caller's mistake, the
// other may go away.
func TestUnknownNameIsToldFromAFailedLookUp(t *testing.T) {
	for _, c := range []struct {
		code     dnsmessage.RCode
		notFound bool
	}{{dnsmessage.RCodeNameError, true}, {dnsmessage.RCodeServerFailure, false}} {
		server := nameServer{answer: code(c.code)}
		_, err := server.resolverAt(t, false).addresses(wait.Background(), "some.test")
		var dns *DNSError
		if !errors.As(err, &dns) || dns.NotFound != c.notFound || !strings.Contains(err.Error(), "some.test") {
			t.Errorf("%v: got %v", c.code, err)
		}
	}
}

// TestSilentNameServerEndsWithTheConnectTimeout, or whatever else ends the
// exchange.
func TestSilentNameServerEndsWithTheConnectTimeout(t *testing.T) {
	silence := func(string) ([]netip.Addr, dnsmessage.RCode, bool) { return nil, 0, false }
	server := nameServer{answer: silence}
	r := server.resolverAt(t, false)
	within(t, 200*time.Millisecond, func() {
		_, err := r.addresses(wait.New(limits(wait.Connect, 80*time.Millisecond), nil), "slow.test")
		wantTimeout(t, err, wait.Connect)
	})
	promptly(t, func() {
		_, err := r.addresses(wait.New(wait.Limits{}, func() bool { return true }), "slow.test")
		if !errors.Is(err, wait.ErrInterrupted) {
			t.Errorf("got %v", err)
		}
	})
}

// TestAddressesThatNeedNoLookUp ask nobody.
func TestAddressesThatNeedNoLookUp(t *testing.T) {
	server := nameServer{answer: code(dnsmessage.RCodeServerFailure)}
	r := server.resolverAt(t, false)
	r.fixed["fixed.test"] = netip.MustParseAddr("192.0.2.1")
	for host, want := range map[string]string{
		"fixed.test":      "192.0.2.1",
		"192.0.2.2":       "192.0.2.2",
		"2001:db8::2":     "2001:db8::2",
		"localhost":       "127.0.0.1, ::1",
		"a.b.localhost":   "127.0.0.1, ::1",
		"::ffff:10.0.0.1": "10.0.0.1",
	} {
		found, err := r.addresses(wait.Background(), host)
		if err != nil || join(found) != want {
			t.Errorf("%s: got %v, %v", host, found, err)
		}
	}
	if n := server.asked.Load(); n != 0 {
		t.Errorf("%d questions were asked", n)
	}
}

// TestFixedHostsAreComparedWithoutCase, and an address may have brackets.
func TestFixedHostsAreComparedWithoutCase(t *testing.T) {
	r, err := newResolver(map[string]string{"A.Test": "[::1]"}, false)
	if err != nil || r.fixed["a.test"] != ipv6 {
		t.Errorf("got %v, %v", r, err)
	}
}

// TestPrivateAddressesAreBlockedAfterTheLookUp: a name, a literal and a fixed
// address are judged by where they lead; public ones of a mixture remain.
func TestPrivateAddressesAreBlockedAfterTheLookUp(t *testing.T) {
	private := means("127.0.0.1", "::ffff:10.0.0.1", "fd00::1")
	mixed := means("10.0.0.1", "8.8.8.8")
	server := nameServer{answer: func(name string) ([]netip.Addr, dnsmessage.RCode, bool) {
		if name == "mixed.test" {
			return mixed(name)
		}
		return private(name)
	}}
	r := server.resolverAt(t, true)
	r.fixed["fixed.test"] = ipv4
	for _, host := range []string{"private.test", "fixed.test", "169.254.169.254", "::ffff:127.0.0.1", "localhost"} {
		_, err := r.addresses(wait.Background(), host)
		var blocked *BlockedError
		if !errors.As(err, &blocked) || blocked.Host != host || len(blocked.Addresses) == 0 {
			t.Errorf("%s: got %v", host, err)
		}
	}
	if found, err := r.addresses(wait.Background(), "mixed.test"); err != nil || join(found) != "8.8.8.8" {
		t.Errorf("mixed: got %v, %v", found, err)
	}
}

// TestRebindingIsBlockedOnTheSecondLookUp: that a name was public once does not
// matter.
func TestRebindingIsBlockedOnTheSecondLookUp(t *testing.T) {
	var turned atomic.Bool
	public, private := means("8.8.8.8"), means("127.0.0.1")
	server := nameServer{answer: func(name string) ([]netip.Addr, dnsmessage.RCode, bool) {
		if turned.Load() {
			return private(name)
		}
		return public(name)
	}}
	r := server.resolverAt(t, true)
	if _, err := r.addresses(wait.Background(), "turning.test"); err != nil {
		t.Fatal(err)
	}
	turned.Store(true)
	var blocked *BlockedError
	if _, err := r.addresses(wait.Background(), "turning.test"); !errors.As(err, &blocked) {
		t.Errorf("got %v", err)
	}
}
