package transport

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"github.com/cycletls/cycletls/golang/internal/fingerprint"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
	"github.com/cycletls/cycletls/golang/internal/wait/waittest"
)

// authority signs certificates for tests.
type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
	chain       [][]byte // what a server sends behind its own, empty for a root
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// template is a certificate that is right in every way; change makes it wrong.
func template(change func(*x509.Certificate)) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		panic(err)
	}
	c := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "test"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	if change != nil {
		change(c)
	}
	return c
}

func isCA(name string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.Subject.CommonName = name
		c.IsCA, c.BasicConstraintsValid = true, true
		c.KeyUsage = x509.KeyUsageCertSign
	}
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key := newKey(t)
	root := template(isCA("Test Root"))
	return &authority{sign(t, root, root, key.Public(), key), key, nil}
}

func sign(t testing.TB, c, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, parent, public, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// intermediate makes an authority beneath a.
func (a *authority) intermediate(t testing.TB, change func(*x509.Certificate)) *authority {
	t.Helper()
	key := newKey(t)
	c := template(isCA("Test Intermediate"))
	if change != nil {
		change(c)
	}
	signed := sign(t, c, a.certificate, key.Public(), a.key)
	return &authority{signed, key, append([][]byte{signed.Raw}, a.chain...)}
}

// issue makes a server certificate for localhost.
func (a *authority) issue(t testing.TB, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	return a.issueFor(t, newKey(t), change)
}

func (a *authority) issueFor(t testing.TB, key crypto.Signer, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	c := template(func(c *x509.Certificate) {
		c.Subject.CommonName = "localhost"
		c.DNSNames = []string{"localhost"}
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		if change != nil {
			change(c)
		}
	})
	leaf := sign(t, c, a.certificate, key.Public(), a.key)
	return tls.Certificate{Certificate: append([][]byte{leaf.Raw}, a.chain...), PrivateKey: key, Leaf: leaf}
}

// trusting is a configuration whose only root is a.
func (a *authority) trusting() TLSConfig {
	roots := x509.NewCertPool()
	roots.AddCert(a.certificate)
	return TLSConfig{roots: roots}
}

func profile(t testing.TB, name string) *fingerprint.Profile {
	t.Helper()
	document, err := os.ReadFile(filepath.Join("../../../cycletls/browsers", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := fingerprint.Parse(document)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var browsers = []string{"chrome-156-linux", "firefox-153-linux", "plain"}

// served is what the server saw of one connection.
type served struct {
	hello []byte // the first record of the client
	state tls.ConnectionState
	err   error
}

// recorder keeps what the client sends.
type recorder struct {
	*waittest.Conn
	sent bytes.Buffer
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.sent.Write(p[:n])
	return n, err
}

// serveTLS answers a TLS connection over conn, and echoes.
func serveTLS(conn *waittest.Conn, cfg *tls.Config) <-chan served {
	done := make(chan served, 1)
	go func() {
		defer conn.Close()
		record := &recorder{Conn: conn}
		server := tls.Server(record, cfg)
		err := server.Handshake()
		done <- served{record.sent.Bytes(), server.ConnectionState(), err}
		if err == nil {
			io.Copy(server, server)
		}
	}()
	return done
}

// connect shakes hands with a server of cfg, as the client of localhost.
func connect(t testing.TB, h *handshaker, cfg *tls.Config) (*tlsConn, *message.TLS, served, error) {
	t.Helper()
	client, server := waittest.Pipe()
	t.Cleanup(func() { client.Close() })
	done := serveTLS(server, cfg)
	conn, info, err := h.handshake(patient(), client, Origin{Host: "localhost", Port: 443})
	if err != nil {
		client.Close()
	}
	return conn, info, <-done, err
}

// patient is a context that fails a test that hangs.
func patient() *wait.Context {
	return wait.New(wait.Limits{wait.Total: 30 * time.Second}, nil)
}

// sendAndReceive sends a few bytes there and back; tickets of TLS 1.3 come on the way.
func sendAndReceive(t testing.TB, conn *tlsConn) {
	t.Helper()
	answer := make([]byte, 5)
	if _, err := conn.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "hello" {
		t.Fatalf("%q, %v", answer, err)
	}
}

func rsaKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func parseProfile(t testing.TB, document string) *fingerprint.Profile {
	t.Helper()
	p, err := fingerprint.Parse([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func hex16(code uint16) string { return fmt.Sprintf("0x%04x", code) }

// writePair writes a certificate and its key as PEM files.
func writePair(t testing.TB, folder string, c tls.Certificate) (certFile, keyFile string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	writePEM(t, certFile, "CERTIFICATE", c.Certificate...)
	writePEM(t, keyFile, "PRIVATE KEY", der)
	return certFile, keyFile
}

func writePEM(t testing.TB, path, kind string, blocks ...[]byte) {
	t.Helper()
	var text []byte
	for _, block := range blocks {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: block})...)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// extensionOrder reads the extensions of a ClientHello in its first record.
func extensionOrder(t testing.TB, sent []byte) []uint16 {
	t.Helper()
	hello := cryptobyte.String(readRecord(bytes.NewReader(sent)))
	var ignored, extensions cryptobyte.String
	if !hello.Skip(4+2+32) || !hello.ReadUint8LengthPrefixed(&ignored) || !hello.ReadUint16LengthPrefixed(&ignored) ||
		!hello.ReadUint8LengthPrefixed(&ignored) || !hello.ReadUint16LengthPrefixed(&extensions) {
		t.Fatal("malformed ClientHello")
	}
	var order []uint16
	for !extensions.Empty() {
		var code uint16
		if !extensions.ReadUint16(&code) || !extensions.ReadUint16LengthPrefixed(&ignored) {
			t.Fatal("malformed extension")
		}
		order = append(order, code)
	}
	return order
}
