package hpack

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"
)

// block encodes name-value pairs as one header block.
func block(e *Encoder, pairs ...string) []byte {
	dst := e.Begin(nil)
	for i := 0; i < len(pairs); i += 2 {
		dst = e.Append(dst, pairs[i], pairs[i+1])
	}
	return dst
}

// expect compares a block with bytes in hex, in which spaces only help the eye.
func expect(t *testing.T, got []byte, want string) {
	t.Helper()
	raw, err := hex.DecodeString(strings.ReplaceAll(want, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, raw) {
		t.Errorf("got  %x\nwant %x", got, raw)
	}
}

// huffman is a string literal in hex, Huffman coded.
func huffman(s string) string {
	return hex.EncodeToString(appendString(nil, s, true))
}

// Plain writes the requests of RFC 7541 appendix C.4 byte for byte.
func TestPlainWritesTheRequestsOfTheStandard(t *testing.T) {
	e := NewEncoder(Plain)
	request := []string{":method", "GET", ":scheme", "http", ":path", "/", ":authority", "www.example.com"}
	expect(t, block(e, request...), "828684418cf1e3c2e5f23a6ba0ab90f4ff")
	expect(t, block(e, append(request, "cache-control", "no-cache")...), "828684be5886a8eb10649cbf")
	expect(t, block(e, ":method", "GET", ":scheme", "https", ":path", "/index.html",
		":authority", "www.example.com", "custom-key", "custom-value"),
		"828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf")
}

// Plain writes the responses of RFC 7541 appendix C.6, which evict entries; but
// "307", as long in Huffman codes as without, stays as it is.
func TestPlainWritesTheResponsesOfTheStandard(t *testing.T) {
	e := NewEncoder(Plain)
	e.table.resize(256)
	expect(t, block(e, ":status", "302", "cache-control", "private",
		"date", "Mon, 21 Oct 2013 20:13:21 GMT", "location", "https://www.example.com"),
		"488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3")
	expect(t, block(e, ":status", "307", "cache-control", "private",
		"date", "Mon, 21 Oct 2013 20:13:21 GMT", "location", "https://www.example.com"),
		"48 03 333037 c1c0bf")
	expect(t, block(e, ":status", "200", "cache-control", "private",
		"date", "Mon, 21 Oct 2013 20:13:22 GMT", "location", "https://www.example.com",
		"content-encoding", "gzip", "set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"),
		"88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007")
	if e.table.size != 215 {
		t.Errorf("table of %d bytes, the standard has 215", e.table.size)
	}
}

// Integers are those of RFC 7541 appendix C.1.
func TestIntegersAreThoseOfTheStandard(t *testing.T) {
	expect(t, appendInteger(nil, 0, 5, 10), "0a")
	expect(t, appendInteger(nil, 0, 5, 1337), "1f9a0a")
	expect(t, appendInteger(nil, 0, 8, 42), "2a")
}

// Quiche keeps pseudo-header fields out of the table, except :authority, and
// refers to the lowest entry of a name.
func TestQuicheRepresentsPseudoHeaders(t *testing.T) {
	e := NewEncoder(Quiche)
	request := []string{":method", "PUT", ":authority", "a.example", ":scheme", "https", ":path", "/where"}
	expect(t, block(e, request...),
		"02 03 505554"+ // not indexed, name 2; "PUT" is no shorter in Huffman codes
			"41"+huffman("a.example")+ // incremental, name 1
			"87"+ // :scheme https
			"04"+huffman("/where")) // not indexed, name 4
	expect(t, block(e, request...), "02 03 505554 be 87 04"+huffman("/where"))
	expect(t, block(e, ":method", "GET", ":authority", "a.example", ":scheme", "https", ":path", "/"), "82 be 87 84")
}

// Quiche splits cookies at each semicolon and remembers every crumb, like any
// other field.
func TestQuicheRemembersCookieCrumbs(t *testing.T) {
	e := NewEncoder(Quiche)
	expect(t, block(e, "cookie", "a=1; b=2;c=3", "authorization", "x"),
		"60"+quicheString("a=1")+"60"+quicheString("b=2")+"60"+quicheString("c=3")+"57 01 78")
	expect(t, block(e, "cookie", "a=1; b=2"), "c1 c0")
}

func quicheString(s string) string { return hex.EncodeToString(appendString(nil, s, false)) }

// Gecko spells :path every time, refers to the last entry of a name and uses
// Huffman codes even where they are longer.
func TestGeckoRepresentsPseudoHeaders(t *testing.T) {
	e := NewEncoder(Gecko)
	request := []string{":method", "PUT", ":path", "/", ":authority", "a.example", ":scheme", "https"}
	expect(t, block(e, request...),
		"43"+huffman("PUT")+ // incremental, name 3
			"04"+huffman("/")+ // not indexed although it is entry 4
			"41"+huffman("a.example")+
			"87")
	expect(t, block(e, request...), "bf 04"+huffman("/")+"be 87")
	expect(t, block(e, ":path", "/where"), "05"+huffman("/where")) // the last :path is entry 5
	expect(t, block(e, "x", "~~~~"), "40"+huffman("x")+huffman("~~~~"))
	if len(appendString(nil, "~~~~", true)) <= len("~~~~") {
		t.Error("the string was to be longer in Huffman codes")
	}
}

// Gecko refers to the oldest dynamic entry of a name, the last that its search
// comes to.
func TestGeckoRefersToTheOldestEntry(t *testing.T) {
	e := NewEncoder(Gecko)
	block(e, "x-a", "one", "x-a", "two", "x-b", "three")
	expect(t, block(e, "x-a", "four"), "7f01"+huffman("four")) // entry 64
	quiche := NewEncoder(Quiche)
	block(quiche, "x-a", "one", "x-a", "two", "x-b", "three")
	expect(t, block(quiche, "x-a", "four"), "7f00"+quicheString("four")) // entry 63
}

// Gecko never lets intermediaries remember short cookies and authorization.
func TestGeckoGuardsSecrets(t *testing.T) {
	e := NewEncoder(Gecko)
	long := "session=0123456789abcdef"
	expect(t, block(e, "cookie", "a=1; "+long, "authorization", "Basic eDp5"),
		"1f11"+huffman("a=1")+"60"+huffman(long)+"1f08"+huffman("Basic eDp5"))
	expect(t, block(e, "cookie", "a=1; "+long), "1f2f"+huffman("a=1")+"be")
}

// Gecko writes fields larger than half its table without remembering them.
func TestGeckoKeepsLargeFieldsOut(t *testing.T) {
	e := NewEncoder(Gecko)
	fits := strings.Repeat("v", defaultTableSize/2-32-len("x-a"))
	block(e, "x-a", fits)
	block(e, "x-a", fits+"v")
	if len(e.table.entries) != 1 {
		t.Errorf("%d entries, want the one that fits", len(e.table.entries))
	}
}

// A changed table size is announced once, at the head of the next block, with
// the lowest size in between before it.
func TestTableSizeChangesAreAnnounced(t *testing.T) {
	for _, policy := range []Policy{Plain, Quiche, Gecko} {
		e := NewEncoder(policy)
		block(e, "x-a", "one")
		e.SetTableSize(0)
		e.SetTableSize(8192)
		expect(t, e.Begin(nil), "20 3fe13f")
		expect(t, e.Begin(nil), "")
		if len(e.table.entries) != 0 {
			t.Errorf("%v: the table survived its size 0", policy)
		}
		e.SetTableSize(1 << 30)
		expect(t, e.Begin(nil), "3fe1ff03") // 65,536
	}
}

// Only Gecko answers a setting that changes nothing.
func TestUnchangedTableSize(t *testing.T) {
	want := map[Policy]string{Plain: "", Quiche: "", Gecko: "3fe11f"}
	for policy, update := range want {
		e := NewEncoder(policy)
		e.SetTableSize(defaultTableSize)
		expect(t, e.Begin(nil), update)
	}
}

// An entry larger than the table empties it, here as in the peer's decoder.
func TestOversizedEntryEmptiesTheTable(t *testing.T) {
	e := NewEncoder(Plain)
	block(e, "x-a", "one")
	block(e, "x-b", strings.Repeat("v", defaultTableSize))
	if len(e.table.entries) != 0 || e.table.size != 0 {
		t.Errorf("%d entries of %d bytes are left", len(e.table.entries), e.table.size)
	}
}

// The static table is the one that decoders have.
func TestStaticTableIsTheDecoders(t *testing.T) {
	for i, want := range staticTable {
		got, err := hpack.NewDecoder(0, nil).DecodeFull([]byte{indexed | byte(i+1)})
		if err != nil {
			t.Fatal(err)
		}
		if got[0].Name != want.name || got[0].Value != want.value {
			t.Errorf("entry %d is %v, not %v", i+1, want, got[0])
		}
	}
}

// Policies are read by the names they are written with.
func TestPolicyNames(t *testing.T) {
	for _, policy := range []Policy{Plain, Quiche, Gecko} {
		if got, err := ParsePolicy(policy.String()); err != nil || got != policy {
			t.Errorf("%v: %v, %v", policy, got, err)
		}
	}
	if _, err := ParsePolicy("webkit"); err == nil {
		t.Error("an unknown name was accepted")
	}
}

// What is encoded decodes to itself under every policy, through evictions and
// changes of the table's size.
func FuzzRoundTrip(f *testing.F) {
	f.Add(uint8(0), uint32(4096), uint32(128), "x-name", "value", "cookie", "a=1; b=2", uint8(3))
	f.Add(uint8(1), uint32(0), uint32(70000), ":path", "/", "authorization", "secret", uint8(9))
	f.Add(uint8(2), uint32(200), uint32(40), ":authority", "h", "x-name", strings.Repeat("v", 90), uint8(40))
	f.Fuzz(func(t *testing.T, policy uint8, size, next uint32, name, value, other, second string, rounds uint8) {
		e := NewEncoder(Policy(policy % uint8(len(policies))))
		d := hpack.NewDecoder(defaultTableSize, nil)
		d.SetAllowedMaxDynamicTableSize(maxTableSize)
		e.SetTableSize(size)
		for i := range int(rounds%64) + 1 {
			if i == 1 {
				e.SetTableSize(next)
			}
			pairs := []string{name, value, other, second, name, value + string(rune('a'+i%7)), name, value}
			got, err := d.DecodeFull(block(e, pairs...))
			if err != nil {
				t.Fatal(err)
			}
			if want := fields(e, pairs); !slices.Equal(want, plainFields(got)) {
				t.Fatalf("got %q\nwant %q", got, want)
			}
		}
	})
}

// fields are pairs as the peer should see them, cookies in crumbs.
func fields(e *Encoder, pairs []string) []entry {
	var want []entry
	for i := 0; i < len(pairs); i += 2 {
		name, value := pairs[i], pairs[i+1]
		separator := e.policy.rules().crumbs
		if name != "cookie" || separator == "" {
			want = append(want, entry{name, value})
			continue
		}
		for n, crumb := range strings.Split(value, separator) {
			if n > 0 && separator == ";" {
				crumb = strings.TrimPrefix(crumb, " ")
			}
			want = append(want, entry{name, crumb})
		}
	}
	return want
}

func plainFields(decoded []hpack.HeaderField) []entry {
	var plain []entry
	for _, field := range decoded {
		plain = append(plain, entry{field.Name, field.Value})
	}
	return plain
}

// BenchmarkRepeatedRequest encodes what a browser repeats to one host.
func BenchmarkRepeatedRequest(b *testing.B) {
	request := []string{
		":method", "GET", ":authority", "www.example.com", ":scheme", "https", ":path", "/a/b?c=d",
		"sec-ch-ua", `"Not:A-Brand";v="8", "Chromium";v="156"`, "sec-ch-ua-mobile", "?0",
		"sec-ch-ua-platform", `"Linux"`, "upgrade-insecure-requests", "1",
		"user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
		"accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
		"sec-fetch-site", "none", "sec-fetch-mode", "navigate", "sec-fetch-user", "?1", "sec-fetch-dest", "document",
		"accept-encoding", "gzip, deflate, br, zstd", "accept-language", "en-US,en;q=0.9", "priority", "u=0, i",
	}
	e := NewEncoder(Quiche)
	dst := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		dst = e.Begin(dst[:0])
		for i := 0; i < len(request); i += 2 {
			dst = e.Append(dst, request[i], request[i+1])
		}
	}
}
