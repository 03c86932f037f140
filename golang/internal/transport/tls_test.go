package transport

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cycletls/cycletls/golang/internal/wait"
	"github.com/cycletls/cycletls/golang/internal/wait/waittest"
)

// Every profile speaks TLS 1.3 and 1.2, agrees on a protocol, and moves data.
func TestHandshakeInBothVersions(t *testing.T) {
	root := newAuthority(t)
	certificate := root.issue(t, nil)
	for _, name := range browsers {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			h := newHandshaker(profile(t, name), root.trusting(), false)
			conn, info, seen, err := connect(t, h, &tls.Config{
				Certificates: []tls.Certificate{certificate}, MaxVersion: version, NextProtos: []string{"h2", "http/1.1"},
			})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if info.Version != version || info.ALPN != "h2" || info.ServerName != "localhost" || info.Resumed ||
				info.CipherSuite != seen.state.CipherSuite || len(info.Certificates) != 1 {
				t.Errorf("%s: %+v", name, info)
			}
			if version == tls.VersionTLS13 && info.Group != uint16(tls.X25519MLKEM768) {
				t.Errorf("%s: group %#04x", name, info.Group)
			}
			if seen.state.ServerName != "localhost" {
				t.Errorf("%s: SNI %q", name, seen.state.ServerName)
			}
			sendAndReceive(t, conn)
		}
	}
}

// A session that allows only HTTP/1.1 never ends up with HTTP/2.
func TestOnlyHTTP1IsOffered(t *testing.T) {
	root := newAuthority(t)
	h := newHandshaker(profile(t, "chrome-156-linux"), root.trusting(), true)
	_, info, _, err := connect(t, h, &tls.Config{
		Certificates: []tls.Certificate{root.issue(t, nil)}, NextProtos: []string{"h2", "http/1.1"},
	})
	if err != nil || info.ALPN != "http/1.1" {
		t.Errorf("%+v, %v", info, err)
	}
}

// A handshake that failed is not tried again with an older version.
func TestFailedHandshakeIsNotRepeatedWithLess(t *testing.T) {
	client, server := waittest.Pipe()
	defer client.Close()
	hellos := make(chan int)
	go func() {
		server.Write([]byte{21, 3, 1, 0, 2, 2, 40}) // alert: handshake_failure
		server.CloseWrite()
		n := 0
		for buffer := make([]byte, 1<<14); ; n++ {
			if m, err := server.Read(buffer); err != nil || buffer[0] != 22 || m == 0 {
				hellos <- n
				return
			}
		}
	}()
	_, _, err := newHandshaker(profile(t, "chrome-156-linux"), TLSConfig{}, false).handshake(patient(), client, Origin{Host: "localhost", Port: 443})
	client.Close()
	var failed *TLSError
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), "handshake failure") {
		t.Errorf("%v", err)
	}
	if n := <-hellos; n != 1 {
		t.Errorf("%d ClientHellos", n)
	}
}

// A server that is older than the minimum is refused, whatever the profile
// offers; one older than TLS 1.2 always.
func TestMinimumVersionIsKept(t *testing.T) {
	root := newAuthority(t)
	cfg := root.trusting()
	cfg.minVersion = tls.VersionTLS13
	for _, c := range []struct {
		cfg     TLSConfig
		highest uint16
	}{{cfg, tls.VersionTLS12}, {root.trusting(), tls.VersionTLS11}} {
		h := newHandshaker(profile(t, "chrome-156-linux"), c.cfg, false)
		_, _, seen, err := connect(t, h, &tls.Config{
			Certificates: []tls.Certificate{root.issue(t, nil)}, MaxVersion: c.highest, MinVersion: tls.VersionTLS10,
		})
		var failed *TLSError
		if !errors.As(err, &failed) || seen.err == nil {
			t.Errorf("up to %#04x: %v", c.highest, err)
		}
	}
}

