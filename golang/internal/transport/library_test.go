package transport

import (
	"crypto/tls"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cycletls/cycletls/golang/internal/fingerprint"
)

// library returns the names of all shipped profiles.
func library(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../../cycletls/browsers/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for i, file := range files {
		files[i] = strings.TrimSuffix(filepath.Base(file), ".json")
	}
	return files
}

func hasExtension(p *fingerprint.Profile, kind string) bool {
	return slices.ContainsFunc(p.TLS.Extensions, func(e fingerprint.Extension) bool { return e.Type == kind })
}

// Every profile completes its handshake with Go's server in TLS 1.3, where it
// agrees on the best key exchange that the browser offers, and in TLS 1.2; the
// second connection resumes where the browser is known to.
func TestLibraryShakesHandsWithGo(t *testing.T) {
	root := newAuthority(t)
	certificate := root.issue(t, nil)
	for _, name := range library(t) {
		p := profile(t, name)
		for version, resumes := range map[uint16]string{tls.VersionTLS13: "pre_shared_key", tls.VersionTLS12: "session_ticket"} {
			h := newHandshaker(p, root.trusting(), false)
			cfg := &tls.Config{Certificates: []tls.Certificate{certificate}, MaxVersion: version, NextProtos: []string{"h2", "http/1.1"}}
			for i := range 2 {
				conn, info, _, err := connect(t, h, cfg)
				if err != nil {
					t.Fatalf("%s, %#04x: %v", name, version, err)
				}
				sendAndReceive(t, conn)
				conn.Close()
				if info.Version != version || info.ALPN != favourite(p) || info.Resumed != (i == 1 && hasExtension(p, resumes)) {
					t.Errorf("%s, %#04x, connection %d: %+v", name, version, i, info)
				}
				if want := bestGroup(p); version == tls.VersionTLS13 && info.Group != want {
					t.Errorf("%s: group %#04x, want %#04x", name, info.Group, want)
				}
			}
		}
	}
}

// favourite is the protocol that the profile names first.
func favourite(p *fingerprint.Profile) string {
	for _, e := range p.TLS.Extensions {
		if e.Type == "alpn" {
			return e.Protocols[0]
		}
	}
	return ""
}

// bestGroup is what Go's server chooses among what the profile offers.
func bestGroup(p *fingerprint.Profile) uint16 {
	hybrid := fingerprint.Code(tls.X25519MLKEM768)
	for _, e := range p.TLS.Extensions {
		if slices.Contains(e.Groups, hybrid) {
			return uint16(hybrid)
		}
	}
	return uint16(tls.X25519)
}

// Every profile is served by OpenSSL on its first connection, in both versions.
func TestLibraryIsServedByOpenSSL(t *testing.T) {
	root := newAuthority(t)
	for _, version := range []string{"1.3", "1.2"} {
		port := openSSL(t, root, "-tls"+strings.ReplaceAll(version, ".", "_"))
		for _, name := range library(t) {
			p := newTestPool(t, func(c *Config) { c.Profile, c.TLS = profile(t, name), root.trusting() })
			e, err := start(patient(), p, Origin{Scheme: "https", Host: "localhost", Port: port}, true)
			if err != nil {
				t.Fatalf("%s, TLS %s: %v", name, version, err)
			}
			if _, err := e.ReadHead(); err != nil {
				t.Fatalf("%s, TLS %s: %v", name, version, err)
			}
			page, err := io.ReadAll(e)
			e.Close()
			if err != nil || !strings.Contains(string(page), "Protocol  : TLSv"+version) {
				t.Errorf("%s, TLS %s: %v in %s", name, version, err, page)
			}
		}
	}
}
