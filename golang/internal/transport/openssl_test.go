package transport

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/cycletls/cycletls/golang/internal/fingerprint"
)

// openSSL starts a server of another make, which answers every request with what
// it agreed on, and returns its port.
func openSSL(t *testing.T, root *authority, arguments ...string) uint16 {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl")
	}
	cert, key := writePair(t, t.TempDir(), root.issue(t, nil))
	server := exec.Command(path, append([]string{"s_server", "-accept", "127.0.0.1:0", "-www", "-cert", cert, "-key", key}, arguments...)...)
	output, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
	})
	for lines := bufio.NewScanner(output); lines.Scan(); {
		if address, ok := strings.CutPrefix(lines.Text(), "ACCEPT "); ok {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				t.Fatal(err)
			}
			number, err := strconv.ParseUint(port, 10, 16)
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				for lines.Scan() { // or the server blocks
				}
			}()
			return uint16(number)
		}
	}
	t.Fatal("openssl s_server did not start")
	return 0
}

// OpenSSL agrees with every profile in both versions and on every group, and
// resumes the second connection.
func TestOpenSSLAgreesAndResumes(t *testing.T) {
	root := newAuthority(t)
	for _, arguments := range [][]string{
		{"-tls1_3"}, {"-tls1_2"}, {"-tls1_3", "-groups", "P-256"}, {"-tls1_3", "-groups", "P-384"},
		{"-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"}, {"-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"},
	} {
		port := openSSL(t, root, arguments...)
		for _, name := range browsers {
			p := newTestPool(t, func(c *Config) { c.Profile, c.TLS = profile(t, name), root.trusting() })
			for i := range 3 {
				e, err := start(patient(), p, Origin{Scheme: "https", Host: "localhost", Port: port}, true)
				if err != nil {
					t.Fatalf("%v, %s, connection %d: %v", arguments, name, i, err)
				}
				if _, err := e.ReadHead(); err != nil {
					t.Fatalf("%v, %s, connection %d: %v", arguments, name, i, err)
				}
				page, err := io.ReadAll(e)
				if want := strings.ReplaceAll(arguments[0][len("-tls"):], "_", "."); err != nil || !strings.Contains(string(page), "Protocol  : TLSv"+want) {
					t.Fatalf("%v, %s, connection %d: %v in %s", arguments, name, i, err, page)
				}
				e.Close()
				if e.about.TLS.Resumed != (i > 0) {
					t.Errorf("%v, %s: connection %d resumed: %v", arguments, name, i, e.about.TLS.Resumed)
				}
			}
		}
	}
}

// Suites that do not encrypt, or not enough, may be offered, as fingerprints of
// old clients do; a server that has nothing else gets no request.
func TestWeakSuitesAreOfferedAndNeverAccepted(t *testing.T) {
	root := newAuthority(t)
	for _, suite := range []string{"ECDHE-ECDSA-NULL-SHA", "ADH-AES128-SHA", "AECDH-NULL-SHA"} {
		port := openSSL(t, root, "-tls1_2", "-cipher", suite+":@SECLEVEL=0")
		offered := fingerprint.JA3{
			Version: 0x0303, Ciphers: []fingerprint.Code{0xc006, 0xc015, 0xc010, 0x0034, 0x0003, 0x0005, 0xc02b},
			Extensions: []fingerprint.Code{0, 10, 11, 13}, Groups: []fingerprint.Code{29, 23}, Formats: []fingerprint.Code{0},
		}
		chosen, err := offered.Apply(profile(t, "plain"))
		if err != nil {
			t.Fatal(err)
		}
		p := newTestPool(t, func(c *Config) { c.Profile, c.TLS = chosen, root.trusting() })
		_, err = start(patient(), p, Origin{Scheme: "https", Host: "localhost", Port: port}, true)
		var refused *TLSError
		if !errors.As(err, &refused) || refused.Profile != chosen.Name {
			t.Errorf("%s: %v", suite, err)
		}
	}
}
