package fingerprint

import (
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
)

// message writes a ClientHello that says what h does and no more, for readers.
func (h *ClientHello) message() []byte {
	var b cryptobyte.Builder
	b.AddUint8(1)
	b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint16(uint16(h.Version))
		b.AddBytes(make([]byte, 32+1))
		b.AddUint16LengthPrefixed(adding(h.Ciphers))
		b.AddBytes([]byte{1, 0})
		if h.Extensions == nil {
			return
		}
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			for _, id := range h.Extensions {
				b.AddUint16(uint16(id))
				b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { h.addContent(b, id) })
			}
		})
	})
	return b.BytesOrPanic()
}

func (h *ClientHello) addContent(b *cryptobyte.Builder, id Code) {
	switch id {
	case idGroups:
		b.AddUint16LengthPrefixed(adding(h.Groups))
	case idFormats:
		b.AddUint8LengthPrefixed(addingBytes(h.Formats))
	case idAlgorithms:
		b.AddUint16LengthPrefixed(adding(h.Algorithms))
	case idALPN:
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			for _, protocol := range h.Protocols {
				b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(protocol)) })
			}
		})
	case idCompressions:
		b.AddUint8LengthPrefixed(adding(h.Compressions))
	case idVersions:
		b.AddUint8LengthPrefixed(adding(h.Versions))
	case idModes:
		b.AddUint8LengthPrefixed(addingBytes(h.Modes))
	}
}

func adding(list []Code) func(*cryptobyte.Builder) {
	return func(b *cryptobyte.Builder) {
		for _, code := range list {
			b.AddUint16(uint16(code))
		}
	}
}

func addingBytes(list []Code) func(*cryptobyte.Builder) {
	return func(b *cryptobyte.Builder) {
		for _, code := range list {
			b.AddUint8(uint8(code))
		}
	}
}

func read(t testing.TB, h ClientHello) *ClientHello {
	t.Helper()
	sent, err := ParseHello(h.message())
	if err != nil {
		t.Fatal(err)
	}
	return sent.ClientHello()
}

// The examples of salesforce/ja3's README, of versions that are only read.
func TestJA3IsTheAuthors(t *testing.T) {
	for _, c := range []struct {
		hello     ClientHello
		ja3, hash string
	}{
		{ClientHello{
			Version: 769, Ciphers: []Code{47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4},
			Extensions: []Code{0, 10, 11}, Groups: []Code{23, 24, 25}, Formats: []Code{0},
		}, "769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0", "ada70206e40642a3e4461f35503241d5"},
		{ClientHello{Version: 769, Ciphers: []Code{4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99}}, "769,4-5-10-9-100-98-3-6-19-18-99,,,", "de350869b8c85de67a350c8d186f11e6"},
	} {
		if got := read(t, c.hello).JA3(); got.String() != c.ja3 || got.Hash() != c.hash {
			t.Errorf("%s, %s", got, got.Hash())
		}
	}
}

