package capture

import (
	"slices"
	"testing"

	"golang.org/x/crypto/cryptobyte"
)

type extension struct {
	id      uint16
	content []byte
}

// list16 is a list of 16-bit values behind its length in bytes.
func list16(values ...uint16) []byte {
	var b cryptobyte.Builder
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		for _, value := range values {
			b.AddUint16(value)
		}
	})
	return b.BytesOrPanic()
}

// helloMessage is a ClientHello that says so much and no more.
func helloMessage(version uint16, ciphers []uint16, extensions ...extension) []byte {
	var b cryptobyte.Builder
	b.AddUint8(1)
	b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint16(version)
		b.AddBytes(make([]byte, 32))
		b.AddUint8(0)
		b.AddBytes(list16(ciphers...))
		b.AddBytes([]byte{1, 0})
		if extensions == nil {
			return
		}
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			for _, e := range extensions {
				b.AddUint16(e.id)
				b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(e.content) })
			}
		})
	})
	return b.BytesOrPanic()
}

// TestJA3IsTheAuthors: the two examples of salesforce/ja3's README.
func TestJA3IsTheAuthors(t *testing.T) {
	for _, test := range []struct {
		message   []byte
		ja3, hash string
	}{
		{
			helloMessage(769, []uint16{47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4},
				extension{0, nil}, extension{10, list16(23, 24, 25)}, extension{11, []byte{1, 0}}),
			"769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0", "ada70206e40642a3e4461f35503241d5",
		},
		{
			helloMessage(769, []uint16{4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99}),
			"769,4-5-10-9-100-98-3-6-19-18-99,,,", "de350869b8c85de67a350c8d186f11e6",
		},
	} {
		if f := notations(test.message); f == nil || f.JA3 != test.ja3 || f.JA3Hash != test.hash {
			t.Errorf("%+v, want %s (%s)", f, test.ja3, test.hash)
		}
	}
}

// TestJA4IsTheAuthors: the worked example of FoxIO's JA4.md, with GREASE strewn in.
func TestJA4IsTheAuthors(t *testing.T) {
	ciphers := []uint16{
		0x2a2a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8,
		0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
	}
	contents := map[uint16][]byte{
		16: []byte("\x00\x0c\x02h2\x08http/1.1"),
		13: list16(0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601),
		43: append([]byte{6}, list16(0x8a8a, 0x0304, 0x0303)[2:]...),
	}
	var extensions []extension
	for _, id := range []uint16{
		0x1a1a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005,
		0x0023, 0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x0015, 0xfafa,
	} {
		extensions = append(extensions, extension{id, contents[id]})
	}
	want := "t13d1516h2_8daaf6152771_e5627efa2ab1"
	f := notations(helloMessage(0x0303, ciphers, extensions...))
	if f.JA4 != want {
		t.Errorf("JA4 %s, want %s", f.JA4, want)
	}
	raw := "t13d1516h2_002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9_" +
		"0005,000a,000b,000d,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01_" +
		"0403,0804,0401,0503,0805,0501,0806,0601"
	if f.JA4R != raw {
		t.Errorf("JA4_r %s\nwant  %s", f.JA4R, raw)
	}
	slices.Reverse(extensions)
	if shuffled := notations(helloMessage(0x0303, ciphers, extensions...)); shuffled.JA4 != want {
		t.Errorf("JA4 of the shuffled hello %s", shuffled.JA4)
	}
}

// TestJA4SaysWhatIsMissing: no name, no protocol, no extensions, an old version.
func TestJA4SaysWhatIsMissing(t *testing.T) {
	if f := notations(helloMessage(0x0301, nil)); f.JA4 != "t10i000000_000000000000_000000000000" {
		t.Errorf("JA4 %s", f.JA4)
	}
	odd := extension{16, []byte("\x00\x03\x02\xabZ")}
	if f := notations(helloMessage(0x0303, nil, odd)); f.JA4 != "t12i0001aa_000000000000_000000000000" {
		t.Errorf("JA4 %s", f.JA4)
	}
	if f := notations([]byte{1, 0, 0, 1, 3}); f != nil {
		t.Errorf("%+v of a hello that is cut off", f)
	}
}

// TestAkamaiNotation: every part, and what stands for a part that is missing.
func TestAkamaiNotation(t *testing.T) {
	frames := []Frame{
		{Type: "SETTINGS", Payload: Hex("\x00\x01\x00\x01\x00\x00\x00\x04\x00\x02\x00\x00")},
		{Type: "WINDOW_UPDATE", Payload: Hex("\x00\xbf\x00\x01")},
		{Type: "PRIORITY", Stream: 3, Payload: Hex("\x00\x00\x00\x00\xc8")},
		{Type: "PRIORITY", Stream: 5, Payload: Hex("\x80\x00\x00\x03\x00")},
		{Type: "WINDOW_UPDATE", Payload: Hex("\x00\x00\x00\x01")},
		{Type: "SETTINGS", Flags: 1},
	}
	fields := []Field{{":method", "GET"}, {":path", "/"}, {":authority", "a"}, {":scheme", "https"}, {"x", "y"}}
	if got, want := akamai(frames, fields).String(), "1:65536;4:131072|12517377|3:0:0:201,5:1:3:1|m,p,a,s"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := akamai(nil, nil).String(), "|00|0|"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
