package fingerprint

import (
	"slices"
	"strings"
	"testing"
)

// Hellos of clients that are about, as JA4_r and JA4_ro.
var knownJA4 = map[string]string{
	"Chrome 120":     "t13d1516h2_002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9_0005,000a,000b,000d,0012,0017,001b,0023,002b,002d,0033,4469,fe0d,ff01_0403,0804,0401,0503,0805,0501,0806,0601",
	"Chromium 156":   foxIO[0].ja4r,
	"padded Chrome":  foxIO[2].ja4r,
	"original":       foxIO[2].original,
	"Firefox 153":    "t13d1617h2_002f,0035,009c,009d,1301,1302,1303,c00a,c013,c014,c02b,c02c,c02f,c030,cca8,cca9_0005,000a,000b,000d,0012,0017,001b,001c,0022,0023,002b,002d,0033,fe0d,ff01_0403,0503,0603,0804,0805,0806,0401,0501,0601,0203,0201",
	"Safari 17":      "t13d2014h2_000a,002f,0035,009c,009d,1301,1302,1303,c008,c009,c00a,c012,c013,c014,c02b,c02c,c02f,c030,cca8,cca9_0005,000a,000b,000d,0012,0015,0017,001b,002b,002d,0033,ff01_0403,0804,0401,0503,0203,0805,0805,0501,0806,0601,0201",
	"OkHttp 4":       "t13d1513h2_002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9_0005,000a,000b,000d,0015,0017,0023,002b,002d,0033,ff01_0403,0804,0401,0503,0805,0501,0806,0601,0201",
	"old Chrome":     foxIO[3].original,
	"TLS 1.2":        "t12d0405h1_002f,0035,c013,c02f_000a,000b,000d_0403,0804,0401",
	"TLS 1.2 by 43":  "t12i020500_c02b,c02f_000a,000b,000d,0017,002b_0403,0804",
	"no extensions":  "t12i010000_002f_",
	"unknown to all": "t13d0208h2_1301,e000_000a,000d,002b,0033,4444,5555_0403",
}

// What a string says goes to the wire, whichever profile lends the rest.
func TestJA4ArrivesAsItWasGiven(t *testing.T) {
	for _, name := range shipped {
		for client, text := range knownJA4 {
			want, err := ParseJA4(text)
			if err != nil {
				t.Fatalf("%s: %v", client, err)
			}
			p, err := want.Apply(load(t, name))
			if err != nil {
				t.Errorf("%s over %s: %v", client, name, err)
				continue
			}
			sent, err := ParseHello(sentMessage(t, p, HelloOptions{ServerName: "example.org"}))
			if err != nil {
				t.Fatal(err)
			}
			if got := sent.ClientHello().JA4(want.Original); got.String() != want.String() || got.Hash() != want.Hash() {
				t.Errorf("%s over %s: sent\n%s, want\n%s", client, name, got, want)
			}
		}
	}
}

// A string is written as it was read; server_name and ALPN may be listed, too.
func TestJA4IsWrittenAsItWasRead(t *testing.T) {
	for client, text := range knownJA4 {
		j, err := ParseJA4(text)
		if err != nil {
			t.Fatal(err)
		}
		if j.String() != text {
			t.Errorf("%s: %s", client, j)
		}
	}
	loose, err := ParseJA4("t13d0206h2_1301,1302_0000,000a,000d,0010,002b,0033_0403")
	if err != nil || loose.String() != "t13d0206h2_1301,1302_000a,000d,002b,0033_0403" {
		t.Errorf("%v, %v", loose, err)
	}
}

// JA4_r leaves the order to the profile: ciphers and extensions come as it has
// them, and are drawn where it draws them.
func TestJA4TakesTheOrderOfItsProfile(t *testing.T) {
	j, err := ParseJA4(knownJA4["Chrome 120"])
	if err != nil {
		t.Fatal(err)
	}
	p, err := j.Apply(load(t, "firefox-153-linux"))
	if err != nil {
		t.Fatal(err)
	}
	if got := decimals(p.TLS.Ciphers[:6]); p.TLS.ExtensionOrder != orderFixed || got != "4865-4867-4866-49195-49199-52393" {
		t.Errorf("%s, %s", p.TLS.ExtensionOrder, got)
	}
	if p, err = j.Apply(load(t, "chrome-156-linux")); err != nil || p.TLS.ExtensionOrder != orderShuffle {
		t.Errorf("%s, %v", p.TLS.ExtensionOrder, err)
	}
	original, err := ParseJA4(knownJA4["original"])
	if err != nil {
		t.Fatal(err)
	}
	if p, err = original.Apply(load(t, "chrome-156-linux")); err != nil || p.TLS.ExtensionOrder != orderFixed {
		t.Errorf("%s, %v", p.TLS.ExtensionOrder, err)
	}
}

