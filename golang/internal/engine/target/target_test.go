package target

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/cycletls/cycletls/golang/internal/message"
	whatwg "github.com/nlnwa/whatwg-url/url"
)

func mustParse(t testing.TB, text string) *URL {
	t.Helper()
	u, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// Every part of a URL comes from one parse.
func TestParse(t *testing.T) {
	u := mustParse(t, "HTTPS://us%65r:p%40ss@Bücher.Example:8443/a/./b/../ü?q=ü'#frag ment")
	want := URL{
		Scheme: "https", Host: "xn--bcher-kva.example", Port: 8443, Authority: "xn--bcher-kva.example:8443",
		Path: "/a/%C3%BC", Target: "/a/%C3%BC?q=%C3%BC%27", Fragment: "#frag%20ment",
		User: "user", Password: "p@ss", HasUser: true,
		text: "https://xn--bcher-kva.example:8443/a/%C3%BC?q=%C3%BC%27#frag%20ment",
	}
	if *u != want {
		t.Errorf("got  %+v\nwant %+v", *u, want)
	}
}

func TestNormalForm(t *testing.T) {
	for text, want := range map[string]string{
		"http://h":                   "http://h/",
		" http://h/ ":                "http://h/",
		"http:h/x":                   "http://h/x",
		"http:\\\\h\\x":              "http://h/x",
		"http:///h":                  "http://h/",
		"http://H:80/":               "http://h/",
		"https://h:0443/":            "https://h/",
		"http://h:/":                 "http://h/",
		"http://h:443":               "http://h:443/",
		"http://h?q":                 "http://h/?q",
		"http://h#f":                 "http://h/#f",
		"http://h/?":                 "http://h/?",
		"http://h/a b":               "http://h/a%20b",
		"http://h/%zz%41":            "http://h/%zz%41",
		"http://h/..":                "http://h/",
		"http://h/../../a":           "http://h/a",
		"http://h/a/b/..":            "http://h/a/",
		"http://h/a/%2e%2E/b/%2e":    "http://h/b/",
		"http://h/a/.%2e/":           "http://h/",
		"http://h/a//../b":           "http://h/a/b",
		"http://h/...":               "http://h/...",
		"http://h/\"<>`{}^|":         "http://h/%22%3C%3E%60%7B%7D%5E|",
		"http://h/?'\"<>`{}":         "http://h/?%27%22%3C%3E`{}",
		"http://h/\x00\x7f":          "http://h/%00%7F",
		"http://0x7f.1/":             "http://127.0.0.1/",
		"http://127.1/":              "http://127.0.0.1/",
		"http://017700000001/":       "http://127.0.0.1/",
		"http://2130706433/":         "http://127.0.0.1/",
		"http://0x/":                 "http://0.0.0.0/",
		"http://1.2.3.4./":           "http://1.2.3.4/",
		"http://１.２.３.４/":            "http://1.2.3.4/",
		"http://[::1]:80/":           "http://[::1]/",
		"http://[2001:DB8:0:0::1]/":  "http://[2001:db8::1]/",
		"http://[::ffff:127.0.0.1]/": "http://[::ffff:7f00:1]/",
		"http://ex%61mple/":          "http://example/",
		"http://faß.de/":             "http://xn--fa-hia.de/",
		"http://a_b.c-/":             "http://a_b.c-/",
		"http://h./":                 "http://h./",
		"http://a.b@c@h/":            "http://h/",
		"http://\xc3\xbc/":           "http://xn--tda/",
	} {
		if u, err := Parse(text); err != nil {
			t.Errorf("%q: %v", text, err)
		} else if u.String() != want {
			t.Errorf("%q: got %s, want %s", text, u, want)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, text := range []string{
		"", "h", "/x", "//h/", "http:", "http://", "http:///", "http://:80", "http://u@", "http://u@:1", "http://?",
		"http://h:x", "http://h:65536", "http://h:0", "http://h:1:2", "http://h:-1", "http://h: 1",
		"http://[::1", "http://[::1]x", "http://[::1%25x]", "http://[::1%eth0]", "http://[1.2.3.4]", "http://[]", "http://[[::1]]", "http://x[::1]",
		"http://1.2.3.256", "http://1.2.3.4.5", "http://1.2.3.08", "http://256.1", "http://4294967296", "http://-1.0", "http://a.1",
		"http://a b/", "http://a%20b/", "http://a%00b/", "http://a<b/", "http://a|b/", "http://%/", "http://a..b", "http://.a", "http://.",
		"http://h\x00/", "http://\xff/", "http://\u00ad/", "http://a\u2260b\ufdd0/",
	} {
		if u, err := Parse(text); err == nil {
			t.Errorf("%q parsed as %s", text, u)
		}
	}
}

func TestOtherSchemesAreNamed(t *testing.T) {
	for _, text := range []string{"file:///etc/passwd", "gopher://h/", "data:,x", "javascript:alert(1)", "localhost:8080/x", "ws://h", "http+unix://x"} {
		_, err := Parse(text)
		var scheme *SchemeError
		if !errors.As(err, &scheme) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Safety 5: nothing that ends a line or a request target gets through.
func TestLineBreaksAndSpacesNeverReachTheTarget(t *testing.T) {
	for _, text := range []string{"http://h/a\r\nX: 1", "http://h/?q=\nX", "http://h/\ta", "http://h\r/"} {
		if u, err := Parse(text); err == nil {
			t.Errorf("%q parsed as %s", text, u)
		}
	}
	for _, text := range []string{"http://h/a b?c d#e f", "http://h/a\u2028b", "http://h/a\x0bb?\x1f"} {
		if u := mustParse(t, text); strings.ContainsFunc(u.String(), func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("%q: %q", text, u)
		}
	}
}

// Safety 10: where parsers disagree there is one answer, or none.
func TestURLConfusionHasOneAnswer(t *testing.T) {
	for text, host := range map[string]string{
		"http://good@evil/":        "evil",
		"http://evil\\@good/":      "evil",
		"http://evil#@good/":       "evil",
		"http://evil?@good/":       "evil",
		"http://a@b@evil/":         "evil",
		"http://good:80@evil:81/":  "evil",
		"http://evil/\\good":       "evil",
		"http:/\\evil":             "evil",
		"http://good%2eexample/":   "good.example",
		"http://good。example/":     "good.example",
		"http://GOOD.example./":    "good.example.",
		"http://good.example:80@e": "e",
	} {
		if u := mustParse(t, text); u.Host != host || !strings.HasPrefix(u.Authority, host) {
			t.Errorf("%q: host %q, authority %q", text, u.Host, u.Authority)
		}
	}
	for _, text := range []string{"http://good%23@evil%2f", "http://good%40evil/", "http://[::1%25x]/", "http://[::1]x/", "http://℀.example/", "http://good%5c@evil:x"} {
		if u, err := Parse(text); err == nil {
			t.Errorf("%q parsed as %s", text, u)
		}
	}
}

// Safety 11: a label that only pretends to be internationalized is refused, and
// no length of a host costs more than its reading.
func TestPretendedPunycodeAndLongHostsAreRefused(t *testing.T) {
	hosts := []string{"xn--example-", "xn--example-.com", "a.xn--localhost-", "XN--google-.com", "xn--", "xn--a", "xn--\u00fc", "xn--1"}
	for _, size := range []int{64, 254, 5_000, 100_000, 10_000_000} {
		hosts = append(hosts, strings.Repeat("a", size), strings.Repeat("ü", size), strings.Repeat("xn--a.", size/6))
	}
	hosts = append(hosts, strings.Repeat("a.", 127)+"a")
	start := time.Now()
	for _, host := range hosts {
		if u, err := Parse("http://" + host + "/"); err == nil {
			t.Errorf("parsed %.60q", u.Host)
		}
	}
	if took := time.Since(start); took > 20*time.Second { // quadratic time would be hours
		t.Errorf("took %v", took)
	}
}

// Safety 19: no error text repeats userinfo.
func TestErrorsDoNotTellUserinfo(t *testing.T) {
	for _, text := range []string{
		"http://user:secret@h:x/", "http://user:secret@/", "http:user:secret@h:x", "//user:secret@h", "user:secret@h",
		"http://user:sec/ret@h/", "http://user:secret@h/\r\nx", "https:\\\\user:secret@h:x", "http://user:secret@a..b",
	} {
		_, err := Parse(text)
		if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "ret@") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// An authority alone is read as that of a URL is, and holds nothing else.
func TestParseAuthority(t *testing.T) {
	for text, want := range map[string]URL{
		"H":              {Host: "h", Authority: "h"},
		"h:80":           {Host: "h", Port: 80, Authority: "h:80"},
		"u:p%40@[::1]:1": {Host: "::1", Port: 1, Authority: "[::1]:1", User: "u", Password: "p@", HasUser: true},
	} {
		if u, err := ParseAuthority(text); err != nil || *u != want {
			t.Errorf("%q: %+v, %v", text, u, err)
		}
	}
	for _, text := range []string{"", ":80", "h:0", "h/", "h?", "h#", `h\x`, "h\r\n", "u:secret//@h", "u:secret@h:x", "[::1%25a]"} {
		if u, err := ParseAuthority(text); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %+v, %v", text, u, err)
		}
	}
}

func TestResolve(t *testing.T) {
	base := mustParse(t, "http://u:p@h:81/a/b/c?q#f")
	for reference, want := range map[string]string{
		"":             "http://h:81/a/b/c?q#f",
		"#g":           "http://h:81/a/b/c?q#g",
		"?x":           "http://h:81/a/b/c?x#f",
		"d":            "http://h:81/a/b/d#f",
		"./d":          "http://h:81/a/b/d#f",
		"../d?e#g":     "http://h:81/a/d?e#g",
		"../../../../": "http://h:81/#f",
		"/d":           "http://h:81/d#f",
		"\\d":          "http://h:81/d#f",
		"//x":          "http://x/#f",
		"/\\x":         "http://x/#f",
		"///x":         "http://x/#f",
		"http:d":       "http://h:81/a/b/d#f",
		"http:/d":      "http://h:81/d#f",
		"http://x/":    "http://x/#f",
		"https:x":      "https://x/#f",
		"https://x#":   "https://x/#",
		"d:e/f":        "",
		"ä\xff":        "http://h:81/a/b/%C3%A4%FF#f",
		"http://[":     "",
		"file:///x":    "",
	} {
		u, err := base.Resolve(reference)
		if want == "" {
			if err == nil {
				t.Errorf("%q resolved to %s", reference, u)
			}
		} else if err != nil || u.String() != want {
			t.Errorf("%q: got %v, %v, want %s", reference, u, err, want)
		} else if u.Fragment != "" && u.String() != u.Scheme+"://"+u.Authority+u.Target+u.Fragment {
			t.Errorf("%q: parts %q %q %q", reference, u.Authority, u.Target, u.Fragment)
		}
	}
}

// Safety 25: a hostile Location costs time in proportion to its length.
func TestHugeReferencesResolveInLinearTime(t *testing.T) {
	base := mustParse(t, "http://h/"+strings.Repeat("a/", 100_000))
	start := time.Now()
	for _, piece := range []string{"../", "a/", "%2e%2e/", "a/../", "//", "@", "%", "\\", "ü", "http:", ":", "[", "#", "?"} {
		base.Resolve(strings.Repeat(piece, 100_000))
		base.Resolve("http://" + strings.Repeat(piece, 100_000))
	}
	if took := time.Since(start); took > 20*time.Second { // quadratic time would be hours
		t.Errorf("took %v", took)
	}
}

// Params are encoded as requests and httpx encode them and join the query.
func TestParams(t *testing.T) {
	params := message.Fields{{Name: "q", Value: "ü b"}, {Name: "q", Value: "&=+/~*'\x00"}, {Name: "a b", Value: ""}}
	const encoded = "q=%C3%BC+b&q=%26%3D%2B%2F~%2A%27%00&a+b="
	for text, want := range map[string]string{
		"http://h":       "http://h/?" + encoded,
		"http://h/?":     "http://h/?" + encoded,
		"http://h/?x":    "http://h/?x&" + encoded,
		"http://h/p?x#f": "http://h/p?x&" + encoded + "#f",
	} {
		u := mustParse(t, text).WithParams(params)
		if u.String() != want || u.String() != u.Scheme+"://"+u.Authority+u.Target+u.Fragment {
			t.Errorf("%s: got %s (%q %q), want %s", text, u, u.Target, u.Fragment, want)
		}
	}
	if u := mustParse(t, "http://h/x"); u.WithParams(nil) != u {
		t.Error("no params, another URL")
	}
}

func TestUserinfoSurvivesWhereItIsAskedFor(t *testing.T) {
	u := mustParse(t, "http://us%65r:p%40%3a@h:81/x")
	again := mustParse(t, u.WithUserinfo())
	if *again != *u || again.User != "user" || again.Password != "p@:" {
		t.Errorf("%+v", again)
	}
	plain := mustParse(t, "http://h:81/y")
	if heir := plain.InheritUserinfo(u); heir.User != "user" || heir.String() != "http://h:81/y" || plain.HasUser {
		t.Errorf("%+v", heir)
	}
	if plain.WithUserinfo() != plain.String() || u.InheritUserinfo(plain) != u {
		t.Error("userinfo out of nothing")
	}
}

func TestSameOrigin(t *testing.T) {
	base := mustParse(t, "http://h/a")
	for text, same := range map[string]bool{
		"http://H:80/b": true, "http://u@h/": true, "https://h/": false, "http://h:81/": false, "http://x.h/": false, "http://h./": false,
	} {
		if base.SameOrigin(mustParse(t, text)) != same {
			t.Errorf("%s: not %v", text, same)
		}
	}
}

// A cache gives what Parse gives, errors too, and the same URL again.
func TestCache(t *testing.T) {
	var cache Cache
	for range 2 {
		for i := range 3 * cached {
			text := fmt.Sprintf("http://h/%d", i)
			if u, err := cache.Parse(text); err != nil || u.String() != text {
				t.Fatal(u, err)
			}
			if _, err := cache.Parse(fmt.Sprint(i)); err == nil {
				t.Fatal("no error")
			}
		}
	}
	first, _ := cache.Parse("http://again/")
	second, _ := cache.Parse("http://again/")
	if first != second {
		t.Error("parsed twice")
	}
	long := "http://h/" + strings.Repeat("x", maxCached)
	first, _ = cache.Parse(long)
	second, _ = cache.Parse(long)
	if first == second {
		t.Error("a long URL is kept")
	}
}

// FuzzParse holds the parser against another one of the Standard, where that one
// is right, and against itself: the normal form is a fixed point.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"http://h", "https://u:p@h:1/a/../b?c#d", "http:\\\\h\\..\\%2e", "http://[::ffff:1.2.3.4]/", "http://0x7f.1", "http://bücher.example/ü?ü#ü",
		"http://a@b@c:80/", "http:///h", "http://h/%zz'\"<>`{}|", "http://xn--bcher-kva/",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(u.String())
		if err != nil {
			t.Fatalf("%q: its normal form %q: %v", text, u, err)
		}
		again.User, again.Password, again.HasUser = u.User, u.Password, u.HasUser
		if *again != *u {
			t.Fatalf("%q: %+v is not its own normal form: %+v", text, *u, *again)
		}
		if strings.ContainsFunc(u.String(), func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Fatalf("%q: %q is not printable ASCII", text, u)
		}
		compare(t, text, u)
	})
}

var signedNumber = regexp.MustCompile(`(^|\.)(0|0x)?[+-][0-9a-f]*\.?$`)

// compare leaves out what the other parser does not do as the Standard says
// today: "^" in paths, bytes that are not UTF-8, "+1" and "-1" that are names.
func compare(t *testing.T, text string, u *URL) {
	if strings.ContainsAny(text, "^\ufffd") || !utf8.ValidString(text) || signedNumber.MatchString(u.Host) {
		return
	}
	other, err := whatwg.Parse(text)
	if err != nil {
		t.Fatalf("%q: %s, but refused by the other: %v", text, u, err)
	}
	other.SetUsername("")
	other.SetPassword("")
	if got := other.Href(false); got != u.String() {
		t.Fatalf("%q: %s, the other has %s", text, u, got)
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Parse("https://www.example.org:8443/a/path/of/usual/length?with=a&query=string")
	}
}
