package envelope

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tinylib/msgp/msgp"

	"github.com/cycletls/cycletls/golang/internal/message"
)

var update = flag.Bool("update", false, "write testdata/from-core.json anew")

// golden is one message of the schema: in JSON for the reader, as an envelope
// for both test suites.
type golden struct {
	Name     string          `json:"name"`
	Message  json.RawMessage `json:"message"`
	Envelope string          `json:"envelope"`
}

func load(t testing.TB, path string) map[string]golden {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var list []golden
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	byName := make(map[string]golden)
	for _, g := range list {
		byName[g.Name] = g
	}
	return byName
}

var toCore = map[string]any{
	"plain request": &Request{Method: "GET", URL: "https://example.org/a?b=c"},
	"request with everything": &Request{
		Method:          "POST",
		URL:             "https://example.org/",
		Params:          message.Fields{{Name: "q", Value: "ü"}, {Name: "q", Value: "2"}},
		Headers:         []HeaderChange{{Name: "X-B", Value: "1"}, {Name: "x-a", Value: "2"}, {Name: "X-B", Value: "3"}, {Name: "Accept", Remove: true}},
		Cookies:         message.Fields{{Name: "a", Value: "b"}},
		Auth:            &BasicAuth{User: "user", Password: "pässword"},
		OwnCookies:      true,
		Jar:             1<<32 | 2,
		Cancel:          1<<32 | 3,
		Streamed:        true,
		Kind:            "fetch",
		Body:            &Body{Length: message.UnknownLength, Streamed: true, Replayable: true, ContentType: "text/plain"},
		ExpectContinue:  time.Second,
		Timeouts:        &Timeouts{Total: 10 * time.Second, Pool: time.Millisecond, Connect: 2500 * time.Millisecond, Write: 3 * time.Millisecond, Read: 4 * time.Millisecond},
		Redirects:       &Redirects{Follow: true, Max: 3, AllowDowngrade: true},
		Undecoded:       true,
		ManualRedirects: true,
		Hops:            2,
		Foreign:         true,
		HeaderOrder:     []string{"b", "a"},
	},
	"request for a WebSocket": &Request{
		Method: "GET", URL: "wss://example.org/", Streamed: true, WebSocket: &WebSocket{
			Subprotocols: []string{"a", "b"}, Compression: true, MaxMessageBytes: 1 << 20, PingInterval: 20 * time.Second, PingTimeout: 500 * time.Millisecond,
		},
	},
	"request for events": &Request{
		Method: "GET", URL: "https://example.org/", Streamed: true, Events: &Events{LastEventID: "7", Retry: 3 * time.Second, MaxEventBytes: 1 << 20},
	},
	"session": &Session{
		Identity: Identity{
			Profile: "{}", Bases: []string{"{}", "{ }"}, JA3: "771,4865,0,29,0", JA4R: "t12i010000_002f_", HTTP2Fingerprint: "|00|0|m,a,s,p", DisableGREASE: true,
		},
		UserAgent: "me/1", ServerName: "inner.example",
		InsecureSkipVerify: true, CAFile: "ca.pem", CertFile: "c.pem", KeyFile: "k.pem", KeyPassword: "secret",
		MinTLS: 0x0304, KeyLogFile: "keys.log", ForceHTTP1: true,
		Headers:     []HeaderChange{{Name: "X-A", Value: "1"}, {Name: "Accept", Remove: true}},
		HeaderOrder: []string{"x-a"},
		Timeouts:    Timeouts{Total: 30 * time.Second},
		Redirects:   Redirects{Follow: true, Max: 10},
		Async:       true,
		Resolve:     map[string]string{"example.org": "127.0.0.1"}, BlockPrivate: true, LocalAddress: "127.0.0.2",
		Proxies: []ProxyRule{{Match: "https", URL: "socks5h://u:p@h", Option: "proxies['https']"}, {Match: "all", URL: "", Option: "proxy"}}, NoProxy: "a, .b",
		EnableConnectionReuse: true, MaxConnections: 100, MaxConnectionsPerHost: 6, MaxIdleConnections: 20,
		IdleTimeout: 90 * time.Second, MaxHeaderBytes: 262144, MaxInformational: 8, MaxExpansion: 100, MaxBodyBytes: 1048576,
		CookieJar: 1<<32 | 1,
	},
	"cookies to set":    &Cookies{Action: "set", Set: []Cookie{everyCookie}},
	"cookies to delete": &Cookies{Action: "delete", Name: "a", Domain: "example.org", Path: "/"},
	"copy jar":          &CopyJar{},
	"certificates":      &Certificates{Connection: 7},
	"describe":          &Describe{Identity{Profile: "{}", JA3: "771,4865,0,29,0"}},
	"capture":           &Capture{},
	"capture with everything": &Capture{
		Address: "127.0.0.1:8443", TLS: true, CertFile: "c.pem", KeyFile: "k.pem", Protocols: []string{"http/1.1"}, Retry: true, NoTickets: true,
	},
	"captured": &Captured{Requests: 2, Target: "/pages/done", Timeout: 5 * time.Second},
	"imply":    &Imply{Captures: []string{"{}"}, Name: "mine", Browser: "Firefox", Version: "153", OS: "linux", Date: "2026-11"},
	"serve": &Serve{Address: "127.0.0.1:9119", Descriptor: 5, Token: "secret", IdleExit: 10 * time.Minute, Node: &Node{
		Session: Session{Identity: Identity{Profile: "{}"}, EnableConnectionReuse: true}, Names: [][]string{{"a", "a-1"}, {}}, MaxEventBytes: 1 << 20,
	}},
	"served":    &Served{},
	"makeQueue": &MakeQueue{},
	"makeToken": &MakeToken{},
	"undecode":  &Undecode{},
	"watch":     &Watch{},
	"stats":     &Stats{},
}

