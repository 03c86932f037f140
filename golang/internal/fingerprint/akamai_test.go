package fingerprint

import (
	"strings"
	"testing"
)

// The notation of browsers, with its hash.
var knownAkamai = map[string]string{
	"1:65536;2:0;4:6291456;6:262144|15663105|0|m,a,s,p":                                                 "52d84b11737d980aef856699f885ca86", // Chrome
	"1:65536;2:0;4:131072;5:16384|12517377|0|m,p,a,s":                                                   "6ea73faa8fc5aac76bded7bd238f6433", // Firefox
	"2:0;3:100;4:2097152;9:1|10420225|0|m,s,a,p":                                                        "c52879e43202aeb92740be6e8c86ea96", // Safari 26
	"1:65536;4:131072;5:16384|12517377|3:0:0:201,5:0:0:101,7:0:0:1,9:0:7:1,11:0:3:1,13:0:0:241|m,p,a,s": "",                                 // Firefox 87
	"|00|0|m,a,s,p": "",
}

// A string is read and written, and has the hash by which it is known.
func TestAkamaiIsReadAndWritten(t *testing.T) {
	for text, hash := range knownAkamai {
		a, err := ParseAkamai(text)
		if err != nil || a.String() != text {
			t.Errorf("%q is written as %q, %v", text, a, err)
		}
		if hash != "" && a.Hash() != hash {
			t.Errorf("%q has the hash %s", text, a.Hash())
		}
		commas, err := ParseAkamai(strings.ReplaceAll(text, ";", ","))
		if err != nil || commas.String() != text {
			t.Errorf("%q with commas: %q, %v", text, commas, err)
		}
	}
	if a, err := ParseAkamai("|0|0|m,a,s,p"); err != nil || a.String() != "|00|0|m,a,s,p" {
		t.Errorf("no window update: %q, %v", a, err)
	}
}

// What a string says replaces the profile's; what it does not say stays.
func TestAkamaiGoesOverAProfile(t *testing.T) {
	base := load(t, "chrome-156-linux")
	before := string(base.Document())
	for text := range knownAkamai {
		a, err := ParseAkamai(text)
		if err != nil {
			t.Fatal(err)
		}
		p, err := a.Apply(base)
		if err != nil {
			t.Fatal(err)
		}
		if p.Akamai().String() != text || p.HTTP2.HPACK != "quiche" || p.HTTP2.HeadersPriority == nil {
			t.Errorf("%s: %s, %+v", text, p.Akamai(), p.HTTP2)
		}
		again, err := Parse(p.Document())
		if err != nil || again.Akamai().String() != text {
			t.Errorf("%s as a document: %v", text, err)
		}
		if want := uint32(15); strings.Contains(text, "13:0:0:241") && p.HTTP2.FirstStreamID != want {
			t.Errorf("the first request has stream %d", p.HTTP2.FirstStreamID)
		}
	}
	if string(base.Document()) != before {
		t.Error("the base has changed")
	}
}

// A malformed string is refused with field and position, and so is a value that
// would end the connection.
func TestAkamaiIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "1 fields where four belong",
		"1:65536":                       "1 fields",
		"a|b|c|d|e":                     "5 fields",
		"1:65536;x|00|0|m,a,s,p":        `settings[1]: "x"`,
		"1:65536;|00|0|m,a,s,p":         `settings[1]: ""`,
		"1=65536|00|0|m,a,s,p":          `settings[0]: "1=65536" is not identifier:value`,
		"65536:1|00|0|m,a,s,p":          `settings[0]: "65536:1"`,
		"1:4294967296|00|0|m,a,s,p":     "settings[0]",
		"1:+5|00|0|m,a,s,p":             "settings[0]",
		"2:2|00|0|m,a,s,p":              "settings[0]: setting 2 goes from 0 to 1",
		"3:1;4:2147483648|00|0|m,a,s,p": "settings[1]: setting 4",
		"5:16383|00|0|m,a,s,p":          "settings[0]: setting 5 goes from 16384 to 16777215",
		"9:2|00|0|m,a,s,p":              "settings[0]: setting 9",
		"|x|0|m,a,s,p":                  `window update: "x"`,
		"|-1|0|m,a,s,p":                 `window update: "-1"`,
		"|2147483647|0|m,a,s,p":         "window update",
		"|00||m,a,s,p":                  `priorities[0]: ""`,
		"|00|3:0:0|m,a,s,p":             `priorities[0]: "3:0:0"`,
		"|00|3:0:0:1,5:2:0:1|m,a,s,p":   `priorities[1]: "5:2:0:1"`,
		"|00|3:0:0:257|m,a,s,p":         "priorities[0]",
		"|00|3:0:0:0|m,a,s,p":           "priorities[0]",
		"|00|0:0:0:1|m,a,s,p":           "priorities[0]",
		"|00|3:0:3:1|m,a,s,p":           "priorities[0]",
		"|00|0|":                        `pseudo-headers: ""`,
		"|00|0|m,a,s":                   `pseudo-headers: "m,a,s"`,
		"|00|0|m,a,s,m":                 "pseudo-headers",
		"|00|0|masp":                    "pseudo-headers",
	} {
		if _, err := ParseAkamai(text); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "http2_fingerprint: ") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// FuzzAkamai: a string is refused, or can be sent and read again.
func FuzzAkamai(f *testing.F) {
	for text := range knownAkamai {
		f.Add(text)
	}
	base := load(f, "chrome-156-linux")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAkamai(text)
		if err != nil {
			return
		}
		again, err := ParseAkamai(a.String())
		if err != nil || again.String() != a.String() {
			t.Fatalf("%q is written as %q: %v", text, a, err)
		}
		p, err := a.Apply(base)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.HTTP2.check(); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
	})
}
