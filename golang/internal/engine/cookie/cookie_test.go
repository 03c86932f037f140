package cookie

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/message"
)

var example = Place{Host: "www.example.com", Path: "/a/b", Secure: true}

// jarWith returns a jar after a response from place.
func jarWith(place Place, lines ...string) *Jar {
	jar := New()
	receive(jar, place, lines...)
	return jar
}

func receive(jar *Jar, place Place, lines ...string) []envelope.Cookie {
	fields := message.Fields{{Name: "Content-Type", Value: "x=y"}}
	for _, line := range lines {
		fields = append(fields, message.Field{Name: "set-cookie", Value: line})
	}
	return jar.Receive(place, fields)
}

func expectHeader(t *testing.T, jar *Jar, place Place, want string) {
	t.Helper()
	if got := jar.Header(place, nil); got != want {
		t.Errorf("Cookie for %+v: %q, want %q", place, got, want)
	}
}

// Safety 26: a cookie without Domain goes back to its very host only.
func TestHostOnlyCookieIsNotSentToASubdomain(t *testing.T) {
	jar := jarWith(Place{Host: "example.com", Path: "/"}, "only=1", "all=2; Domain=example.com", "dot=3; Domain=.EXAMPLE.com")
	expectHeader(t, jar, Place{Host: "example.com", Path: "/"}, "only=1; all=2; dot=3")
	expectHeader(t, jar, Place{Host: "www.example.com", Path: "/"}, "all=2; dot=3")
	expectHeader(t, jar, Place{Host: "badexample.com", Path: "/"}, "")
	expectHeader(t, jar, Place{Host: "com", Path: "/"}, "")
}

// Safety 27: nobody sets cookies for all of a registry's customers.
func TestDomainThatIsAPublicSuffixIsRefused(t *testing.T) {
	for host, domain := range map[string]string{
		"a.com": "COM", "a.co.uk": "co.UK", "a.github.io": ".GitHub.io", "b.a.com": "com.", "a.com.": "com.",
		"www.a.com": "b.com", "c.com": "www.c.com", "b.a.kobe.jp": "a.kobe.jp", "x.local": "local", "a.b": "",
	} {
		taken := receive(New(), Place{Host: host, Path: "/"}, "a=1; Domain="+domain)
		if domain == "" {
			if len(taken) != 1 || !taken[0].HostOnly {
				t.Errorf("an empty Domain on %s: %+v", host, taken)
			}
		} else if len(taken) != 0 {
			t.Errorf("%s set a cookie for %s", host, domain)
		}
	}
	taken := receive(New(), Place{Host: "github.io", Path: "/"}, "a=1; Domain=github.io")
	if len(taken) != 1 || !taken[0].HostOnly {
		t.Errorf("the suffix itself keeps its cookie to itself: %+v", taken)
	}
}

// Safety 28.
func TestSecureCookieNeverLeavesInTheClearAndIsNotOverwrittenFromThere(t *testing.T) {
	clear := Place{Host: "www.example.com", Path: "/"}
	jar := jarWith(example, "s=secret; Secure; Path=/; Domain=example.com")
	expectHeader(t, jar, clear, "")
	for _, line := range []string{
		"s=evil; Path=/", "s=evil; Path=/deep", "s=evil; Domain=example.com; Path=/", "s=evil; Secure",
		"s=; Max-Age=0; Path=/; Domain=example.com",
	} {
		if taken := receive(jar, clear, line); len(taken) != 0 {
			t.Errorf("%q taken: %+v", line, taken)
		}
	}
	expectHeader(t, jar, example, "s=secret")
	expectHeader(t, jar, clear, "")
	if taken := receive(jar, Place{Host: "example.com", Path: "/"}, "s=evil"); len(taken) != 0 {
		t.Error("a parent overlays the secure cookie from the clear")
	}
	receive(jar, example, "s=new; Path=/; Domain=example.com; Secure")
	expectHeader(t, jar, example, "s=new")
}