// What a server says about itself is not believed: a version lower than it can
// do is a man in the middle (RFC 8446 section 4.1.3).
func TestDowngradeSentinelIsSeen(t *testing.T) {
	for _, name := range browsers {
		client, server := waittest.Pipe()
		answer := make(chan []byte, 1)
		go func() {
			readRecord(server)
			random := append(make([]byte, 24), "DOWNGRD\x01"...)
			writeRecord(server, 22, serverHello12(random))
			answer <- readRecord(server)
		}()
		_, _, err := newHandshaker(profile(t, name), TLSConfig{}, false).handshake(patient(), client, Origin{Host: "localhost", Port: 443})
		if err == nil || !strings.Contains(err.Error(), "downgrade") {
			t.Errorf("%s: %v", name, err)
		}
		if alert := <-answer; !bytes.Equal(alert, []byte{2, 47}) { // fatal, illegal_parameter
			t.Errorf("%s: alert %v", name, alert)
		}
		client.Close()
	}
}

// A suite that is broken is refused though the fingerprint lists it.
func TestBrokenSuitesAreRefused(t *testing.T) {
	root := newAuthority(t)
	certificate := root.issueFor(t, rsaKey(t), func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageKeyEncipherment })
	document := string(profile(t, "plain").Document())
	start := strings.Index(document, `"ciphers": [`)
	end := start + strings.Index(document[start:], "]")
	for _, suite := range []uint16{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA, tls.TLS_RSA_WITH_RC4_128_SHA, tls.TLS_ECDHE_RSA_WITH_RC4_128_SHA} {
		p := parseProfile(t, document[:start]+`"ciphers": ["0x1301", "`+hex16(suite)+`"`+document[end:])
		h := newHandshaker(p, root.trusting(), false)
		_, _, _, err := connect(t, h, &tls.Config{
			Certificates: []tls.Certificate{certificate}, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite},
		})
		if err == nil || !strings.Contains(err.Error(), "not secure") {
			t.Errorf("%s: %v", tls.CipherSuiteName(suite), err)
		}
	}
}

// A name other than the host's is sent and verified where that is asked for; an
// address is verified, and not sent.
func TestServerNameAndAddress(t *testing.T) {
	root := newAuthority(t)
	cfg := root.trusting()
	cfg.serverName = "other.test"
	other := root.issue(t, func(c *x509.Certificate) { c.DNSNames = []string{"other.test"} })
	_, info, seen, err := connect(t, newHandshaker(profile(t, "chrome-156-linux"), cfg, false), &tls.Config{Certificates: []tls.Certificate{other}})
	if err != nil || seen.state.ServerName != "other.test" || info.ServerName != "other.test" {
		t.Errorf("SNI %q, %+v, %v", seen.state.ServerName, info, err)
	}
	_, _, _, err = connect(t, newHandshaker(profile(t, "chrome-156-linux"), cfg, false), &tls.Config{Certificates: []tls.Certificate{root.issue(t, nil)}})
	var refused *CertificateError
	if !errors.As(err, &refused) || refused.Host != "other.test" {
		t.Errorf("%v", err)
	}
	for _, address := range []string{"127.0.0.1", "::1"} {
		certificate := root.issue(t, func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, []net.IP{net.ParseIP(address)} })
		client, server := waittest.Pipe()
		done := serveTLS(server, &tls.Config{Certificates: []tls.Certificate{certificate}})
		_, _, err := newHandshaker(profile(t, "chrome-156-linux"), root.trusting(), false).handshake(patient(), client, Origin{Host: address, Port: 443})
		if seen := <-done; err != nil || seen.state.ServerName != "" {
			t.Errorf("%s: SNI %q, %v", address, seen.state.ServerName, err)
		}
		client.Close()
	}
}

// A server that asks for a certificate gets the configured one, and only then.
func TestClientCertificateIsSent(t *testing.T) {
	root := newAuthority(t)
	folder := t.TempDir()
	cert, key := writePair(t, folder, root.issue(t, func(c *x509.Certificate) {
		c.Subject.CommonName = "client"
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}))
	loaded, err := LoadTLS(TLSOptions{CertFile: cert, KeyFile: key})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(root.certificate)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		server := &tls.Config{
			Certificates: []tls.Certificate{root.issue(t, nil)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots, MaxVersion: version,
		}
		cfg := root.trusting()
		cfg.certificate = loaded.certificate
		_, _, seen, err := connect(t, newHandshaker(profile(t, "chrome-156-linux"), cfg, false), server)
		if err != nil || seen.err != nil || seen.state.PeerCertificates[0].Subject.CommonName != "client" {
			t.Errorf("%v, %v", err, seen.err)
		}
		conn, _, seen, err := connect(t, newHandshaker(profile(t, "chrome-156-linux"), root.trusting(), false), server)
		if err == nil { // TLS 1.3: the refusal comes with the first read
			_, err = conn.Read(make([]byte, 1))
		}
		if seen.err == nil || err == nil || !strings.Contains(err.Error(), "remote error") {
			t.Errorf("without one: %v, %v", err, seen.err)
		}
	}
}