var everyCookie = Cookie{Name: "a", Domain: "example.org", Path: "/", HostOnly: true, Secure: true, HTTPOnly: true, SameSite: "Lax", Expires: 1800000000}

// Every message that comes to the core is read as the schema says.
func TestDecodesGoldenMessages(t *testing.T) {
	goldens := load(t, "testdata/to-core.json")
	if len(goldens) != len(toCore) {
		t.Errorf("%d golden messages, %d expectations", len(goldens), len(toCore))
	}
	for name, want := range toCore {
		got, err := Decode(goldens[name].Envelope)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, want)
		}
	}
}

var fromCore = []struct {
	name    string
	message any
}{
	{"done", &Done{}},
	{"watched", &Watched{Descriptor: 9}},
	{"queue", &Queue{Handle: 1<<32 | 1, Descriptor: 9}},
	{"plain response", &Response{
		Status: 200, Reason: "OK", Version: "HTTP/1.1", URL: "http://127.0.0.1:80/", Method: "GET",
		Headers: message.Fields{{Name: "Content-Type", Value: "text/plain"}, {Name: "X", Value: ""}},
		Timings: Timings{Total: 1500 * time.Microsecond},
	}},
	{"response with everything", &Response{
		Status: 302, Reason: "Found", Version: "HTTP/2", URL: "https://example.org/b#c", Method: "GET",
		Headers: message.Fields{{Name: "set-cookie", Value: "a="}, {Name: "latin", Value: "caf\xe9"}, {Name: "set-cookie", Value: "ü"}},
		Sent:    PairsOf(message.Fields{{Name: "Host", Value: "example.org"}}),
		Cookies: []Cookie{everyCookie},
		History: []Response{{Status: 301, Version: "HTTP/2", URL: "https://example.org/a", Method: "POST"}},
		Redirect: &Redirect{
			Method: "GET", URL: "https://example.net/", Kind: "fetch", KeepBody: true,
			Headers: []HeaderChange{{Name: "A", Value: "1"}, {Name: "Accept", Remove: true}}, Foreign: true, Hops: 2,
		},
		Connection: &Connection{ID: 7, Protocol: "h2", Reused: true, RemoteAddr: "127.0.0.1:443", LocalAddr: "127.0.0.1:5000", TLS: &TLS{
			Version: "TLSv1.3", Cipher: "TLS_AES_128_GCM_SHA256", Group: "X25519MLKEM768", ALPN: "h2", ServerName: "example.org", Resumed: true, ECH: true, JA4: "t13d1517h2_8daaf6152771_cb7bf5808d99",
		}},
		Timings:  Timings{Pool: time.Millisecond, DNS: 2 * time.Millisecond, Connect: 3 * time.Millisecond, TLS: 4 * time.Millisecond, Send: 5 * time.Millisecond, Wait: 6 * time.Millisecond, Total: 7 * time.Millisecond},
		Trailers: message.Fields{{Name: "x-sum", Value: "1"}},
	}},
	{"error", &Error{Kind: Incomplete, Message: "body ended", Detail: map[string]string{"url": "http://a/", "delivery": "answered"}}},
	{"event", &Event{Name: "message", Data: "ü\n", ID: "8", Retry: 1500 * time.Millisecond}},
	{"empty event", &Event{Name: "x", Retry: -1}},
	{"event of a hurried server", &Event{Name: "message", Data: "1", Retry: 0}},
	{"made", &Made{Handle: 1<<32 | 5}},
	{"no cookies", &CookieList{}},
	{"cookies", &CookieList{Cookies: []Cookie{everyCookie}}},
	{"description", &Description{
		JA3: "771,47,,,", JA3Hash: "b", JA4: "c", JA4R: "d", JA4O: "e", JA4RO: "f", Akamai: "|00|0|m,a,s,p", AkamaiHash: "h", PeetPrint: "i", PeetPrintHash: "j", Document: "{}",
	}},
	{"certificate chain", &CertificateChain{Certificates: [][]byte{{0x30, 0}, {0x30, 1}}}},
	{"capturing", &Capturing{Handle: 1<<32 | 6, URL: "https://localhost:8443", Authority: "PEM", Leaf: []byte{0x30, 0}, KeyPin: "AA=="}},
	{"document", &Document{Text: "{}"}},
	{"stats", &StatsReply{Sessions: 1, Exchanges: 2, Connections: 300, Captures: 5, Goroutines: 4, HeapBytes: 1 << 20}},
	{"serving", &Serving{Handle: 1<<32 | 7, Address: "127.0.0.1:9119"}},
}

