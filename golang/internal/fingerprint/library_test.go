package fingerprint

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	utls "github.com/refraction-networking/utls"
)

// known is what an observer calls a browser: the strings of its captures, read
// from testdata/library.json, not from the profiles.
type known struct {
	JA3       string `json:"ja3"` // its hash, where the order of extensions is fixed
	JA4       string `json:"ja4"`
	JA4R      string `json:"ja4_r"`
	PaddedJA4 string `json:"padded_ja4"` // of the hellos whose ECH payload is short enough to be padded
	Akamai    string `json:"akamai"`
}

func library(t *testing.T) map[string]known {
	t.Helper()
	document, err := os.ReadFile("testdata/library.json")
	if err != nil {
		t.Fatal(err)
	}
	var browsers map[string]known
	if err := json.Unmarshal(document, &browsers); err != nil {
		t.Fatal(err)
	}
	return browsers
}

// Every shipped profile but the plain one is compared with what is known of its
// browser, and there are none without a profile.
func TestLibraryIsComplete(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(profiles, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	browsers := library(t)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if _, ok := browsers[name]; !ok && name != "plain" {
			t.Errorf("nothing is known of %s", name)
		}
		delete(browsers, name)
	}
	for name := range browsers {
		t.Errorf("%s has no profile", name)
	}
}

// A profile reads as its browser was read: same JA3 where the order is fixed,
// same JA4 and JA4_r, same Akamai string.
func TestLibraryReadsAsItsBrowsers(t *testing.T) {
	for name, want := range library(t) {
		p := load(t, name)
		if got := p.JA3().Hash(); want.JA3 != "" && (got != want.JA3 || p.TLS.ExtensionOrder != orderFixed) {
			t.Errorf("%s: JA3 %s, %s, want %s", name, got, p.TLS.ExtensionOrder, want.JA3)
		}
		if got := p.JA4(); got.Hash() != want.JA4 || got.String() != want.JA4R {
			t.Errorf("%s: JA4 %s, %s, want %s, %s", name, got.Hash(), got, want.JA4, want.JA4R)
		}
		if got := p.Akamai().String(); got != want.Akamai {
			t.Errorf("%s: %s, want %s", name, got, want.Akamai)
		}
	}
}

// The ClientHello that leaves has the JA4 of its browser, in every draw: where
// the draw decides about padding, both forms occur and nothing else.
func TestLibrarySendsTheHelloOfItsBrowsers(t *testing.T) {
	for name, want := range library(t) {
		p, draws := load(t, name), 2
		if want.PaddedJA4 != "" {
			draws = 64 // none padded has a chance of 10^-8
		}
		seen := make(map[string]bool)
		for range draws {
			raw := emit(t, p)
			hello, err := ParseHello(raw)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if padding := hello.Extension(idPadding); padding != nil && len(raw) != 512 {
				t.Errorf("%s: padded to %d bytes", name, len(raw))
			}
			seen[hello.ClientHello().JA4(false).Hash()] = true
		}
		if !seen[want.JA4] || want.PaddedJA4 != "" && !seen[want.PaddedJA4] {
			t.Errorf("%s: %v were sent, want %s %s", name, seen, want.JA4, want.PaddedJA4)
		}
		delete(seen, want.JA4)
		delete(seen, want.PaddedJA4)
		if len(seen) > 0 {
			t.Errorf("%s: %v were sent, too", name, seen)
		}
	}
}

// emit makes the bytes of a ClientHello.
func emit(t *testing.T, p *Profile) []byte {
	t.Helper()
	spec, err := p.Hello(HelloOptions{ServerName: "example.org"})
	if err != nil {
		t.Fatal(err)
	}
	conn := utls.UClient(nil, &utls.Config{ServerName: "example.org", OmitEmptyPsk: true}, utls.HelloCustom)
	if err := conn.ApplyPreset(spec); err != nil {
		t.Fatal(err)
	}
	if err := conn.BuildHandshakeState(); err != nil {
		t.Fatal(err)
	}
	return conn.HandshakeState.Hello.Raw
}

// What is filled in from elsewhere is said, and a browser presents itself as its
// name says.
func TestLibrarySaysWhereItIsFrom(t *testing.T) {
	for name := range library(t) {
		p := load(t, name)
		browser, rest, _ := strings.Cut(name, "-")
		version, system, _ := strings.Cut(rest, "-")
		if p.Name != name || p.Source.OS != system || !strings.HasPrefix(p.Source.Version, version) || len(p.Source.Notes) == 0 {
			t.Errorf("%s: %+v", name, p.Source)
		}
		agent := p.UserAgent()
		for _, token := range tokens[browser] {
			if !strings.Contains(agent, token) {
				t.Errorf("%s: user agent %q", name, agent)
			}
		}
		if major, _, _ := strings.Cut(version, "."); !strings.Contains(agent, "/"+major) && browser != "tor" && browser != "go" { // Go tells HTTP's version
			t.Errorf("%s: user agent %q", name, agent)
		}
	}
}

// tokens are what a browser calls itself, in part.
var tokens = map[string][]string{
	"chrome": {"Mozilla/5.0"}, "chromium": {"Chrome/"}, "edge": {"Chrome/", "Edg/"}, "brave": {"Chrome/"}, "opera": {"OPR/"},
	"firefox": {"Gecko/20100101", "Firefox/"}, "tor": {"Firefox/"}, "safari": {"Version/", "Safari/"}, "okhttp": {"okhttp/"},
	"go": {"Go-http-client/"}, "curl": {"curl/"}, "requests": {"python-requests/"}, "java": {"Java-http-client/"},
}

// Every profile can be written and read again without a change.
func TestLibrarySurvivesARoundTrip(t *testing.T) {
	for name := range library(t) {
		p := load(t, name)
		again, err := Parse(p.Document())
		if err != nil || !bytes.Equal(again.Document(), p.Document()) {
			t.Errorf("%s changes when it is written and read again: %v", name, err)
		}
	}
}

// A table of weights belongs to who tells the urgency of a navigation: without
// a priority field its stream would have the weight of urgency 3.
func TestLibraryWeighsWhereTheUrgencyIsTold(t *testing.T) {
	for name := range library(t) {
		p := load(t, name)
		told := slices.ContainsFunc(p.Headers[Navigate], func(row HeaderRow) bool { return row.Name == "priority" })
		if p.HTTP2.UrgencyWeights != nil && !told {
			t.Errorf("%s has weights, but no priority field", name)
		}
	}
}