// GREASE comes along only from a profile of the same family; OkHttp has Chrome's
// ciphers and no GREASE.
func TestJA4TakesGREASEOnlyFromItsFamily(t *testing.T) {
	for client, want := range map[string]bool{"Chrome 120": true, "Chromium 156": true, "original": true, "Firefox 153": false, "Safari 17": false, "OkHttp 4": false, "old Chrome": false} {
		j, err := ParseJA4(knownJA4[client])
		if err != nil {
			t.Fatal(err)
		}
		p, err := j.Apply(load(t, "chrome-156-linux"))
		if err != nil {
			t.Fatal(err)
		}
		h := p.ClientHello()
		for i, list := range [][]Code{h.Ciphers, h.Extensions, h.Groups, h.Versions} {
			if got := slices.ContainsFunc(list, Code.isGREASE); got != want {
				t.Errorf("%s: GREASE in list %d: %v", client, i, got)
			}
		}
	}
}

// A string that is malformed or contradicts itself is refused; the message says
// where, and names both sides.
func TestJA4IsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "1 parts",
		"t13d1516h2":                           "1 parts",
		"t13d1516h2_1301_002b_0403_00":         "5 parts",
		"t13d15h2_1301_002b":                   `start: "t13d15h2" is not like t13d1516h2`,
		"q13d0101h3_1301_002b":                 `start: "q" at 0`,
		"t11d0101h2_1301_002b":                 `start: "11" at 1`,
		"t13x0101h2_1301_002b":                 `start: "x" at 3`,
		"t13d0101h3_1301_002b":                 `start: "h3" at 8`,
		"t12d0103h2_13O1_000a":                 `ciphers[0]: "13O1" is not four hexadecimal digits`,
		"t12d0203h2_1301,_000a":                `ciphers[1]: ""`,
		"t12d0103h2_C02F_000a":                 `ciphers[0]: "C02F"`,
		"t12d0103h2_c02f_a":                    `extensions[0]: "a"`,
		"t12d0203h2_c02f,c02f_000a":            `ciphers[1]: c02f is there twice`,
		"t12d0104h2_c02f_000a,000a":            `extensions[1]: 000a is there twice`,
		"t12d0103h2_0a0a_000a":                 "ciphers[0]: 0a0a is a GREASE value",
		"t12d0104h2_c02f_000a,000d_g":          `signature algorithms[0]: "g"`,
		"t12d0203h2_c02f_000a":                 "start says 02 ciphers, the list has 1",
		"t12d0104h2_c02f_000a":                 "start says 04 extensions, the list has 1, with server_name and ALPN 3",
		"t12i0103h2_c02f_0000,000a":            "start says that there is no server_name, extensions has 0000",
		"t12d010300_c02f_000a,0010":            "start says that there is no ALPN, extensions has 0010",
		"t12d0104h2_c02f_000b,000a":            "start says that there is server_name, extensions lacks 0000",
		"t12d0003h2__000a":                     "no ciphers",
		"t12d0104h2_c02f_000a,000d":            "signature algorithms and the extension 000d",
		"t12d0103h2_c02f_000a_0403":            "signature algorithms and the extension 000d",
		"t13d0103h2_1301_000a":                 "start says TLS 1.3, extensions lacks 002b or 0033",
		"t13d0104h2_1301_000a,002b":            "extensions lacks 002b or 0033",
		"t12i010200_c02f_0029,000a":            "0029 is the last one",
		"t13d0105h2_1301_000a,002b,0033":       "",
		"t12d0104h2_0005_000a,000b":            "tls.ciphers: none may be agreed on",
		"t13i010200_1301_002b,0033":            "key_share, without a group",
		"t13d1516h2_8daaf6152771_e5627efa2ab1": `ciphers[0]: "8daaf6152771"`,
	} {
		j, err := ParseJA4(text)
		if err == nil {
			_, err = j.Apply(load(t, "chrome-156-linux"))
		}
		if want == "" {
			if err != nil {
				t.Errorf("%q: %v", text, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "ja4r: ") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// FuzzJA4: a string is refused or arrives as it was given.
func FuzzJA4(f *testing.F) {
	for _, text := range knownJA4 {
		f.Add(text)
	}
	base := load(f, "chrome-156-linux")
	f.Fuzz(func(t *testing.T, text string) {
		j, err := ParseJA4(text)
		if err != nil {
			return
		}
		again, err := ParseJA4(j.String())
		if err != nil || again.String() != j.String() {
			t.Fatalf("%q is written as %q: %v", text, j, err)
		}
		p, err := j.Apply(base)
		if err != nil {
			return
		}
		if slices.Contains(j.Extensions, idPSK) { // only with a session
			return
		}
		if got := p.ClientHello().JA4(j.Original); got.String() != j.String() {
			t.Fatalf("%q arrives as %q", text, got)
		}
		if _, err := p.Hello(HelloOptions{ServerName: "example.org"}); err != nil {
			t.Fatal(err)
		}
	})
}
