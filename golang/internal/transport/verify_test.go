package transport

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/cycletls/cycletls/golang/internal/wait/waittest"
)

// refusal shakes hands as the client of host, and wants a CertificateError that
// says want.
func refusal(t *testing.T, name string, cfg TLSConfig, certificate tls.Certificate, host, want string) {
	t.Helper()
	client, server := waittest.Pipe()
	defer client.Close()
	done := serveTLS(server, &tls.Config{Certificates: []tls.Certificate{certificate}})
	_, _, err := newHandshaker(profile(t, "chrome-156-linux"), cfg, false).handshake(patient(), client, Origin{Host: host, Port: 443})
	client.Close()
	var refused *CertificateError
	if !errors.As(err, &refused) {
		t.Errorf("%s: %v, want a CertificateError", name, err)
	} else if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), host) {
		t.Errorf("%s: %v, want %q", name, err, want)
	}
	if seen := <-done; seen.err == nil {
		t.Errorf("%s: the server's handshake succeeded: a request could have gone out", name)
	}
}

// A certificate that is wrong in any way ends the handshake, and the error says
// which one, and what is wrong.
func TestWrongCertificatesAreRefused(t *testing.T) {
	root, other := newAuthority(t), newAuthority(t)
	between := root.intermediate(t, nil)
	alone := *between
	alone.chain = nil
	withRoot := *other
	withRoot.chain = [][]byte{other.certificate.Raw}
	for _, c := range []struct {
		name, host, want string
		certificate      tls.Certificate
	}{
		{"expired", "localhost", "(CN=localhost): expired on", root.issue(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })},
		{"not yet valid", "localhost", "not valid before", root.issue(t, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) })},
		{"wrong host", "other.test", "is valid for localhost, not other.test", root.issue(t, nil)},
		{"wrong address", "127.0.0.1", "127.0.0.1", root.issue(t, nil)},
		{"no SAN", "localhost", "legacy Common Name", root.issue(t, func(c *x509.Certificate) { c.DNSNames = nil })},
		{"self-signed", "localhost", "self-signed", selfSigned(t)},
		{"unknown root", "localhost", "issuer CN=Test Root is neither among the given CA certificates nor sent", other.issue(t, nil)},
		{"unknown root that was sent", "localhost", "(CN=Test Root): a root that is not among the given CA certificates", withRoot.issue(t, nil)},
		{"incomplete chain", "localhost", "issuer CN=Test Intermediate is neither", alone.issue(t, nil)},
		{"expired intermediate", "localhost", "(CN=Late): expired on", root.intermediate(t, func(c *x509.Certificate) {
			c.Subject.CommonName = "Late"
			c.NotAfter = time.Now().Add(-time.Minute)
		}).issue(t, nil)},
		{"wrong use", "localhost", "key usage", root.issue(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })},
		{"signer that is no CA", "localhost", "(CN=Test Intermediate): signs another certificate, and is no CA", root.intermediate(t, func(c *x509.Certificate) { c.IsCA = false }).issue(t, nil)},
		{"path too long", "localhost", "too many intermediates", root.intermediate(t, func(c *x509.Certificate) {
			c.MaxPathLenZero = true
		}).intermediate(t, nil).issue(t, nil)},
		{"name constraint", "localhost", "not permitted", root.intermediate(t, func(c *x509.Certificate) {
			c.PermittedDNSDomainsCritical, c.PermittedDNSDomains = true, []string{"example.org"}
		}).issue(t, nil)},
		{"unknown critical extension", "localhost", "unhandled critical extension", root.issue(t, func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 2}, Critical: true, Value: []byte{5, 0}}}
		})},
		{"short RSA key", "localhost", "1024 bits or less", root.issueFor(t, shortRSAKey(t), nil)},
		{"wildcard of a suffix", "example.com", "wildcard for all of .com", root.issue(t, names("*.com"))},
		{"wildcard of a two-part suffix", "example.co.uk", "wildcard for all of .co.uk", root.issue(t, names("*.co.uk"))},
		{"partial wildcard", "www.example.org", "not www.example.org", root.issue(t, names("w*.example.org"))},
		{"wildcard of two labels", "a.b.example.org", "not a.b.example.org", root.issue(t, names("*.example.org"))},
		{"wildcard in the middle", "a.b.example.org", "not a.b.example.org", root.issue(t, names("a.*.example.org"))},
	} {
		refusal(t, c.name, root.trusting(), c.certificate, c.host, c.want)
	}
}

