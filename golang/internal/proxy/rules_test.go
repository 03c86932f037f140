package proxy

import (
	"testing"

	"github.com/cycletls/cycletls/golang/internal/engine/target"
)

func mustURL(t testing.TB, text string) *target.URL {
	t.Helper()
	u, err := target.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// chosen names the proxy of a URL by its host; "" is none.
func chosen(t *testing.T, rules *Rules, url string) string {
	t.Helper()
	if p := rules.For(mustURL(t, url)); p != nil {
		return p.Host
	}
	return ""
}

// Of the rules that match, the most particular decides, in whatever order they
// come.
func TestTheMostParticularRuleDecides(t *testing.T) {
	given := []Rule{
		{"all", "all"}, {"http://", "plain"}, {"https", "secure"}, {"all://a.test", "host"}, {"https://A.test.", "secure-host"},
		{"all://a.test:81", "port"}, {"all://*.wild.test", "below"}, {"all://*both.test", "both"}, {"all://x.wild.test", ""},
		{"https://bücher.test", "idn"}, {"all://[::1]", "v6"}, {"http://*:82", "any-host"},
	}
	for range len(given) {
		given = append(given[1:], given[0])
		rules, _, err := NewRules(given, "")
		if err != nil {
			t.Fatal(err)
		}
		for url, want := range map[string]string{
			"http://b.test": "plain", "https://b.test": "secure", "http://a.test": "host", "https://a.test": "secure-host",
			"https://a.test.": "secure-host", "https://a.test:81": "port", "http://wild.test": "plain", "http://y.wild.test": "below",
			"http://x.wild.test": "", "http://both.test": "both", "http://x.both.test": "both", "http://xboth.test": "plain",
			"https://xn--bcher-kva.test": "idn", "http://[0:0::1]:9": "v6", "http://b.test:82": "any-host",
		} {
			if got := chosen(t, rules, url); got != want {
				t.Errorf("%s: %q, want %q", url, got, want)
			}
		}
	}
}

// A rule that is none, or has no proxy, is found by its index.
func TestFaultyRules(t *testing.T) {
	for _, faulty := range []Rule{{"htps", "h"}, {"", "h"}, {"http", "ftp://h"}, {"all://a b", "h"}, {"all://h:x", "h"}} {
		if _, i, err := NewRules([]Rule{{"all", "h"}, faulty}, ""); err == nil || i != 1 {
			t.Errorf("%v: %d, %v", faulty, i, err)
		}
	}
}

// One proxy is one, whatever rules lead to it: its connections are shared.
func TestOneProxyIsOne(t *testing.T) {
	rules, _, err := NewRules([]Rule{{"http", "http://h"}, {"https", "http://h"}}, "")
	if err != nil || rules.For(mustURL(t, "http://a")) != rules.For(mustURL(t, "https://a")) {
		t.Error(err)
	}
	if (*Rules)(nil).For(mustURL(t, "http://a")) != nil {
		t.Error("a proxy without rules")
	}
}

// Exceptions are hosts with what is beneath them, addresses, blocks, ports.
func TestExceptions(t *testing.T) {
	const list = "example.org, .dot.test *.star.test,port.test:8080\t10.0.0.0/8,192.0.2.7,[2001:db8::1]:81,2001:db8:1::/48,BÜCHER.test,fe80::1%eth0,::ffff:198.51.100.0/120,x y:z,,bad/33"
	rules, _, err := NewRules([]Rule{{"all", "p"}}, list)
	if err != nil {
		t.Fatal(err)
	}
	for url, direct := range map[string]bool{
		"http://example.org": true, "https://www.example.org": true, "http://example.org.": true, "http://EXAMPLE.org:1": true,
		"http://notexample.org": false, "http://example.org.evil.test": false, "http://org": false,
		"http://dot.test": true, "http://a.b.dot.test": true, "http://star.test": true, "http://a.star.test": true, "http://xstar.test": false,
		"http://port.test:8080": true, "http://a.port.test:8080": true, "http://port.test": false,
		"http://10.1.2.3": true, "http://0xa.1": true, "http://11.0.0.1": false, "http://10.0.0.1.test": false,
		"http://192.0.2.7": true, "http://192.0.2.70": false, "http://[::ffff:192.0.2.7]": true, "http://[::ffff:a00:1]": true,
		"http://[2001:db8::1]:81": true, "http://[2001:db8::1]": false, "http://[2001:db8:1:2::3]": true, "http://[2001:db8:2::3]": false,
		"http://xn--bcher-kva.test": true, "http://x": true, "http://[fe80::1]": false,
	} {
		if got := chosen(t, rules, url) == ""; got != direct {
			t.Errorf("%s: direct %v, want %v", url, got, direct)
		}
	}
}

// An asterisk excepts all.
func TestAsteriskExceptsAll(t *testing.T) {
	rules, _, _ := NewRules([]Rule{{"all", "p"}}, "a.test, *")
	if rules.For(mustURL(t, "http://b.test")) != nil {
		t.Error("through a proxy")
	}
}

// Safety 76: no address ends like a name (CVE-2025-22870), and no zone makes it.
func TestAddressesHaveNoDomain(t *testing.T) {
	rules, _, _ := NewRules([]Rule{{"all", "p"}, {"all://*.0.0.1", ""}}, "0.0.1,.0.1,*.1")
	for _, url := range []string{"http://127.0.0.1", "http://[::1]"} {
		if rules.For(mustURL(t, url)) == nil {
			t.Errorf("%s: direct", url)
		}
	}
	if _, err := target.Parse("http://[::1%25.example.org]/"); err == nil {
		t.Error("a zone in a URL")
	}
}

// FuzzRules: no list of exceptions and no rule makes it panic, or a direct
// connection out of an error.
func FuzzRules(f *testing.F) {
	f.Add("all://*.a.test:80", "http://u:p@h:1", "a,.b,10.0.0.0/8,[::1]:80,*", "http://c.a.test:80/")
	f.Fuzz(func(t *testing.T, match, proxy, exceptions, url string) {
		rules, _, err := NewRules([]Rule{{match, proxy}}, exceptions)
		u, invalid := target.Parse(url)
		if (rules == nil) != (err != nil) {
			t.Fatal(rules, err)
		}
		if invalid == nil {
			rules.For(u)
		}
	})
}
