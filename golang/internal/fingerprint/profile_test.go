package fingerprint

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const profiles = "../../../cycletls/browsers"

var shipped = []string{"chrome-156-linux", "firefox-153-linux", "plain"}

func document(t testing.TB, name string) []byte {
	t.Helper()
	document, err := os.ReadFile(filepath.Join(profiles, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// load parses one of the shipped profiles.
func load(t testing.TB, name string) *Profile {
	t.Helper()
	p, err := Parse(document(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The shipped profiles can be read, and can be written and read again.
func TestShippedProfilesSurviveARoundTrip(t *testing.T) {
	for _, name := range shipped {
		p := load(t, name)
		again, err := Parse(p.Document())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(again.Document(), p.Document()) {
			t.Errorf("%s changes when it is written and read again", name)
		}
		if p.Name != name {
			t.Errorf("%s calls itself %s", name, p.Name)
		}
	}
}

// The same document is parsed once.
func TestParseRemembers(t *testing.T) {
	if first, second := load(t, "plain"), load(t, "plain"); first != second {
		t.Error("parsed twice")
	}
	for i := range 3 * cacheSize {
		other := bytes.Replace(document(t, "plain"), []byte(`"plain"`), []byte(`"plain`+strings.Repeat("x", i)+`"`), 1)
		if _, err := Parse(other); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(parsed.profiles); n > cacheSize {
		t.Errorf("%d profiles remembered", n)
	}
}

// What is wrong with a document is said with the path to it.
func TestParseNamesThePath(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{`"min_version"`, `"minimum"`, "tls.minimum: unknown field"},
		{`"min_version": "0x0303"`, `"min_version": "0x0301"`, "tls.min_version, tls.max_version"},
		{`"min_version": "0x0303"`, `"min_version": null`, "tls.min_version: null"},
		{`"P-384"`, `"P-383"`, `tls.extensions[3].groups[3]: "P-383" is no code point`},
		{`["0x1301", `, `[1.5, `, "tls.ciphers[0]"},
		{`["0x1301", `, `["0x11301", `, "tls.ciphers[0]"},
		{`"renegotiation_info"`, `"renegotiation"`, `tls.extensions[2]: type: "renegotiation" is not known`},
		{`{"type": "server_name"}`, `{"type": "server_name", "limit": 1}`, "tls.extensions[0]: limit: does not belong to server_name"},
		{`{"type": "alpn", "protocols": ["h2", "http/1.1"]}`, `{"type": "alpn"}`, "tls.extensions[6]: protocols: missing"},
		{`{"type": "server_name"},`, `{"type": "server_name"}, {"type": "server_name"},`, "tls.extensions[1]: server_name is there too often"},
		{`{"type": "server_name"},`, `{"type": "pre_shared_key"},`, "pre_shared_key is the last one"},
		{`"shares": ["X25519MLKEM768",`, `"shares": ["P-521",`, "0x0019 is not among supported_groups"},
		{`"reuse_from": "X25519MLKEM768"`, `"reuse_from": "P-256"`, "can reuse its key"},
		{`"reuse_from": "X25519MLKEM768"`, `"reuse": "X25519MLKEM768"`, "tls.extensions[8].shares[1]: reuse: unknown field"},
		{`"extension_order": "fixed"`, `"extension_order": "random"`, "tls.extension_order"},
		{`"compression_methods": [0]`, `"compression_methods": [1, 0]`, "tls.compression_methods"},
		{`"session_id_length": 32`, `"session_id_length": "32"`, "tls.session_id_length: a string where a int belongs"},
		{`"settings": [[2, 0]`, `"settings": [[65536, 0]`, "http2.settings[0]"},
		{`"settings": [[2, 0]`, `"settings": [[2, 0, 1]`, "http2.settings[0]: 3 items where 2 belong"},
		{`"pseudo_order": "masp"`, `"pseudo_order": "maps."`, "http2.pseudo_order"},
		{`"first_stream_id": 1`, `"first_stream_id": 2`, "http2.first_stream_id"},
		{`"hpack": "plain"`, `"hpack": "best"`, "http2.hpack"},
		{`"window_update": 15663105`, `"window_update": 2147483647`, "http2.window_update"},
		{`"hpack": "plain"`, `"hpack": "plain", "upload": {"first": 1, "turn": 0, "buffer": 1}`, "http2.upload"},
		{`"extension_order"`, `"websocket": {"protocols": ["h2"]}, "extension_order"`, "tls.websocket.protocols"},
		{`"extension_order"`, `"websocket": {"protocols": ["http/1.1"], "without": ["x"]}, "extension_order"`, `tls.websocket.without[0]: "x"`},
		{`"navigate": [`, `"navigate-twice": ["*"], "navigate": [`, "headers.navigate-twice: no such kind"},
		{`"*",`, ``, `no place "*"`},
		{`["user-agent", "cycletls"]`, `["user-agent", "a\r\nb: c"]`, "control character in the value of user-agent"},
		{`["user-agent", "cycletls"]`, `["user agent", "cycletls"]`, `"user agent" is no field name`},
		{`["user-agent", "cycletls"]`, `["user-agent"]`, "headers.navigate[2]: neither"},
		{`["user-agent", "cycletls"]`, `["accept", "cycletls"]`, "accept is there twice"},
		{`"name": "plain"`, `"name": ""`, "name: missing"},
	} {
		changed := strings.Replace(string(document(t, "plain")), c.old, c.new, 1)
		if _, err := Parse([]byte(changed)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s for %s: %v, want %s", c.new, c.old, err, c.want)
		}
	}
}

// Anything else than one JSON document is refused.
func TestParseWantsOneDocument(t *testing.T) {
	for _, text := range []string{"", "{", "[]", "null", `"x"`, "{} {}"} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%q is taken for a profile", text)
		}
	}
}

// FuzzParse: no document makes Parse or what it returns panic.
func FuzzParse(f *testing.F) {
	for _, name := range shipped {
		f.Add(document(f, name))
	}
	f.Add([]byte(`{"tls":{"extensions":[{"type":"grease"}]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := parse(text)
		if err != nil {
			return
		}
		send(t, p, HelloOptions{ServerName: "example.org", PSKLength: 100})
		p.JA4()
		if _, err := parse(p.Document()); err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
	})
}
