package engine

import (
	"strings"
	"testing"

	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/fingerprint"
	"github.com/cycletls/cycletls/golang/internal/proxy"
)

// through is a session whose requests take a proxy, unless exceptions say
// otherwise.
func through(t testing.TB, url, exceptions string) *envelope.Session {
	t.Helper()
	config := defaults(t)
	config.Proxies = []envelope.ProxyRule{{Match: "all", URL: url, Option: "proxy"}}
	config.NoProxy = exceptions
	return config
}

// An http proxy is told the whole URL of a plain request; TLS and all that a
// SOCKS proxy carries takes a tunnel, in which the request is as ever.
func TestRequestsAreForwardedOrTunnelled(t *testing.T) {
	for _, c := range []struct {
		proxy, url, path string
		forward          bool
	}{
		{"http://p", "http://user:pw@a.example/x?y#z", "http://a.example/x?y", true},
		{"https://p", "http://[::1]:81/", "http://[::1]:81/", true},
		{"http://p", "https://a.example/x", "/x", false},
		{"socks5h://p", "http://a.example/x", "/x", false},
	} {
		hops := trip(t, through(t, c.proxy, ""), get(c.url), "")
		hop := &hops[0]
		if hop.origin.Proxy == nil || hop.origin.Forward != c.forward || hop.Path != c.path || hop.Absolute != c.forward {
			t.Errorf("%s through %s: %+v, path %s", c.url, c.proxy, hop.origin, hop.Path)
		}
	}
}

// What must not be sent twice does not go out on a forwarding connection that
// the proxy may be about to close.
func TestForwardedRequestsThatCannotBeRepeatedGetFreshConnections(t *testing.T) {
	for _, c := range []struct {
		proxy, url string
		fresh      bool
	}{{"http://p", a, true}, {"http://p", secureA, false}, {"socks5h://p", a, false}} {
		s, w := onWire(t, through(t, c.proxy, ""), inTurn())
		must(t, s, post(c.url), "body")
		must(t, s, get(c.url), "")
		if w.requests[0].fresh != c.fresh || w.requests[1].fresh {
			t.Errorf("%s through %s: POST fresh %v, GET fresh %v", c.url, c.proxy, w.requests[0].fresh, w.requests[1].fresh)
		}
	}
}

// A WebSocket's handshake takes a tunnel, whatever its scheme.
func TestWebSocketsAreTunnelled(t *testing.T) {
	r := get(a)
	r.Kind = fingerprint.WebSocket
	if hop := trip(t, through(t, "http://p", ""), r, "")[0]; hop.origin.Forward || hop.Absolute {
		t.Errorf("%+v", hop.origin)
	}
}

// Safety 76: each hop decides anew whether it takes the proxy, and the proxy's
// credentials go to the proxy alone.
func TestEachHopDecidesAboutTheProxy(t *testing.T) {
	hops := trip(t, through(t, "http://u:p@p", "b.example"), get(a), "", to(302, b), to(302, secureA), to(302, a))
	for i, want := range []struct{ proxied, told bool }{{true, true}, {false, false}, {true, false}, {true, true}} {
		value := hops[i].field("Proxy-Authorization")
		if proxied := hops[i].origin.Proxy != nil; proxied != want.proxied || (value == "Basic dTpw") != want.told || !want.told && value != "" {
			t.Errorf("hop %d: proxied %v, told %q", i, proxied, value)
		}
	}
}

