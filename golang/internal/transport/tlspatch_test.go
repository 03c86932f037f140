package transport

import (
	"bytes"
	"compress/zlib"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"time"
)

// Each test here fails without one of golang/patches/; HelloRetryRequests with a
// session and key shares have theirs in tls_test.go.

func firefox(t *testing.T, root *authority) *handshaker {
	t.Helper()
	return newHandshaker(profile(t, "firefox-153-linux"), root.trusting(), false)
}

// An extension of a certificate's entry that nobody knows does not break the
// server's signature.
func TestUnknownCertificateExtensionIsPassedOver(t *testing.T) {
	root := newAuthority(t)
	s := script{certificate: root.issue(t, nil), entryExtensions: extension(0xfabc, []byte("anything"))}
	if _, done, err := s.meet(t, firefox(t, root)); err != nil || <-done != nil {
		t.Error(err)
	}
}

// compressed makes a CompressedCertificate message that announces a length.
func compressed(announce func(int) int) func([]byte) []byte {
	return func(message []byte) []byte {
		var packed bytes.Buffer
		w := zlib.NewWriter(&packed)
		w.Write(message[4:])
		w.Close()
		body := append([]byte{0, 1}, prefixed(3, make([]byte, announce(len(message)-4)))[:3]...)
		return handshakeMessage(25, append(body, prefixed(3, packed.Bytes())...))
	}
}

// A compressed chain beyond 32 KiB is read whole.
func TestLargeCompressedCertificateIsRead(t *testing.T) {
	root := newAuthority(t)
	certificate := root.issue(t, func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Value: bytes.Repeat([]byte("filler "), 9000)}}
	})
	s := script{certificate: certificate, compress: compressed(func(n int) int { return n })}
	if _, done, err := s.meet(t, firefox(t, root)); err != nil || <-done != nil {
		t.Error(err)
	}
}

// A compressed certificate that is longer or shorter than announced, or larger
// than any may be, is refused.
func TestCompressedCertificateOfAnotherLengthIsRefused(t *testing.T) {
	root := newAuthority(t)
	for name, announce := range map[string]func(int) int{
		"longer":  func(n int) int { return n - 1 },
		"shorter": func(n int) int { return n + 1 },
		"huge":    func(int) int { return 1<<24 - 1 },
	} {
		s := script{certificate: root.issue(t, nil), compress: compressed(announce)}
		if _, _, err := s.meet(t, firefox(t, root)); err == nil || !strings.Contains(err.Error(), "decompress") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// No record of ours is longer than the server takes.
func TestRecordSizeLimitIsObeyed(t *testing.T) {
	root := newAuthority(t)
	const limit = 600
	records := make(chan []int, 1)
	s := script{
		certificate:         root.issue(t, nil),
		encryptedExtensions: extension(28, []byte{limit >> 8, limit & 0xff}),
		after: func(c *scriptConn) error {
			for total := 0; total < 5000; {
				content, err := c.receive()
				if err != nil {
					return err
				}
				total += len(content)
			}
			records <- c.seen
			return nil
		},
	}
	conn, done, err := s.meet(t, firefox(t, root))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Write(make([]byte, 5000)); n != 5000 || err != nil {
		t.Fatal(n, err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	longest := 0
	for _, size := range <-records {
		longest = max(longest, size)
	}
	if longest != limit {
		t.Errorf("longest record: %d with its type, limit %d", longest, limit)
	}
	// Chrome does not offer the extension: then nobody may answer it.
	if _, _, err := s.meet(t, newHandshaker(profile(t, "chrome-156-linux"), root.trusting(), false)); err == nil {
		t.Error("an answer to nothing is accepted")
	}
}

// A server that floods the connection with messages that bring no data is left.
func TestPostHandshakeFloodIsBounded(t *testing.T) {
	root := newAuthority(t)
	ticket := handshakeMessage(4, append(append([]byte{0, 0, 1, 0, 1, 2, 3, 4}, prefixed(1, []byte{1})...), append(prefixed(2, []byte("ticket")), 0, 0)...))
	floods := map[string]func(c *scriptConn){
		"NewSessionTicket": func(c *scriptConn) { c.sendAs(22, ticket) },
		"KeyUpdate": func(c *scriptConn) {
			c.sendAs(22, []byte{24, 0, 0, 1, 0})
			c.out.rekey(expand(c.out.secret, "traffic upd", nil, 32))
		},
		"KeyUpdate requested": func(c *scriptConn) {
			c.sendAs(22, []byte{24, 0, 0, 1, 1})
			c.out.rekey(expand(c.out.secret, "traffic upd", nil, 32))
		},
	}
	for name, message := range floods {
		sent := 0
		s := script{certificate: root.issue(t, nil), after: func(c *scriptConn) error {
			for ; sent < 500; sent++ {
				message(c)
			}
			c.sendAs(23, []byte("data"))
			return nil
		}}
		conn, _, err := s.meet(t, firefox(t, root))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := conn.Read(make([]byte, 10)); err == nil || !strings.Contains(err.Error(), "too many") {
			t.Errorf("%s: %d bytes, %v", name, n, err)
		}
	}
}

// A few such messages between data are no flood.
func TestOccasionalKeyUpdatesAreFine(t *testing.T) {
	root := newAuthority(t)
	s := script{certificate: root.issue(t, nil), after: func(c *scriptConn) error {
		for range 100 {
			c.sendAs(22, []byte{24, 0, 0, 1, 0})
			c.out.rekey(expand(c.out.secret, "traffic upd", nil, 32))
			c.sendAs(23, []byte("data"))
		}
		return nil
	}}
	conn, done, err := s.meet(t, firefox(t, root))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, 400)); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Nothing may follow a message that changes the keys in its record: it would
// pass for protected.
func TestMessageAcrossAKeyChangeIsRefused(t *testing.T) {
	root := newAuthority(t)
	smuggled := handshakeMessage(8, prefixed(2, nil)) // EncryptedExtensions
	for name, s := range map[string]script{
		"behind ServerHello": {beforeKeys: smuggled},
		"behind Finished":    {beforeTraffic: smuggled},
	} {
		s.certificate = root.issue(t, nil)
		if _, _, err := s.meet(t, firefox(t, root)); err == nil || !strings.Contains(err.Error(), "change of keys") {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := script{certificate: root.issue(t, nil), after: func(c *scriptConn) error {
		c.sendAs(22, append([]byte{24, 0, 0, 1, 0}, 24, 0, 0, 1, 0))
		return nil
	}}
	conn, _, err := s.meet(t, firefox(t, root))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "change of keys") {
		t.Errorf("behind KeyUpdate: %v", err)
	}
}

// delegation makes a delegated credential (RFC 9345 section 4) and its key.
func delegation(t *testing.T, certificate tls.Certificate, lifetime time.Duration) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	key := newKey(t)
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	seconds := time.Until(certificate.Leaf.NotBefore.Add(lifetime)) + time.Since(certificate.Leaf.NotBefore)
	credential := binary.BigEndian.AppendUint32(nil, uint32(seconds/time.Second))
	credential = append(append(credential, 4, 3), prefixed(3, spki)...)
	credential = append(credential, 4, 3)
	signature, err := signECDSA(certificate.PrivateKey.(*ecdsa.PrivateKey), "TLS, server delegated credentials\x00", append(append([]byte(nil), certificate.Leaf.Raw...), credential...))
	if err != nil {
		t.Fatal(err)
	}
	return append(credential, prefixed(2, signature)...), key
}

func mayDelegate(c *x509.Certificate) {
	c.NotAfter = time.Now().Add(90 * 24 * time.Hour)
	c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 44363, 44}, Value: []byte{5, 0}}}
}