// Safety 29: what a name promises holds.
func TestPrefixesSameSiteAndAddresses(t *testing.T) {
	for line, ok := range map[string]bool{
		"__Secure-a=1; Secure":        true,
		"__Secure-a=1":                false,
		"__secure-a=1":                false,
		"__Host-a=1; Secure; Path=/":  true,
		"__Host-a=1; Secure":          false,
		"__HOST-a=1; Secure; Path=/a": false,
		"__Host-a=1; Path=/":          false,
		"__Host-a=1; Secure; Path=/; Domain=www.example.com":      false,
		"__Host-a; Secure; Path=/":                                false,
		"=__Secure-a=1; Secure; Path=/":                           false,
		"plain=__Host-a":                                          true,
		"a=1; Secure; SameSite=Strict; HttpOnly; Path=/; unknown": true,
	} {
		if got := len(receive(New(), example, line)) == 1; got != ok {
			t.Errorf("%q taken: %v", line, got)
		}
	}
	for value, want := range map[string]string{"strict": "Strict", "LAX": "Lax", "None": "None", "x": "", "": ""} {
		if taken := receive(New(), example, "a=1; SameSite="+value); len(taken) != 1 || taken[0].SameSite != want {
			t.Errorf("SameSite=%s: %+v", value, taken)
		}
	}
	for host, domain := range map[string]string{"1.2.3.4": "3.4", "127.0.0.1": "0.0.1", "::1": "1", "2001:db8::1": "::1"} {
		if len(receive(New(), Place{Host: host, Path: "/"}, "a=1; Domain="+domain)) != 0 {
			t.Errorf("%s set a cookie for %s", host, domain)
		}
		taken := receive(New(), Place{Host: host, Path: "/"}, "a=1; Domain="+host)
		if len(taken) != 1 || !taken[0].HostOnly {
			t.Errorf("an address for itself: %+v", taken)
		}
	}
}

// Safety 30: a server cannot make us remember more than the limits.
func TestJarIsBounded(t *testing.T) {
	jar := New()
	for i := range 10_000 {
		receive(jar, example, fmt.Sprintf("n%d=1; Domain=example.com", i))
	}
	if got := len(jar.All()); got != maxPerDomain {
		t.Errorf("%d cookies of one domain", got)
	}
	expectLast := jar.All()[maxPerDomain-1].Name
	if expectLast != "n9999" {
		t.Errorf("the newest is %s", expectLast)
	}
	for i := range 4_000 {
		receive(jar, Place{Host: fmt.Sprintf("h%d.example", i), Path: "/"}, "a=1")
	}
	if got := len(jar.All()); got != maxTotal || jar.count.Load() != maxTotal {
		t.Errorf("%d cookies in all, %d counted", got, jar.count.Load())
	}
	for _, line := range []string{
		strings.Repeat("n", 4097) + "=", "a=" + strings.Repeat("v", 4096), "=", "==", "=a=b", "", ";", " ; Path=/", "a=\x01", "a\x7f=1", "a=1; Path=/\x00",
	} {
		if len(receive(New(), example, line)) != 0 {
			t.Errorf("%.20q taken", line)
		}
	}
	long := receive(New(), example, "a="+strings.Repeat("v", 4095)+"; Path=/"+strings.Repeat("p", 1024))
	if len(long) != 1 || long[0].Path != "/a" {
		t.Errorf("longest cookie, with a Path too long: %d taken", len(long))
	}
}

// Cookies without Secure make room first, then those not used for longest.
func TestSecureCookiesOutliveOthersInAFullDomain(t *testing.T) {
	jar := jarWith(example, "keep=1; Secure; Path=/", "old=1; Path=/")
	for i := range maxPerDomain - 1 {
		receive(jar, example, fmt.Sprintf("n%d=1; Path=/other", i))
	}
	names := jar.Header(example, nil)
	if names != "keep=1" {
		t.Errorf("left: %s", names)
	}
}