// Every message that leaves the core has the bytes that Python was tested with.
func TestEncodesGoldenMessages(t *testing.T) {
	const path = "testdata/from-core.json"
	if *update {
		write(t, path)
	}
	goldens := load(t, path)
	if len(goldens) != len(fromCore) {
		t.Errorf("%d golden messages, %d expectations", len(goldens), len(fromCore))
	}
	for _, c := range fromCore {
		if got := base64.StdEncoding.EncodeToString(Append(nil, c.message)); got != goldens[c.name].Envelope {
			t.Errorf("%s: %s", c.name, got)
		}
	}
}

func write(t *testing.T, path string) {
	var list []golden
	for _, c := range fromCore {
		raw := Append(nil, c.message)
		var text bytes.Buffer
		if _, err := msgp.UnmarshalAsJSON(&text, raw); err != nil {
			t.Fatal(err)
		}
		list = append(list, golden{c.name, text.Bytes(), base64.StdEncoding.EncodeToString(raw)})
	}
	raw, err := json.MarshalIndent(list, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(raw, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The list of kinds is the one that Python maps to exceptions.
func TestKindsAreTheGoldenList(t *testing.T) {
	raw, err := os.ReadFile("testdata/kinds.json")
	if err != nil {
		t.Fatal(err)
	}
	var want []Kind
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(Kinds, want) {
		t.Errorf("got %v, want %v", Kinds, want)
	}
}

func pack(t *testing.T, m map[string]any) string {
	t.Helper()
	raw := msgp.AppendMapHeader(nil, uint32(len(m)))
	raw = msgp.AppendString(msgp.AppendString(raw, "type"), m["type"].(string))
	for name, value := range m {
		if name == "type" {
			continue
		}
		var err error
		if raw, err = msgp.AppendIntf(msgp.AppendString(raw, name), value); err != nil {
			t.Fatal(err)
		}
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// A field that nobody knows, a wrong type and a broken message are refused, and
// the error says where.
func TestRefusesWhatTheSchemaDoesNotHave(t *testing.T) {
	cases := []struct {
		name, envelope, says string
	}{
		{"unknown field", pack(t, map[string]any{"type": "request", "nethod": "GET"}), `"nethod"`},
		{"unknown nested field", pack(t, map[string]any{"type": "request", "timeouts": map[string]any{"totl": 1}}), `timeouts: unknown field "totl"`},
		{"unknown type", pack(t, map[string]any{"type": "reqest"}), `"reqest"`},
		{"wrong type", pack(t, map[string]any{"type": "request", "method": 1}), "method"},
		{"negative count", pack(t, map[string]any{"type": "request", "hops": -1}), "hops: -1 is negative"},
		{"rule of two", pack(t, map[string]any{"type": "session", "proxies": []any{[]any{"all", "h"}}}), "proxies: 2 items"},
		{"unknown TLS version", pack(t, map[string]any{"type": "session", "minTls": "1.1"}), "1.1"},
		{"no type", base64.StdEncoding.EncodeToString([]byte{0x80}), `"type"`},
		{"bytes behind", base64.StdEncoding.EncodeToString(append([]byte{0x81, 0xa4}, "type\xa5stats!"...)), "1 bytes follow"},
		{"not base64", "@", "base64"},
		{"array longer than the input", base64.StdEncoding.EncodeToString(append([]byte{0x82, 0xa4}, "type\xa7request\xa6params\xdd\xff\xff\xff\xff"...)), "params"},
		{"empty", "", "message"},
	}
	for _, c := range cases {
		_, err := Decode(c.envelope)
		var failure *Error
		if !errors.As(err, &failure) || failure.Kind != InvalidMessage || !strings.Contains(failure.Message, c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Whatever the bytes are, decoding ends with a message or an error of its kind.
func FuzzDecode(f *testing.F) {
	for _, g := range load(f, "testdata/to-core.json") {
		raw, err := base64.StdEncoding.DecodeString(g.Envelope)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		decoded, err := Decode(base64.StdEncoding.EncodeToString(raw))
		var failure *Error
		if (decoded == nil) != errors.As(err, &failure) {
			t.Fatalf("%v, %v", decoded, err)
		}
	})
}

func BenchmarkDecodeRequest(b *testing.B) {
	text := load(b, "testdata/to-core.json")["plain request"].Envelope
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendResponse(b *testing.B) {
	r := fromCore[0].message
	buffer := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		buffer = Append(buffer[:0], r)
	}
}
