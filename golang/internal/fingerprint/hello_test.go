package fingerprint

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	utls "github.com/refraction-networking/utls"
	"golang.org/x/crypto/cryptobyte"
)

// fact is what a browser was seen to send; testdata/facts.json is read by the
// Python tests, too.
type fact struct {
	Profile, JA3, JA4, JA4R, Akamai, UserAgent string
	JA3Fixed                                   bool
}

func facts(t *testing.T) []fact {
	t.Helper()
	document, err := os.ReadFile("testdata/facts.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []fact
	if err := json.Unmarshal(document, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// hello is a ClientHello as an observer reads it, parsed apart from the code
// under test.
type hello struct {
	version    uint16
	sessionID  []byte
	ciphers    []uint16
	order      []uint16
	extensions map[uint16]cryptobyte.String
}

// send makes the bytes of a ClientHello, as they go to the wire, and parses
// them.
func send(t testing.TB, p *Profile, o HelloOptions) hello {
	t.Helper()
	return parseHello(t, sentMessage(t, p, o))
}

func sentMessage(t testing.TB, p *Profile, o HelloOptions) []byte {
	t.Helper()
	spec, err := p.Hello(o)
	if err != nil {
		t.Fatal(err)
	}
	conn := utls.UClient(nil, &utls.Config{ServerName: o.ServerName, OmitEmptyPsk: true}, utls.HelloCustom)
	if err := conn.ApplyPreset(spec); err != nil {
		t.Fatal(err)
	}
	if err := conn.BuildHandshakeState(); err != nil {
		t.Fatal(err)
	}
	return conn.HandshakeState.Hello.Raw
}

func parseHello(t testing.TB, raw []byte) hello {
	t.Helper()
	h := hello{extensions: make(map[uint16]cryptobyte.String)}
	s := cryptobyte.String(raw)
	var body, id, ciphers, methods, extensions cryptobyte.String
	var kind uint8
	ok := s.ReadUint8(&kind) && s.ReadUint24LengthPrefixed(&body) && s.Empty() && kind == 1 &&
		body.ReadUint16(&h.version) && body.Skip(32) && body.ReadUint8LengthPrefixed(&id) &&
		body.ReadUint16LengthPrefixed(&ciphers) && body.ReadUint8LengthPrefixed(&methods) &&
		(body.Empty() || body.ReadUint16LengthPrefixed(&extensions)) && body.Empty()
	if !ok {
		t.Fatalf("not a ClientHello: %x", raw)
	}
	h.sessionID, h.ciphers = id, uint16s(t, ciphers)
	for !extensions.Empty() {
		var code uint16
		var content cryptobyte.String
		if !extensions.ReadUint16(&code) || !extensions.ReadUint16LengthPrefixed(&content) {
			t.Fatal("malformed extension")
		}
		h.order = append(h.order, code)
		h.extensions[code] = content
	}
	return h
}

func uint16s(t testing.TB, s cryptobyte.String) []uint16 {
	t.Helper()
	var list []uint16
	for !s.Empty() {
		var item uint16
		if !s.ReadUint16(&item) {
			t.Fatal("odd length")
		}
		list = append(list, item)
	}
	return list
}

// list reads an extension that is one list of 16-bit values.
func (h hello) list(t testing.TB, code uint16) []uint16 {
	t.Helper()
	content := h.extensions[code]
	var items cryptobyte.String
	if !content.ReadUint16LengthPrefixed(&items) || !content.Empty() {
		t.Fatalf("extension %d is not a list: %x", code, h.extensions[code])
	}
	return uint16s(t, items)
}

// shares reads the key shares by group, and the groups in order.
func (h hello) shares(t testing.TB) (map[uint16][]byte, []uint16) {
	t.Helper()
	content := h.extensions[51]
	var items cryptobyte.String
	if !content.ReadUint16LengthPrefixed(&items) {
		t.Fatal("malformed key_share")
	}
	keys, order := make(map[uint16][]byte), []uint16{}
	for !items.Empty() {
		var group uint16
		var key cryptobyte.String
		if !items.ReadUint16(&group) || !items.ReadUint16LengthPrefixed(&key) {
			t.Fatal("malformed key_share")
		}
		keys[group], order = key, append(order, group)
	}
	return keys, order
}

func isGREASE(value uint16) bool { return Code(value).isGREASE() }

func dropGREASE(list []uint16) []Code {
	kept := []Code{}
	for _, value := range list {
		if !isGREASE(value) {
			kept = append(kept, Code(value))
		}
	}
	return kept
}

// ja3 computes the notation from what is on the wire.
func (h hello) ja3(t testing.TB) JA3 {
	t.Helper()
	j := JA3{Version: Code(h.version), Ciphers: dropGREASE(h.ciphers), Extensions: dropGREASE(h.order)}
	if h.extensions[10] != nil {
		j.Groups = dropGREASE(h.list(t, 10))
	}
	for _, format := range h.extensions[11][min(1, len(h.extensions[11])):] {
		j.Formats = append(j.Formats, Code(format))
	}
	return j
}

// What goes to the wire has the fingerprint of the browser, and so says the
// profile about itself.
func TestHelloHasTheBrowsersFingerprint(t *testing.T) {
	for _, fact := range facts(t) {
		p := load(t, fact.Profile)
		sent := send(t, p, HelloOptions{ServerName: "example.org"})
		ja3 := sent.ja3(t)
		if !fact.JA3Fixed { // compare as sets
			slices.Sort(ja3.Extensions)
		}
		want, err := ParseJA3(fact.JA3)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.JA3().String(); got != fact.JA3 {
			t.Errorf("%s: JA3 is %s", fact.Profile, got)
		}
		if !fact.JA3Fixed {
			slices.Sort(want.Extensions)
		}
		if ja3.String() != want.String() {
			t.Errorf("%s: sent JA3 %s, want %s", fact.Profile, ja3, want)
		}
		if fact.JA4 != "" && (p.JA4().Hash() != fact.JA4 || p.JA4().String() != fact.JA4R) {
			t.Errorf("%s: JA4 is %s, %s", fact.Profile, p.JA4().Hash(), p.JA4())
		}
		if p.Akamai().String() != fact.Akamai || p.UserAgent() != fact.UserAgent {
			t.Errorf("%s: %s, %s", fact.Profile, p.Akamai(), p.UserAgent())
		}
	}
}

// The lists that no notation holds reach the wire as the document has them.
func TestHelloCarriesTheContentOfExtensions(t *testing.T) {
	sent := send(t, load(t, "firefox-153-linux"), HelloOptions{ServerName: "example.org"})
	if got := sent.list(t, 13); !slices.Equal(got, []uint16{0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0203, 0x0201}) {
		t.Errorf("signature_algorithms: %04x", got)
	}
	if got := string(sent.extensions[16]); got != "\x00\x0c\x02h2\x08http/1.1" {
		t.Errorf("alpn: %q", got)
	}
	if got := string(sent.extensions[0]); got != "\x00\x0e\x00\x00\x0bexample.org" {
		t.Errorf("server_name: %q", got)
	}
	if got := string(sent.extensions[28]); got != "\x40\x01" {
		t.Errorf("record_size_limit: %q", got)
	}
	chrome := send(t, load(t, "chrome-156-linux"), HelloOptions{ServerName: "example.org"})
	if got := string(chrome.extensions[17613]); got != "\x00\x03\x02h2" {
		t.Errorf("application_settings: %q", got)
	}
	if got := chrome.extensions[0xca34]; len(got) != 2+8*6+9*9+11*5 || string(got[2:8]) != "\x05\x82\xdf\x13\x02\x01" {
		t.Errorf("trust_anchors: %x", got)
	}
	if len(chrome.sessionID) != 32 {
		t.Errorf("session id of %d bytes", len(chrome.sessionID))
	}
}

// Firefox sends the X25519 half of the hybrid share once more, Chromium a key of
// its own.
func TestHybridShareIsReusedOnlyWhereTheBrowserDoes(t *testing.T) {
	for name, reuses := range map[string]bool{"firefox-153-linux": true, "chrome-156-linux": false} {
		keys, order := send(t, load(t, name), HelloOptions{ServerName: "example.org"}).shares(t)
		hybrid := keys[0x11ec]
		if len(hybrid) != 1216 || len(keys[0x1d]) != 32 {
			t.Fatalf("%s: shares of %d and %d bytes", name, len(hybrid), len(keys[0x1d]))
		}
		if got := string(hybrid[1184:]) == string(keys[0x1d]); got != reuses {
			t.Errorf("%s: X25519 share repeats the hybrid's: %v", name, got)
		}
		if len(order) != 3 { // the third is Chromium's GREASE, Firefox's P-256
			t.Errorf("%s: shares of %04x", name, order)
		}
	}
}

// GREASE stands where Chromium puts it, is drawn for each connection, and the
// two extensions never have the same value.
func TestGREASEIsFreshAndInItsPlace(t *testing.T) {
	p := load(t, "chrome-156-linux")
	values := make(map[[2]uint16]bool)
	for range 64 {
		sent := send(t, p, HelloOptions{ServerName: "example.org"})
		algorithms := sent.list(t, 13)
		first, last := sent.order[0], sent.order[len(sent.order)-1]
		if !isGREASE(sent.ciphers[0]) || !isGREASE(algorithms[0]) || !isGREASE(first) || !isGREASE(last) || first == last {
			t.Fatalf("GREASE: cipher %04x, algorithm %04x, extensions %04x and %04x", sent.ciphers[0], algorithms[0], first, last)
		}
		if string(sent.extensions[last]) != "\x00" || len(sent.extensions[first]) != 0 {
			t.Fatalf("bodies of GREASE: %x, %x", sent.extensions[first], sent.extensions[last])
		}
		values[[2]uint16{sent.ciphers[0], algorithms[0]}] = true
	}
	if len(values) < 32 { // 64 draws out of 256 pairs; fewer than 32 has a chance below 10^-12
		t.Errorf("only %d pairs of values in 64 hellos", len(values))
	}
}

// Every extension is equally likely in every place: a biased shuffle would tell
// us apart over many connections.
func TestShuffleIsUnbiased(t *testing.T) {
	p := load(t, "chrome-156-linux")
	const draws = 8000
	n := len(p.TLS.Extensions)
	movable := n - 3 // two GREASE, pre_shared_key
	counts := make([][]int, n)
	for i := range counts {
		counts[i] = make([]int, n)
	}
	for range draws {
		for place, extension := range p.TLS.order() {
			counts[place][extension]++
		}
	}
	if counts[0][0] != draws || counts[n-1][n-1] != draws || counts[n-2][n-2] != draws {
		t.Error("GREASE or pre_shared_key left its place")
	}
	expected, chi := float64(draws)/float64(movable), 0.0
	for place := 1; place <= movable; place++ {
		for extension := 1; extension <= movable; extension++ {
			d := float64(counts[place][extension]) - expected
			chi += d * d / expected
		}
	}
	// 256 degrees of freedom: mean 256, standard deviation 23.
	if chi > 256+8*23 {
		t.Errorf("chi square %.0f where 256 is expected", chi)
	}
}

// The payload of ECH GREASE is as long as the browser's.
func TestECHGreaseHasTheBrowsersLength(t *testing.T) {
	payload := func(p *Profile, o HelloOptions) int {
		content := send(t, p, o).extensions[0xfe0d]
		var enc, payload cryptobyte.String
		if !content.Skip(6) || !content.ReadUint16LengthPrefixed(&enc) || !content.ReadUint16LengthPrefixed(&payload) || len(enc) != 32 {
			t.Fatal("malformed encrypted_client_hello")
		}
		return len(payload)
	}
	seen := make(map[int]bool)
	for range 128 {
		seen[payload(load(t, "chrome-156-linux"), HelloOptions{ServerName: "example.org"})] = true
	}
	if len(seen) != 4 || !seen[144] || !seen[176] || !seen[208] || !seen[240] {
		t.Errorf("Chrome's lengths: %v", seen)
	}
	firefox := load(t, "firefox-153-linux")
	for _, c := range []struct {
		name string
		psk  int
		want int
	}{{"localhost", 0, 239}, {strings.Repeat("a", 63) + "." + strings.Repeat("b", 50), 0, 271}, {"localhost", 200, 463}} {
		if got := payload(firefox, HelloOptions{ServerName: c.name, PSKLength: c.psk}); got != c.want {
			t.Errorf("Firefox, name of %d bytes, session of %d: %d, want %d", len(c.name), c.psk, got, c.want)
		}
	}
}

// With only HTTP/1.1 allowed, the hello offers nothing that could lead to
// HTTP/2.
func TestOnlyAllowedProtocolsAreOffered(t *testing.T) {
	sent := send(t, load(t, "chrome-156-linux"), HelloOptions{ServerName: "example.org", Protocols: []string{"http/1.1"}})
	if got := string(sent.extensions[16]); got != "\x00\x09\x08http/1.1" {
		t.Errorf("alpn: %q", got)
	}
	if sent.extensions[17613] != nil {
		t.Error("application_settings for a protocol that is not offered")
	}
}

// An address has no server_name (RFC 6066 section 3).
func TestAddressIsNoServerName(t *testing.T) {
	for _, address := range []string{"127.0.0.1", "::1"} {
		if sent := send(t, load(t, "chrome-156-linux"), HelloOptions{ServerName: address}); sent.extensions[0] != nil {
			t.Errorf("%s: server_name %q", address, sent.extensions[0])
		}
	}
}

// Firefox leaves session_ticket out when it offers a TLS 1.3 session.
func TestSessionTicketGivesWayToASession(t *testing.T) {
	firefox := load(t, "firefox-153-linux")
	if sent := send(t, firefox, HelloOptions{ServerName: "example.org", PSKLength: 200}); slices.Contains(sent.order, 35) {
		t.Error("Firefox sends session_ticket beside a session")
	}
	if sent := send(t, load(t, "chrome-156-linux"), HelloOptions{ServerName: "example.org", PSKLength: 200}); !slices.Contains(sent.order, 35) {
		t.Error("Chrome leaves session_ticket out")
	}
}

// A minimum above what the profile speaks is an error, below it changes nothing
// that can be seen.
func TestMinimumVersionDoesNotShow(t *testing.T) {
	p := load(t, "firefox-153-linux")
	spec, err := p.Hello(HelloOptions{ServerName: "example.org", MinVersion: utls.VersionTLS13})
	if err != nil || spec.TLSVersMin != utls.VersionTLS13 {
		t.Fatalf("%v, %v", spec, err)
	}
	sent := send(t, p, HelloOptions{ServerName: "example.org", MinVersion: utls.VersionTLS13})
	if got := string(sent.extensions[43]); got != "\x04\x03\x04\x03\x03" {
		t.Errorf("supported_versions: %x", got)
	}
	old := *p
	old.TLS.MaxVersion = versionTLS12
	if _, err := old.Hello(HelloOptions{MinVersion: utls.VersionTLS13}); err == nil {
		t.Error("TLS 1.3 from a profile that ends at 1.2")
	}
}

// BenchmarkHello is what a new connection costs beside the making of keys.
func BenchmarkHello(b *testing.B) {
	p := load(b, "chrome-156-linux")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Hello(HelloOptions{ServerName: "example.org"}); err != nil {
			b.Fatal(err)
		}
	}
}