// A signature that can be forged today is none.
func TestWeakSignaturesAreRefused(t *testing.T) {
	root := newAuthority(t)
	rsaRoot := template(isCA("RSA Root"))
	key := rsaKey(t)
	rsaRoot = sign(t, rsaRoot, rsaRoot, key.Public(), key)
	withRSA := &authority{certificate: rsaRoot, key: key}
	for _, c := range []struct {
		authority *authority
		old, weak []int // object identifiers of the signature, as DER
		want      string
	}{
		{withRSA, []int{1, 2, 840, 113549, 1, 1, 11}, []int{1, 2, 840, 113549, 1, 1, 5}, "SHA1-RSA"},
		{withRSA, []int{1, 2, 840, 113549, 1, 1, 11}, []int{1, 2, 840, 113549, 1, 1, 4}, "MD5-RSA"},
		{root, []int{1, 2, 840, 10045, 4, 3, 2}, []int{1, 2, 840, 10045, 4, 1}, "ECDSA-SHA1"},
	} {
		certificate := c.authority.issue(t, nil)
		certificate.Certificate[0] = resign(t, certificate.Certificate[0], c.weak, c.authority.key, c.want)
		certificate.Leaf = nil
		refusal(t, c.want, c.authority.trusting(), certificate, "localhost", "signed with "+c.want+", which is no longer secure")
	}
}

// resign signs a certificate anew with an algorithm that crypto/x509 does not
// make any more.
func resign(t *testing.T, der []byte, algorithm []int, key crypto.Signer, name string) []byte {
	t.Helper()
	var c struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &c); err != nil {
		t.Fatal(err)
	}
	old, err := asn1.Marshal(c.Algorithm)
	if err != nil {
		t.Fatal(err)
	}
	c.Algorithm.Algorithm = algorithm
	replacement, err := asn1.Marshal(c.Algorithm)
	if err != nil {
		t.Fatal(err)
	}
	body := strings.Replace(string(c.TBS.Bytes), string(old), string(replacement), 1)
	tbs, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	hash := crypto.SHA1
	if name == "MD5-RSA" {
		hash = crypto.MD5
	}
	h := hash.New()
	h.Write(tbs)
	signature, err := key.Sign(rand.Reader, h.Sum(nil), hash)
	if err != nil {
		t.Fatal(err)
	}
	c.TBS = asn1.RawValue{FullBytes: tbs}
	c.Signature = asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
	signed, err := asn1.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// Certificates that browsers accept are accepted.
func TestRightCertificatesAreAccepted(t *testing.T) {
	root := newAuthority(t)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		host        string
		certificate tls.Certificate
	}{
		{"localhost", root.intermediate(t, nil).intermediate(t, nil).issue(t, nil)},
		{"localhost", root.issueFor(t, rsaKey(t), nil)},
		{"localhost", root.issueFor(t, p384, nil)},
		{"LocalHost", root.issue(t, nil)},
		{"www.example.org", root.issue(t, names("*.example.org"))},
		{"user.github.io", root.issue(t, names("*.github.io"))}, // a company's suffix is its own
		{"example.com", root.issue(t, names("*.com", "example.com"))},
	} {
		client, server := waittest.Pipe()
		done := serveTLS(server, &tls.Config{Certificates: []tls.Certificate{c.certificate}})
		_, _, err := newHandshaker(profile(t, "chrome-156-linux"), root.trusting(), false).handshake(patient(), client, Origin{Host: c.host, Port: 443})
		if seen := <-done; err != nil || seen.err != nil {
			t.Errorf("%s: %v, %v", c.host, err, seen.err)
		}
		client.Close()
	}
	// Chrome does not offer Ed25519: the server has nothing to sign with.
	_, _, _, err = connect(t, newHandshaker(profile(t, "chrome-156-linux"), root.trusting(), false), &tls.Config{Certificates: []tls.Certificate{root.issueFor(t, ed, nil)}})
	if err == nil {
		t.Error("Ed25519 without having offered it")
	}
}