// Safety 16, 76: a Proxy-Authorization of the caller's goes to a proxy that
// speaks HTTP and to nobody else: not to an origin, not through a tunnel, and
// not along to another origin. It counts more than the proxy's own.
func TestProxyAuthorizationOfTheCallerGoesToTheProxyOnly(t *testing.T) {
	session := func(url string) *envelope.Session {
		config := through(t, url, "")
		config.Headers = headers("Proxy-Authorization: session")
		return config
	}
	said := get(a)
	said.Headers = headers("proxy-authorization: request")
	silent, secure := get(a), get(secureA)
	secure.Headers = said.Headers
	removed := get(a)
	removed.Headers = []envelope.HeaderChange{{Name: "Proxy-Authorization", Remove: true}}
	for name, c := range map[string]struct {
		config             *envelope.Session
		request            *envelope.Request
		sent, toldByTunnel string
	}{
		"forwarded":            {session("http://u:p@p"), said, "request", "request"},
		"the session's":        {session("http://u:p@p"), silent, "session", "session"},
		"the proxy's own":      {through(t, "http://u:p@p", ""), silent, "Basic dTpw", ""},
		"removed":              {session("http://u:p@p"), removed, "Basic dTpw", ""},
		"in a tunnel":          {session("http://u:p@p"), secure, "", "request"},
		"to a SOCKS proxy":     {session("socks5h://u:p@p"), said, "", ""},
		"directly":             {defaults(t), said, "", ""},
		"directly, by session": {func() *envelope.Session { c := session("http://p"); c.NoProxy = "*"; return c }(), silent, "", ""},
	} {
		for _, protocol := range []string{"http/1.1", "h2"} {
			s, w := onWire(t, c.config, inTurn())
			w.protocol = protocol
			must(t, s, c.request, "")
			hop := w.last()
			if got := hop.field("Proxy-Authorization"); got != c.sent || hop.origin.Credentials != c.toldByTunnel {
				t.Errorf("%s over %s: sent %q and %q", name, protocol, got, hop.origin.Credentials)
			}
		}
	}
	hops := trip(t, through(t, "http://p", ""), said, "", to(302, "/same"), to(302, b), to(302, a))
	expectCrossed(t, hops, "Proxy-Authorization", true, true, false, false)
}

// A forwarded request calls Connection what the profile's client calls it; the
// caller's own word stays.
func TestForwardedConnectionHasTheBrowsersName(t *testing.T) {
	for name, want := range map[string]string{
		"chrome-156-linux": "Host Proxy-Connection", "firefox-153-linux": "Host User-Agent Accept Accept-Language Accept-Encoding Connection",
	} {
		config := through(t, "http://p", "")
		config.Profile = profileNamed(t, name)
		var names []string
		for _, field := range trip(t, config, get(a), "")[0].Fields {
			names = append(names, field.Name)
		}
		if got := strings.Join(names, " "); !strings.HasPrefix(got, want) || strings.Count(got, "onnection") != 1 {
			t.Errorf("%s: %s", name, got)
		}
	}
	r := get(a)
	r.Headers = headers("Connection: close")
	if hop := trip(t, through(t, "http://p", ""), r, "")[0]; hop.field("Connection") != "close" || hop.field("Proxy-Connection") != "" {
		t.Errorf("%v", hop.Fields)
	}
}

// CONNECT is that of the profile's client, with the User-Agent of the session.
func TestConnectIsTheProfiles(t *testing.T) {
	for name, want := range map[string]string{
		"chrome-156-linux":  "Host: |Proxy-Connection: keep-alive|User-Agent: me",
		"firefox-153-linux": "User-Agent: me|Proxy-Connection: keep-alive|Connection: keep-alive|Host: ",
	} {
		profile, err := fingerprint.Parse([]byte(profileNamed(t, name)))
		if err != nil {
			t.Fatal(err)
		}
		for _, config := range []*envelope.Session{{UserAgent: "me"}, {UserAgent: "you", Headers: headers("user-agent: me")}} {
			var got []string
			for _, field := range connectFields(config, profile) {
				got = append(got, field.Name+": "+field.Value)
			}
			if text := strings.Join(got, "|"); text != want {
				t.Errorf("%s: %s", name, text)
			}
		}
		if got, _ := connectFields(&envelope.Session{}, profile).Get("User-Agent"); got != profile.UserAgent() {
			t.Error(got)
		}
	}
}

// A rule that cannot be used is an error that names who said it, and no secret.
func TestFaultyProxyNamesItsOption(t *testing.T) {
	config := defaults(t)
	config.Proxies = []envelope.ProxyRule{{Match: "http", URL: "http://h", Option: "HTTP_PROXY"}, {Match: "https", URL: "http://u:secret@h:x", Option: "HTTPS_PROXY"}}
	_, err := NewSession(config, nil)
	expectKind(t, err, envelope.InvalidOption)
	if !strings.HasPrefix(err.Error(), "HTTPS_PROXY: ") || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}

// A refusal says which proxy it was, and with what status.
func TestProxyFailureHasItsDetail(t *testing.T) {
	p, _ := proxy.Parse("http://u:secret@h:3128")
	s, _ := onWire(t, through(t, "http://p", ""), inTurn(reply{open: &proxy.Error{Proxy: p, Status: 407, What: "refused"}}))
	_, _, err := exchange(s, get(secureA), "")
	got := Failure(err)
	if got.Kind != envelope.Proxy || got.Detail["proxy"] != "http://h:3128" || got.Detail["status"] != "407" || got.Detail["delivery"] != "unsent" {
		t.Errorf("%+v", got)
	}
}
