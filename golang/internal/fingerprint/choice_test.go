package fingerprint

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// everyProfile returns the documents of all shipped profiles, common browsers'
// first as Python gives them.
func everyProfile(t testing.TB) []string {
	t.Helper()
	documents := []string{string(document(t, "chrome-156-linux")), string(document(t, "safari-26.0-macos"))}
	files, err := filepath.Glob(filepath.Join(profiles, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		documents = append(documents, string(document(t, strings.TrimSuffix(filepath.Base(file), ".json"))))
	}
	return documents
}

const (
	someJA3   = "771,4865-4866-4867-49195-49199,0-23-65281-10-11-35-16-5-13-51-45-43,29-23-24,0"
	chromeJA4 = "t13d1517h2_8daaf6152771_cb7bf5808d99"
	chromeH2  = "1:65536;2:0;4:6291456;6:262144|15663105|0|m,a,s,p"
)

// Without a notation, a profile is what it is; notations go over it, one over
// another.
func TestChoiceIsResolved(t *testing.T) {
	plain := string(document(t, "plain"))
	same, err := (&Choice{Profile: plain}).Resolve()
	if err != nil || same != load(t, "plain") {
		t.Errorf("%v, %v", same, err)
	}
	both, err := (&Choice{Profile: plain, JA4R: knownJA4["Firefox 153"], HTTP2: chromeH2}).Resolve()
	if err != nil || both.JA4().String() != knownJA4["Firefox 153"] || both.Akamai().String() != chromeH2 || both.UserAgent() != "cycletls" {
		t.Errorf("%v", err)
	}
	first, err := (&Choice{Bases: everyProfile(t)}).Resolve()
	if err != nil || first != load(t, "chrome-156-linux") {
		t.Errorf("%v, %v", first, err)
	}
}

// A hash is that of a profile, or refused: nothing can be made of it.
func TestJA4HashIsLookedUp(t *testing.T) {
	firefox := load(t, "firefox-153-linux")
	for _, hash := range []string{firefox.JA4().Hash(), firefox.ClientHello().JA4(true).Hash()} {
		p, err := (&Choice{Bases: everyProfile(t), JA4R: hash}).Resolve()
		if err != nil || p.JA4().Hash() != firefox.JA4().Hash() {
			t.Errorf("%s: %v", hash, err)
		}
	}
	if p, err := (&Choice{Bases: everyProfile(t), JA4R: chromeJA4}).Resolve(); err != nil || p != load(t, "chrome-156-linux") {
		t.Errorf("of several, the first: %v", err)
	}
	for _, refused := range []Choice{
		{Bases: everyProfile(t), JA4R: "t13d1517h2_8daaf6152771_000000000000"},
		{Profile: string(document(t, "plain")), JA4R: chromeJA4},
	} {
		if _, err := refused.Resolve(); err == nil || !strings.Contains(err.Error(), refused.JA4R+" is a hash that none of") {
			t.Error(err)
		}
	}
}

// What cannot be had together is refused, and both sides are named.
func TestContradictionsNameBothSides(t *testing.T) {
	chrome := string(document(t, "chrome-156-linux"))
	for _, c := range []struct {
		choice      Choice
		first, then string
	}{
		{Choice{Profile: chrome, JA3: someJA3, JA4R: foxIO[0].ja4r}, "ja3", "ja4r"},
		{Choice{Profile: chrome, HTTP2: chromeH2, ForceHTTP1: true}, "http2_fingerprint", "force_http1"},
		{Choice{Profile: chrome, JA4R: foxIO[0].ja4r, ForceHTTP1: true}, "ja4r", "force_http1"},
		{Choice{Profile: chrome, JA4R: knownJA4["TLS 1.2"], HTTP2: chromeH2}, "http2_fingerprint", "JA4"},
		{Choice{Profile: chrome, JA3: "771,4865,0-10-43-51,29,", HTTP2: chromeH2}, "http2_fingerprint", "JA3"},
		{Choice{Profile: chrome, JA3: knownJA3["TLS 1.2 only"], MinVersion: uint16(versionTLS13)}, "JA3", "min_tls"},
		{Choice{Profile: chrome, JA4R: strings.Replace(foxIO[0].ja4r, "1517", "1617", 1)}, "start says 16", "the list has 15"},
	} {
		_, err := c.choice.Resolve()
		if err == nil || !strings.Contains(err.Error(), c.first) || !strings.Contains(err.Error(), c.then) {
			t.Errorf("%v does not name %s and %s", err, c.first, c.then)
		}
	}
	if _, err := (&Choice{}).Resolve(); err == nil {
		t.Error("no profile at all")
	}
	if _, err := (&Choice{Profile: "{"}).Resolve(); err == nil {
		t.Error("half a profile")
	}
}

// GREASE is taken out of every list, and nothing else is.
func TestGREASECanBeLeftOut(t *testing.T) {
	chrome := string(document(t, "chrome-156-linux"))
	before, err := Parse([]byte(chrome))
	if err != nil {
		t.Fatal(err)
	}
	p, err := (&Choice{Profile: chrome, DisableGREASE: true}).Resolve()
	if err != nil {
		t.Fatal(err)
	}
	sent, err := ParseHello(sentMessage(t, p, HelloOptions{ServerName: "example.org"}))
	if err != nil {
		t.Fatal(err)
	}
	if got := sent.ClientHello().PeetPrint(); strings.Contains(got, "GREASE") {
		t.Error(got)
	}
	if sent.ClientHello().JA4(false).Hash() != before.JA4().Hash() || !strings.Contains(before.ClientHello().PeetPrint(), "GREASE") {
		t.Error("something else has changed")
	}
}

// A notation finds the browser that it was read from, or one that it says the
// same of.
func TestClosestIsTheBrowserItself(t *testing.T) {
	var all []*Profile
	for _, text := range everyProfile(t) {
		p, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p.fixed())
	}
	for _, p := range all {
		ja3 := p.JA3()
		if found := Closest(all, ja3).JA3(); found.likeness(p.ClientHello()) != ja3.likeness(p.ClientHello()) {
			t.Errorf("%v of %s finds %v", ja3, p.Name, found)
		}
		for _, original := range []bool{true, false} {
			ja4 := p.ClientHello().JA4(original)
			if found := Closest(all, ja4).ClientHello().JA4(original); found.likeness(p.ClientHello()) != ja4.likeness(p.ClientHello()) {
				t.Errorf("%v of %s finds %v", ja4, p.Name, found)
			}
		}
	}
	if Closest(nil, JA3{}) != nil {
		t.Error("a profile out of nothing")
	}
}

// The strings of testdata/notations.json find their own kind.
func TestClosestIsOfTheSameKind(t *testing.T) {
	document, err := os.ReadFile("testdata/notations.json")
	if err != nil {
		t.Fatal(err)
	}
	var given struct {
		JA3, JA4R []struct{ Client, Text string }
	}
	if err := json.Unmarshal(document, &given); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{"JDK": "java-", "OpenSSL": "curl-", "Chromium": "chrom"}
	for _, notation := range append(given.JA3, given.JA4R...) {
		choice := Choice{Bases: everyProfile(t), JA3: notation.Text}
		if strings.HasPrefix(notation.Text, "t") {
			choice.JA3, choice.JA4R = "", notation.Text
		}
		p, err := choice.Resolve()
		if err != nil {
			t.Fatalf("%s: %v", notation.Client, err)
		}
		name, _, _ := strings.Cut(notation.Client, " ")
		if kind := cmp.Or(kinds[name], strings.ToLower(name)); !strings.HasPrefix(p.Name, kind) {
			t.Errorf("%s finds %s", notation.Client, p.Name)
		}
	}
}
