package transport

import (
	"crypto/tls"
	"testing"
)

// The second connection resumes, in both versions; the session is offered to
// that host and port alone.
func TestSecondConnectionResumes(t *testing.T) {
	root := newAuthority(t)
	for _, name := range browsers {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			h := newHandshaker(profile(t, name), root.trusting(), false)
			server := &tls.Config{Certificates: []tls.Certificate{root.issue(t, nil)}, MaxVersion: version}
			for i := range 3 {
				conn, info, seen, err := connect(t, h, server)
				if err != nil {
					t.Fatalf("%s: connection %d: %v", name, i, err)
				}
				if resumed := i > 0; info.Resumed != resumed || seen.state.DidResume != resumed {
					t.Errorf("%s, version %#04x: connection %d resumed: %v", name, version, i, info.Resumed)
				}
				if len(info.Certificates) != 1 {
					t.Errorf("%s: connection %d has %d certificates", name, i, len(info.Certificates))
				}
				sendAndReceive(t, conn)
			}
		}
	}
}

// A TLS 1.3 session that was offered is never offered again, and stands last in
// the hello.
func TestTicketIsUsedOnce(t *testing.T) {
	root := newAuthority(t)
	h := newHandshaker(profile(t, "chrome-156-linux"), root.trusting(), false)
	server := &tls.Config{Certificates: []tls.Certificate{root.issue(t, nil)}}
	first, _, _, err := connect(t, h, server)
	if err != nil {
		t.Fatal(err)
	}
	sendAndReceive(t, first) // one ticket
	conn, _, seen, err := connect(t, h, server)
	if err != nil {
		t.Fatal(err)
	}
	if order := extensionOrder(t, seen.hello); order[len(order)-1] != 41 {
		t.Errorf("extensions %v", order)
	}
	_, info, seen, err := connect(t, h, server) // before the second one's ticket came
	if err != nil {
		t.Fatal(err)
	}
	if order := extensionOrder(t, seen.hello); info.Resumed || order[len(order)-1] == 41 {
		t.Error("the same ticket was offered twice")
	}
	conn.Close()
}

// A server that wants another group than those offered keys for gets it, with a
// session, too.
func TestHelloRetryRequest(t *testing.T) {
	root := newAuthority(t)
	for _, name := range browsers {
		h := newHandshaker(profile(t, name), root.trusting(), false)
		server := &tls.Config{Certificates: []tls.Certificate{root.issue(t, nil)}, CurvePreferences: []tls.CurveID{tls.CurveP384}}
		for i := range 2 {
			conn, info, _, err := connect(t, h, server)
			if err != nil {
				t.Fatalf("%s: connection %d: %v", name, i, err)
			}
			if info.Group != uint16(tls.CurveP384) || info.Resumed != (i == 1) {
				t.Errorf("%s: connection %d: %+v", name, i, info)
			}
			sendAndReceive(t, conn)
		}
	}
}

// A session of a suite that the server left meanwhile does not stop a
// HelloRetryRequest.
func TestHelloRetryRequestWithoutTheSession(t *testing.T) {
	root := newAuthority(t)
	h := newHandshaker(profile(t, "firefox-153-linux"), root.trusting(), false)
	server := &tls.Config{Certificates: []tls.Certificate{root.issue(t, nil)}}
	conn, _, _, err := connect(t, h, server)
	if err != nil {
		t.Fatal(err)
	}
	sendAndReceive(t, conn)
	// Another key for tickets: the server does not know the session any more.
	other := &tls.Config{Certificates: server.Certificates, CurvePreferences: []tls.CurveID{tls.CurveP384}}
	conn, info, _, err := connect(t, h, other)
	if err != nil || info.Resumed {
		t.Fatalf("%+v, %v", info, err)
	}
	sendAndReceive(t, conn)
}

// Each of Firefox's three key shares can be chosen.
func TestEveryKeyShareHasItsKey(t *testing.T) {
	root := newAuthority(t)
	for _, group := range []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256} {
		h := newHandshaker(profile(t, "firefox-153-linux"), root.trusting(), false)
		conn, info, _, err := connect(t, h, &tls.Config{
			Certificates: []tls.Certificate{root.issue(t, nil)}, CurvePreferences: []tls.CurveID{group},
		})
		if err != nil {
			t.Errorf("%s: %v", group, err)
			continue
		}
		if info.Group != uint16(group) {
			t.Errorf("%s: agreed on %#04x", group, info.Group)
		}
		sendAndReceive(t, conn)
	}
}