// A server's own certificate as the only root is what people pin with
// verify="server.pem".
func TestSelfSignedCertificateCanBeTheRoot(t *testing.T) {
	certificate := selfSigned(t)
	own := &authority{certificate: certificate.Leaf}
	if _, _, _, err := connect(t, newHandshaker(profile(t, "plain"), own.trusting(), false), &tls.Config{Certificates: []tls.Certificate{certificate}}); err != nil {
		t.Error(err)
	}
}

// Verification that is off lets one session in, and no other: no ticket of it
// serves a session that verifies.
func TestInsecureSessionLeavesOthersAlone(t *testing.T) {
	root := newAuthority(t)
	server := &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}
	insecure := newHandshaker(profile(t, "chrome-156-linux"), TLSConfig{insecure: true}, false)
	strict := newHandshaker(profile(t, "chrome-156-linux"), root.trusting(), false)
	for i := range 2 {
		conn, info, _, err := connect(t, insecure, server)
		if err != nil || info.Resumed != (i == 1) {
			t.Fatalf("%+v, %v", info, err)
		}
		sendAndReceive(t, conn)
		if _, _, seen, err := connect(t, strict, server); err == nil || seen.state.DidResume {
			t.Error("the session that verifies let the server in")
		}
	}
}

// Without verification the handshake is still authentic to its key, and broken
// suites stay out.
func TestInsecureStillChecksTheSignature(t *testing.T) {
	s := script{certificate: selfSigned(t), signer: newKey(t)}
	h := newHandshaker(profile(t, "plain"), TLSConfig{insecure: true}, false)
	if _, _, err := s.meet(t, h); err == nil || !strings.Contains(err.Error(), "signature") {
		t.Errorf("%v", err)
	}
}

// Certificates that are made to be expensive are refused or read in bounded
// time.
func TestExpensiveCertificatesAreBounded(t *testing.T) {
	root := newAuthority(t)
	sans := make([]string, 10000)
	for i := range sans {
		sans[i] = fmt.Sprintf("host-%d.example.org", i)
	}
	certificate := root.issue(t, names(sans...))
	start := time.Now()
	if len(certificate.Certificate[0]) < 1<<18 { // beyond that the message itself is refused
		refusal(t, "10,000 names", root.trusting(), certificate, "localhost", "localhost")
	}
	long := root.issue(t, nil)
	for range 800 {
		long.Certificate = append(long.Certificate, root.certificate.Raw)
	}
	h := newHandshaker(profile(t, "plain"), root.trusting(), false)
	if _, _, _, err := connect(t, h, &tls.Config{Certificates: []tls.Certificate{long}}); err == nil {
		t.Error("a chain of 800 certificates is accepted")
	}
	huge := root.issueFor(t, hugeRSAKey(), nil)
	s := script{certificate: huge, signer: newKey(t)}
	if _, _, err := s.meet(t, h); err == nil || !strings.Contains(err.Error(), "larger than 8192 bits") {
		t.Errorf("RSA key of 16,384 bits: %v", err)
	}
	if spent := time.Since(start); spent > 10*time.Second {
		t.Errorf("took %s", spent)
	}
}

func names(list ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.DNSNames = list }
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key := newKey(t)
	c := template(func(c *x509.Certificate) {
		c.Subject.CommonName = "Self"
		c.DNSNames = []string{"localhost"}
	})
	signed := sign(t, c, c, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{signed.Raw}, PrivateKey: key, Leaf: signed}
}

func shortRSAKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// hugeRSA is a key that is only ever looked at: its modulus is no product of two
// primes.
type hugeRSA struct{ public rsa.PublicKey }

func hugeRSAKey() hugeRSA {
	n := new(big.Int).Lsh(big.NewInt(1), 16383)
	return hugeRSA{rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 65537}}
}

func (k hugeRSA) Public() crypto.PublicKey { return &k.public }

func (hugeRSA) Sign(_ io.Reader, _ []byte, _ crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("cannot sign")
}
