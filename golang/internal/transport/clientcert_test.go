package transport

import (
	"encoding/asn1"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Certificate and key are read from one file or two, and a key that OpenSSL
// encrypted, with its password.
func TestClientCertificateIsRead(t *testing.T) {
	folder := t.TempDir()
	cert, key := writePair(t, folder, newAuthority(t).issue(t, nil))
	one := filepath.Join(folder, "both.pem")
	concatenate(t, one, cert, key)
	for _, o := range []TLSOptions{{CertFile: cert, KeyFile: key}, {CertFile: one}} {
		if cfg, err := LoadTLS(o); err != nil || len(cfg.certificate) != 1 {
			t.Errorf("%+v: %v", o, err)
		}
	}
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl")
	}
	for _, options := range []string{"-v2 aes256", "-v2 aes128 -v2prf hmacWithSHA1", "-v2 aes192 -v2prf hmacWithSHA512 -iter 10000"} {
		encrypted := filepath.Join(folder, "encrypted.pem")
		arguments := append([]string{"pkcs8", "-topk8", "-in", key, "-out", encrypted, "-passout", "pass:sécret"}, strings.Fields(options)...)
		if out, err := exec.Command(openssl, arguments...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if _, err := LoadTLS(TLSOptions{CertFile: cert, KeyFile: encrypted, KeyPassword: "sécret"}); err != nil {
			t.Errorf("%s: %v", options, err)
		}
		for _, wrong := range []string{"", "secret"} {
			if _, err := LoadTLS(TLSOptions{CertFile: cert, KeyFile: encrypted, KeyPassword: wrong}); err == nil || !strings.Contains(err.Error(), "password") {
				t.Errorf("%s with password %q: %v", options, wrong, err)
			}
		}
	}
}

func concatenate(t *testing.T, path string, parts ...string) {
	t.Helper()
	var text []byte
	for _, part := range parts {
		content, err := os.ReadFile(part)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, content...)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A certificate without its key, or with another one's, is refused at once.
func TestUnusableClientCertificateIsRefused(t *testing.T) {
	root := newAuthority(t)
	cert, key := writePair(t, t.TempDir(), root.issue(t, nil))
	_, otherKey := writePair(t, t.TempDir(), root.issue(t, nil))
	missing := filepath.Join(t.TempDir(), "missing.pem")
	for _, o := range []TLSOptions{
		{CertFile: missing}, {CertFile: cert}, {CertFile: key, KeyFile: key}, {CertFile: cert, KeyFile: missing}, {CertFile: cert, KeyFile: otherKey},
	} {
		if _, err := LoadTLS(o); err == nil || !strings.Contains(err.Error(), "client certificate") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// FuzzDecryptPKCS8: no file makes it panic, and what it returns is DER.
func FuzzDecryptPKCS8(f *testing.F) {
	// An Ed25519 key in PBES2 with one iteration, made by OpenSSL.
	der, err := hex.DecodeString("30819a305606092a864886f70d01050d3049302806092a864886f70d01050c301b0408fa8db38cb5b5cea0020101300c06082a864886f70d02090500301d060960864801650304010204104f27bc2795b0761a8d7ff12a4480137f044024feee5168b0c4ce455044f9952c80ff04b4c6181eb881e3f18abe6ca09f3e98a544b87811cee565f1d8769ad5db80282d29e6c43c485fab93f26b6e3cbf988d")
	if err != nil {
		f.Fatal(err)
	}
	if _, err := decryptPKCS8(der, "secret"); err != nil {
		f.Fatal(err)
	}
	f.Add(der, "secret")
	f.Fuzz(func(t *testing.T, der []byte, password string) {
		clear, err := decryptPKCS8(der, password)
		var value asn1.RawValue
		if err == nil && !unmarshalAll(clear, &value) {
			t.Errorf("%x is no DER", clear)
		}
	})
}
