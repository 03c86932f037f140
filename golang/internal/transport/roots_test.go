package transport

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file of several certificates, a folder with other files among them and a
// folder of links are all roots to verify with.
func TestRootsAreReadFromFileAndFolder(t *testing.T) {
	root, other := newAuthority(t), newAuthority(t)
	folder := t.TempDir()
	bundle := filepath.Join(folder, "bundle.pem")
	writePEM(t, bundle, "CERTIFICATE", other.certificate.Raw, root.certificate.Raw)
	mixed := filepath.Join(folder, "mixed")
	if err := os.MkdirAll(filepath.Join(mixed, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	writePEM(t, filepath.Join(mixed, "a.pem"), "CERTIFICATE", root.certificate.Raw)
	writePEM(t, filepath.Join(mixed, "key.pem"), "PRIVATE KEY", []byte("not a certificate"))
	if err := os.WriteFile(filepath.Join(mixed, "README"), []byte("read me"), 0o600); err != nil {
		t.Fatal(err)
	}
	linked := filepath.Join(folder, "linked")
	if err := os.Mkdir(linked, 0o700); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"12345678.0": bundle, "dangling.0": "nowhere"} {
		if err := os.Symlink(target, filepath.Join(linked, link)); err != nil {
			t.Fatal(err)
		}
	}
	server := &tls.Config{Certificates: []tls.Certificate{root.issue(t, nil)}}
	for _, path := range []string{bundle, mixed, linked} {
		cfg, err := LoadTLS(TLSOptions{CAFile: path})
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if _, _, _, err := connect(t, newHandshaker(profile(t, "plain"), cfg, false), server); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// A bundle is parsed once, and anew when the file has changed.
func TestRootsAreReadOncePerFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ca.pem")
	first, second := newAuthority(t), newAuthority(t)
	read := func() TLSConfig {
		cfg, err := LoadTLS(TLSOptions{CAFile: path})
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	writePEM(t, path, "CERTIFICATE", first.certificate.Raw)
	before := read()
	if read().roots != before.roots {
		t.Error("read twice")
	}
	writePEM(t, path, "CERTIFICATE", second.certificate.Raw, first.certificate.Raw)
	after := read()
	if after.roots == before.roots || after.roots.Equal(before.roots) {
		t.Error("the change was not seen")
	}
	for range 2 * maxBundles {
		other := filepath.Join(t.TempDir(), "ca.pem")
		writePEM(t, other, "CERTIFICATE", first.certificate.Raw)
		if _, err := LoadTLS(TLSOptions{CAFile: other}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(recentRoots.bundles); n > maxBundles {
		t.Errorf("%d bundles remembered", n)
	}
}

// What cannot serve as roots is refused with the path, before any connection.
func TestUnusableRootsAreRefused(t *testing.T) {
	folder := t.TempDir()
	empty := filepath.Join(folder, "empty.pem")
	broken := filepath.Join(folder, "broken.pem")
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	writePEM(t, broken, "CERTIFICATE", []byte("not DER"))
	for _, path := range []string{filepath.Join(folder, "missing.pem"), empty, broken, t.TempDir()} {
		if _, err := LoadTLS(TLSOptions{CAFile: path}); err == nil || !strings.HasPrefix(err.Error(), "verify: ") || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