// The key log has the secrets of every connection, and only its owner can read
// it.
func TestKeyLogIsWritten(t *testing.T) {
	root := newAuthority(t)
	path := filepath.Join(t.TempDir(), "keys")
	loaded, err := LoadTLS(TLSOptions{KeyLogFile: path})
	if err != nil {
		t.Fatal(err)
	}
	cfg := root.trusting()
	cfg.keyLog = loaded.keyLog
	if _, _, _, err := connect(t, newHandshaker(profile(t, "chrome-156-linux"), cfg, false), &tls.Config{Certificates: []tls.Certificate{root.issue(t, nil)}}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, label := range []string{"CLIENT_HANDSHAKE_TRAFFIC_SECRET ", "SERVER_HANDSHAKE_TRAFFIC_SECRET ", "CLIENT_TRAFFIC_SECRET_0 ", "SERVER_TRAFFIC_SECRET_0 "} {
		if strings.Count(string(text), label) != 1 {
			t.Errorf("%s: %s", label, text)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := LoadTLS(TLSOptions{KeyLogFile: t.TempDir()}); err == nil || !strings.HasPrefix(err.Error(), "key_log_file: ") {
		t.Errorf("a folder: %v", err)
	}
}

// A server that says nothing costs no more than the exchange's limit, and the
// error is that limit's.
func TestSilentServerMeetsTheLimit(t *testing.T) {
	client, _ := waittest.Pipe()
	defer client.Close()
	ctx := wait.New(wait.Limits{wait.Total: 30 * time.Millisecond}, nil)
	_, _, err := newHandshaker(profile(t, "plain"), TLSConfig{}, false).handshake(ctx, client, Origin{Host: "localhost", Port: 443})
	if !wait.IsTimeout(err) {
		t.Errorf("%v", err)
	}
}

// A server that settles on ALPS gets the answer that Chromium gives: no settings.
func TestApplicationSettingsAreAnswered(t *testing.T) {
	root := newAuthority(t)
	s := script{
		certificate: root.issue(t, nil),
		encryptedExtensions: append(extension(16, prefixed(2, prefixed(1, []byte("h2")))),
			extension(17613, []byte("settings of the server"))...),
		expect: handshakeMessage(8, prefixed(2, extension(17613, nil))),
	}
	if _, done, err := s.meet(t, newHandshaker(profile(t, "chrome-156-linux"), root.trusting(), false)); err != nil {
		t.Error(err)
	} else if err := <-done; err != nil {
		t.Error(err)
	}
}

// What is not TLS, and an early end, are said as such.
func TestHandshakeFailuresAreExplained(t *testing.T) {
	for answer, want := range map[string]string{
		"HTTP/1.1 400 Bad Request\r\n\r\n": "is it plain HTTP",
		"":                                 "closed the connection",
		"\x16\x03\x03":                     "closed the connection",
		"\x15\x03\x03\x00\x02\x02\x46":     "protocol version",
		"\x15\x03\x03\x00\x02\x02\x70":     "unrecognized name",
	} {
		client, server := waittest.Pipe()
		go func() {
			server.Write([]byte(answer))
			server.CloseWrite()
			readRecord(server)
		}()
		_, _, err := newHandshaker(profile(t, "plain"), TLSConfig{}, false).handshake(patient(), client, Origin{Host: "localhost", Port: 443})
		var failed *TLSError
		if !errors.As(err, &failed) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "localhost") {
			t.Errorf("%q: %v", answer, err)
		}
		client.Close()
	}
}

// BenchmarkHandshake is a whole connection, both ends in this process.
func BenchmarkHandshake(b *testing.B) {
	root := newAuthority(b)
	server := &tls.Config{Certificates: []tls.Certificate{root.issue(b, nil)}, SessionTicketsDisabled: true}
	h := newHandshaker(profile(b, "chrome-156-linux"), root.trusting(), false)
	b.ReportAllocs()
	for b.Loop() {
		conn, _, _, err := connect(b, h, server)
		if err != nil {
			b.Fatal(err)
		}
		conn.Close()
	}
}