// Safety 31: export and import lose nothing that decides where a cookie goes.
func TestJarSavedAndLoadedKeepsEveryAttribute(t *testing.T) {
	jar := jarWith(example, "host=1; Secure; HttpOnly; SameSite=Strict; Path=/a", "wide=2; Domain=example.com; Max-Age=1000", "session=3")
	loaded := New()
	for _, c := range jar.All() {
		if err := loaded.Set(c); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(loaded.All(), jar.All()) {
		t.Errorf("saved  %+v\nloaded %+v", jar.All(), loaded.All())
	}
	for _, place := range []Place{example, {Host: "example.com", Path: "/a/b", Secure: true}, {Host: "www.example.com", Path: "/a/b"}, {Host: "x.www.example.com", Path: "/a/b", Secure: true}} {
		expectHeader(t, loaded, place, jar.Header(place, nil))
	}
}

// Safety 9: what the user sets cannot become another cookie or field.
func TestUsersCookiesAreChecked(t *testing.T) {
	for name, value := range map[string]string{"a;b": "", "a=b": "", "a\r\nX": "", "a\x00": "", "b": "1;c=2", "c": "1\r\nX: 1", "d": "\x7f", " e": "", "": "a=b"} {
		if Check(name, value) == nil || New().Set(envelope.Cookie{Name: name, Value: value}) == nil {
			t.Errorf("%q=%q accepted", name, value)
		}
	}
	for name, value := range map[string]string{"a": "", "b": "x y\"z,", "ü": "ü", "": "token", "c": "a=b"} {
		if err := New().Set(envelope.Cookie{Name: name, Value: value}); err != nil {
			t.Error(err)
		}
	}
	if New().Set(envelope.Cookie{Name: "a", Domain: "x\r\n"}) == nil || New().Set(envelope.Cookie{Name: "a", Value: strings.Repeat("x", 4096)}) == nil {
		t.Error("a bad domain or a large cookie accepted")
	}
}

// A cookie that the user gave no domain goes everywhere but where a redirect
// leads away.
func TestCookieWithoutDomainStaysBehindAtARedirect(t *testing.T) {
	jar := New()
	for _, c := range []envelope.Cookie{{Name: "mine", Value: "1"}, {Name: "theirs", Value: "2", Domain: "a.com"}, {Name: "tld", Value: "3", Domain: "com"}} {
		if err := jar.Set(c); err != nil {
			t.Fatal(err)
		}
	}
	expectHeader(t, jar, Place{Host: "a.com", Path: "/"}, "mine=1; theirs=2")
	expectHeader(t, jar, Place{Host: "b.org", Path: "/x"}, "mine=1")
	expectHeader(t, jar, Place{Host: "a.com", Path: "/", Foreign: true}, "theirs=2")
}

func TestOrderAndPaths(t *testing.T) {
	jar := jarWith(example, "root=1; Path=/", "b=2; Path=/a/b", "default=3", "odd=4; Path=x", "slash=5; Path=/a/", "prefix=6; Path=/a/bc")
	expectHeader(t, jar, example, "b=2; slash=5; default=3; odd=4; root=1")
	receive(jar, example, "default=new; Path=/a")
	expectHeader(t, jar, example, "b=2; slash=5; default=new; odd=4; root=1")
	expectHeader(t, jar, Place{Host: "www.example.com", Path: "/a/bc"}, "prefix=6; slash=5; default=new; odd=4; root=1")
	expectHeader(t, jar, Place{Host: "www.example.com", Path: "/ab"}, "root=1")
}

// The caller's cookies join those of the jar and win over their namesakes.
func TestCallersCookiesJoin(t *testing.T) {
	jar := jarWith(example, "a=jar; Path=/", "b=jar; Path=/")
	extra := message.Fields{{Name: "c", Value: "1"}, {Name: "a", Value: "2"}, {Name: "", Value: "bare"}}
	if got := jar.Header(example, extra); got != "b=jar; c=1; a=2; bare" {
		t.Error(got)
	}
	if got := New().Header(example, extra); got != "c=1; a=2; bare" {
		t.Error(got)
	}
}

func TestParsing(t *testing.T) {
	for line, want := range map[string]string{
		"a=b":                    "a=b",
		" a = b c ; x":           "a=b c",
		"a=\"b\"":                "a=\"b\"",
		"a=b=c":                  "a=b=c",
		"a=":                     "a=",
		"bare":                   "bare",
		"=bare":                  "bare",
		"a=1\t2":                 "a=1\t2",
		"a=1;Secure ; path = /a": "a=1",
		"a=1; Path=/x; Path=/a":  "a=1",
	} {
		expectHeader(t, jarWith(example, line), example, want)
	}
}

func TestExpiry(t *testing.T) {
	now := time.Now().Unix()
	day := int64(24 * 60 * 60)
	for line, left := range map[string]int64{
		"a=1":             0,
		"a=1; Max-Age=60": 60,
		"a=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT": 60,
		"a=1; Expires=Fri, 31 Dec 9999 23:59:59 GMT":             400 * day,
		"a=1; Max-Age=99999999999999999999":                      400 * day,
		"a=1; Max-Age=x":                                         0,
		"a=1; Max-Age=+1":                                        0,
		"a=1; Max-Age=":                                          0,
		"a=1; Expires=never":                                     0,
	} {
		taken := receive(New(), example, line)
		if len(taken) != 1 {
			t.Errorf("%q not taken", line)
		} else if got := taken[0].Expires; left == 0 && got != 0 || left != 0 && (got < now+left || got > now+left+5) {
			t.Errorf("%q expires at %d", line, got)
		}
	}
	for _, line := range []string{"a=; Max-Age=0", "a=; Max-Age=-1", "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"} {
		jar := jarWith(example, "a=1", "b=2")
		if taken := receive(jar, example, line); len(taken) != 0 {
			t.Errorf("%q: taken %+v", line, taken)
		}
		expectHeader(t, jar, example, "b=2")
	}
}

func TestExpiredCookiesAreGone(t *testing.T) {
	jar := jarWith(example, "a=1; Max-Age=60", "b=2")
	jar.domains["www.example.com"][0].expires = time.Now().Add(-time.Second)
	expectHeader(t, jar, example, "b=2")
	if all := jar.All(); len(all) != 1 {
		t.Errorf("%+v", all)
	}
}

func TestDates(t *testing.T) {
	want := time.Date(1994, 11, 6, 8, 49, 37, 0, time.UTC)
	for _, text := range []string{
		"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "6 nov 94 8:49:37",
		"1994;NOVEMBER;6x;08:49:37 UTC", "08:49:37 06 Nov 1994 +0100", "Nov 1994 08:49:37z 06th",
	} {
		if got, ok := parseDate(text); !ok || !got.Equal(want) {
			t.Errorf("%q: %v %v", text, got, ok)
		}
	}
	for text, year := range map[string]int{"1 Jan 70 0:0:0": 1970, "1 Jan 69 0:0:0": 2069, "1 Jan 00 0:0:0": 2000, "1 Jan 1601 0:0:0": 1601} {
		if got, ok := parseDate(text); !ok || got.Year() != year {
			t.Errorf("%q: %v %v", text, got, ok)
		}
	}
	for _, text := range []string{
		"", "Sun", "06 Nov 1994", "08:49:37 Nov 1994", "06 1994 08:49:37", "06 Nov 08:49:37", "0 Nov 1994 08:49:37", "32 Nov 1994 08:49:37",
		"06 Nov 1600 08:49:37", "06 Nov 1994 24:00:00", "06 Nov 1994 08:60:00", "06 Nov 1994 08:49:60", "31 Feb 1994 08:49:37",
		"06 Nov 1994 008:49:37", "06 Nov 1994 8:49", "06 anf 1994 08:49:37", "06 Nov 19945 08:49:37", "06 Nov 1994 8x:49:37",
	} {
		if got, ok := parseDate(text); ok {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestDelete(t *testing.T) {
	jar := jarWith(example, "a=1; Path=/", "a=2; Path=/a", "b=3; Domain=example.com; Path=/")
	jar.Delete("a", "", "/a")
	expectHeader(t, jar, example, "a=1; b=3")
	jar.Delete("", ".Example.com", "")
	expectHeader(t, jar, example, "a=1")
	jar.Clear()
	if jar.Header(example, nil) != "" || jar.count.Load() != 0 || len(jar.domains) != 0 {
		t.Error("a cleared jar is not empty")
	}
}

// Safety 32: jars share nothing.
func TestCookiesOfOneJarNeverAppearInAnother(t *testing.T) {
	a, b := jarWith(example, "a=1"), New()
	expectHeader(t, b, example, "")
	receive(b, example, "b=2")
	expectHeader(t, a, example, "a=1")
}

func TestJarIsUsedByManyAtATime(t *testing.T) {
	jar := New()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 200 {
				receive(jar, example, fmt.Sprintf("n%d=%d", i, j))
				jar.Header(example, nil)
				jar.All()
			}
		})
	}
	all.Wait()
	if got := len(jar.All()); got != 8 {
		t.Errorf("%d cookies", got)
	}
}

// FuzzSetCookie: whatever a server sends, what comes back is one clean field,
// and the jar keeps its limits.
func FuzzSetCookie(f *testing.F) {
	for _, seed := range []string{
		"a=b; Path=/; Domain=example.com; Max-Age=3; Expires=Sun, 06 Nov 1994 08:49:37 GMT; Secure; HttpOnly; SameSite=None",
		"__Host-a=1; Secure; Path=/", "=", "a;;=;", "a=\x01", "a=b; domain=.com.", "\xff=\xff; path=\xff",
	} {
		f.Add(seed, "www.example.com", true)
	}
	f.Fuzz(func(t *testing.T, line, host string, secure bool) {
		if strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-_.:") != "" {
			return // no canonical host
		}
		jar := New()
		place := Place{Host: host, Path: "/a/b", Secure: secure}
		taken := receive(jar, place, line)
		header := jar.Header(place, nil)
		if strings.ContainsAny(header, "\r\n\x00") || len(header) > maxSize+1 {
			t.Fatalf("%q: Cookie %q", line, header)
		}
		for _, c := range taken {
			if c.Secure && !secure || !c.HostOnly && !within(host, c.Domain) {
				t.Fatalf("%q from %q: %+v", line, host, c)
			}
			if err := New().Set(c); err != nil {
				t.Fatalf("%q cannot be saved: %v", line, err)
			}
		}
	})
}

// A copy has what the jar had, and neither sees what the other gets later.
func TestCopyGoesItsOwnWay(t *testing.T) {
	jar := New()
	set := func(j *Jar, name string) {
		t.Helper()
		if err := j.Set(envelope.Cookie{Name: name, Value: "1", Domain: "example.org", Path: "/"}); err != nil {
			t.Fatal(err)
		}
	}
	set(jar, "both")
	own := jar.Copy()
	set(jar, "jar")
	set(own, "own")
	own.Delete("both", "", "")
	if got := jar.Header(Place{Host: "example.org", Path: "/"}, nil); got != "both=1; jar=1" {
		t.Errorf("the jar has %q", got)
	}
	if got := own.Header(Place{Host: "example.org", Path: "/"}, nil); got != "own=1" {
		t.Errorf("the copy has %q", got)
	}
}