// The expectations that FoxIO's own implementation is tested with (the captures
// sigalg-grease, tls3, browsers-x509 and badcurveball), and the example of its
// JA4.md: JA4_ro, and what belongs to it.
var foxIO = []struct{ original, ja4, ja4r, ja4o string }{
	{
		"t13d1517h2_1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035_fe0d,0010,0017,0033,44cd,ff01,000a,000d,0023,002b,000b,ca34,002d,0000,0005,001b,0012_0904,0905,0906,0403,0804,0401,0503,0805,0501,0806,0601",
		"t13d1517h2_8daaf6152771_cb7bf5808d99",
		"t13d1517h2_002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9_0005,000a,000b,000d,0012,0017,001b,0023,002b,002d,0033,44cd,ca34,fe0d,ff01_0904,0905,0906,0403,0804,0401,0503,0805,0501,0806,0601",
		"t13d1517h2_acb858a92679_88bf22a3e888",
	},
	{
		"t13d1516h2_1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035_0033,000a,0005,000d,0012,0000,0010,002b,0023,001b,0017,002d,ff01,4469,000b,0029_0403,0804,0401,0503,0805,0501,0806,0601",
		"t13d1516h2_8daaf6152771_9b887d9acb53",
		"t13d1516h2_002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9_0005,000a,000b,000d,0012,0017,001b,0023,0029,002b,002d,0033,4469,ff01_0403,0804,0401,0503,0805,0501,0806,0601",
		"t13d1516h2_acb858a92679_01fb3542df69",
	},
	{
		"t13d1516h2_1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035_000d,0000,000a,0005,000b,002b,001b,ff01,0033,4469,002d,0023,0017,0012,0010,0015_0403,0804,0401,0503,0805,0501,0806,0601",
		"t13d1516h2_8daaf6152771_e5627efa2ab1",
		"t13d1516h2_002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9_0005,000a,000b,000d,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01_0403,0804,0401,0503,0805,0501,0806,0601",
		"t13d1516h2_acb858a92679_4237572e953b",
	},
	{
		"t13d1615h2_1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035,000a_0000,0017,ff01,000a,000b,0023,0010,0005,000d,0012,0033,002d,002b,001b,0015_0403,0804,0401,0503,0805,0501,0806,0601,0201",
		"t13d1615h2_46e7e9700bed_45f260be83e2",
		"t13d1615h2_000a,002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9_0005,000a,000b,000d,0012,0015,0017,001b,0023,002b,002d,0033,ff01_0403,0804,0401,0503,0805,0501,0806,0601,0201",
		"t13d1615h2_45f31bb0a5cc_b0e5d31d5128",
	},
	{
		"t13d1516h2_1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035_001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015_0403,0804,0401,0503,0805,0501,0806,0601",
		"t13d1516h2_8daaf6152771_e5627efa2ab1",
		"t13d1516h2_002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9_0005,000a,000b,000d,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01_0403,0804,0401,0503,0805,0501,0806,0601",
		"t13d1516h2_acb858a92679_18f69afefd3d",
	},
}

// JA4 in all its forms is FoxIO's, with GREASE strewn into every list.
func TestJA4IsFoxIOs(t *testing.T) {
	for _, want := range foxIO {
		j, err := ParseJA4(want.original)
		if err != nil {
			t.Fatal(err)
		}
		hello := read(t, ClientHello{
			Version: 0x0303, Versions: []Code{0x8a8a, 0x0304, 0x0303}, Protocols: []string{"h2", "http/1.1"},
			Ciphers:    append([]Code{0x2a2a}, j.Ciphers...),
			Extensions: append([]Code{0x1a1a}, append(j.Extensions, 0xfafa)...),
			Algorithms: append([]Code{0x3a3a}, j.Algorithms...),
		})
		sorted, original := hello.JA4(false), hello.JA4(true)
		if sorted.Hash() != want.ja4 || sorted.String() != want.ja4r || original.Hash() != want.ja4o || original.String() != want.original {
			t.Errorf("JA4 %s\n%s\nJA4_o %s\n%s", sorted.Hash(), sorted, original.Hash(), original)
		}
	}
}