// A server may sign with a credential that its certificate's owner delegated.
func TestDelegatedCredentialIsVerified(t *testing.T) {
	root := newAuthority(t)
	certificate := root.issue(t, mayDelegate)
	credential, key := delegation(t, certificate, 2*time.Hour)
	s := script{certificate: certificate, signer: key, entryExtensions: extension(34, credential)}
	if _, done, err := s.meet(t, firefox(t, root)); err != nil || <-done != nil {
		t.Error(err)
	}
}

// A credential that is forged, expired, too long-lived, of a certificate that
// may not delegate, or not asked for, is refused.
func TestBadDelegatedCredentialIsRefused(t *testing.T) {
	root := newAuthority(t)
	able := root.issue(t, mayDelegate)
	good, key := delegation(t, able, 2*time.Hour)
	forged := bytes.Clone(good)
	forged[3] ^= 1 // one second more or less
	expired, expiredKey := delegation(t, able, 30*time.Minute)
	long, longKey := delegation(t, able, 8*24*time.Hour)
	unable := root.issue(t, nil)
	undelegated, undelegatedKey := delegation(t, unable, 90*time.Minute)
	for name, c := range map[string]struct {
		certificate tls.Certificate
		credential  []byte
		key         *ecdsa.PrivateKey
		profile     string
	}{
		"forged":       {able, forged, key, "firefox-153-linux"},
		"truncated":    {able, good[:len(good)-1], key, "firefox-153-linux"},
		"expired":      {able, expired, expiredKey, "firefox-153-linux"},
		"long-lived":   {able, long, longKey, "firefox-153-linux"},
		"undelegated":  {unable, undelegated, undelegatedKey, "firefox-153-linux"},
		"other key":    {able, good, expiredKey, "firefox-153-linux"},
		"unadvertised": {able, good, key, "chrome-156-linux"},
	} {
		s := script{certificate: c.certificate, signer: c.key, entryExtensions: extension(34, c.credential)}
		if _, _, err := s.meet(t, newHandshaker(profile(t, c.profile), root.trusting(), false)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