// What a hello lacks has its sign, and so have versions that are only read.
func TestJA4SaysWhatIsMissing(t *testing.T) {
	for want, hello := range map[string]ClientHello{
		"t10i000000_000000000000_000000000000": {Version: 0x0301},
		"ts3i000000_000000000000_000000000000": {Version: 0x0300},
		"t00i000000_000000000000_000000000000": {Version: 0x0305},
		"t12i0001ad_000000000000_000000000000": {Version: 0x0303, Extensions: []Code{16}, Protocols: []string{"\xab\xcd"}},
		"t12i00013b_000000000000_000000000000": {Version: 0x0303, Extensions: []Code{16}, Protocols: []string{"0\xab"}},
		"t12i000100_000000000000_000000000000": {Version: 0x0303, Extensions: []Code{16}},
		"t12i0001hh_000000000000_000000000000": {Version: 0x0303, Extensions: []Code{16}, Protocols: []string{"h"}},
	} {
		if got := read(t, hello).JA4(false).Hash(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	many := ClientHello{Version: 0x0303}
	for i := range Code(120) {
		many.Ciphers, many.Extensions = append(many.Ciphers, 0xc000+i), append(many.Extensions, 100+i)
	}
	if got := read(t, many).JA4(true); !strings.HasPrefix(got.String(), "t12i999900_c000,") {
		t.Error(got)
	}
}

// What tls.peet.ws has answered, Chrome 121 and Safari 17.
func TestPeetPrintIsTrackMes(t *testing.T) {
	chrome, err := ParseJA3("771,4865-4866-4867-49195-49199-49196-49200-52393-52392-49171-49172-156-157-47-53,16-45-65281-35-5-10-23-0-27-13-65037-11-18-43-17513-51,29-23-24,0")
	if err != nil {
		t.Fatal(err)
	}
	hello := ClientHello{
		Version: 0x0303, Versions: []Code{0x0a0a, 0x0304, 0x0303}, Protocols: []string{"h2", "http/1.1", "spdy/3"},
		Ciphers: append([]Code{0x2a2a}, chrome.Ciphers...), Extensions: append([]Code{0x1a1a, 0x2a2a}, chrome.Extensions...),
		Groups: append([]Code{0x4a4a}, chrome.Groups...), Formats: []Code{0}, Modes: []Code{1}, Compressions: []Code{2},
		Algorithms: []Code{1027, 2052, 1025, 1283, 2053, 1281, 2054, 1537},
	}
	want := "GREASE-772-771|2-1.1|GREASE-29-23-24|1027-2052-1025-1283-2053-1281-2054-1537|1|2|GREASE-4865-4866-4867-49195-49199-49196-49200-52393-52392-49171-49172-156-157-47-53|0-10-11-13-16-17513-18-23-27-35-43-45-5-51-65037-65281-GREASE-GREASE"
	if got := read(t, hello); got.PeetPrint() != want || got.PeetPrintHash() != "8ad9325e12f531d2983b78860de7b0ec" {
		t.Errorf("%s, %s", got.PeetPrint(), got.PeetPrintHash())
	}
	if got := load(t, "chrome-156-linux").ClientHello().PeetPrint(); !strings.HasPrefix(got, "GREASE-772-771|2-1.1|GREASE-4588-29-23-24|GREASE-2308-2309-2310-1027") {
		t.Error(got)
	}
	if got := (&ClientHello{}).PeetPrint(); got != "||||0|||" {
		t.Error(got)
	}
}

// A profile tells of itself what an observer reads from its hello.
func TestProfileTellsWhatItSends(t *testing.T) {
	for _, name := range shipped {
		p := load(t, name)
		p = p.fixed()
		wire := sentMessage(t, p, HelloOptions{ServerName: "example.org"})
		sent, err := ParseHello(wire)
		if err != nil {
			t.Fatal(err)
		}
		own, seen := p.ClientHello(), sent.ClientHello()
		if own.JA3().String() != seen.JA3().String() || own.JA4(true).String() != seen.JA4(true).String() || own.PeetPrint() != seen.PeetPrint() {
			t.Errorf("%s: tells\n%s\n%s\nsends\n%s\n%s", name, own.JA4(true), own.PeetPrint(), seen.JA4(true), seen.PeetPrint())
		}
	}
}

// fixed returns the profile with its document's order on every connection.
func (p *Profile) fixed() *Profile {
	fixed := *p
	fixed.TLS.ExtensionOrder = orderFixed
	return &fixed
}

// FuzzClientHello: whatever is captured, reading it ends, and its notations can
// be written.
func FuzzClientHello(f *testing.F) {
	for _, name := range shipped {
		f.Add(sentMessage(f, load(f, name), HelloOptions{ServerName: "example.org"}))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		sent, err := ParseHello(message)
		if err != nil {
			return
		}
		h := sent.ClientHello()
		if h.JA3().Hash() == "" || len(h.JA4(false).Hash()) != len("t13d1516h2_8daaf6152771_e5627efa2ab1") || h.JA4(true).String() == "" || h.PeetPrintHash() == "" {
			t.Fatalf("%+v", h)
		}
	})
}
