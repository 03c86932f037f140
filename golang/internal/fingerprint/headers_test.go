package fingerprint

import (
	"slices"
	"strings"
	"testing"
)

func names(slots []Slot) string {
	list := make([]string, len(slots))
	for i, slot := range slots {
		list[i] = slot.Name
	}
	return strings.Join(list, " ")
}

// The navigation of a browser has its headers in its order, and over HTTP/1.1 in
// its case.
func TestLayoutIsTheBrowsers(t *testing.T) {
	chrome, firefox := load(t, "chrome-156-linux"), load(t, "firefox-153-linux")
	for _, c := range []struct {
		p              *Profile
		kind, protocol string
		want           string
	}{
		{chrome, Navigate, "h2", "content-length cache-control sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform upgrade-insecure-requests content-type * user-agent origin accept sec-fetch-site sec-fetch-mode sec-fetch-user sec-fetch-dest referer accept-encoding accept-language cookie priority"},
		{chrome, Navigate, "http/1.1", "Host Connection Content-Length Cache-Control sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform Upgrade-Insecure-Requests Content-Type * User-Agent Origin Accept Sec-Fetch-Site Sec-Fetch-Mode Sec-Fetch-User Sec-Fetch-Dest Referer Accept-Encoding Accept-Language Cookie"},
		{chrome, Redirected(Navigate), "h2", "cache-control upgrade-insecure-requests * user-agent accept sec-fetch-site sec-fetch-mode sec-fetch-user sec-fetch-dest sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform referer accept-encoding accept-language cookie priority"},
		{firefox, Redirected(Navigate), "http/1.1", "Host User-Agent Accept Accept-Language Accept-Encoding * Referer Connection Cookie Upgrade-Insecure-Requests Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Sec-Fetch-User Priority"},
		{firefox, WebSocket, "http/1.1", "Host User-Agent Accept Accept-Language Accept-Encoding Sec-WebSocket-Version * Origin Sec-WebSocket-Protocol Sec-WebSocket-Extensions Sec-WebSocket-Key Connection Cookie Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Pragma Cache-Control Upgrade"},
		{chrome, Fetch, "h2", "content-length sec-ch-ua-platform * user-agent sec-ch-ua content-type sec-ch-ua-mobile accept origin sec-fetch-site sec-fetch-mode sec-fetch-dest referer accept-encoding accept-language cookie priority"},
		{firefox, Navigate, "h2", "user-agent accept accept-language accept-encoding content-type * content-length origin referer cookie upgrade-insecure-requests sec-fetch-dest sec-fetch-mode sec-fetch-site sec-fetch-user priority te"},
		{firefox, Navigate, "http/1.1", "Host User-Agent Accept Accept-Language Accept-Encoding Content-Type * Content-Length Origin Connection Referer Cookie Upgrade-Insecure-Requests Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Sec-Fetch-User Priority"},
	} {
		if got := names(c.p.Layout(c.kind, c.protocol)); got != c.want {
			t.Errorf("%s, %s over %s:\n%s\nwant\n%s", c.p.Name, c.kind, c.protocol, got, c.want)
		}
	}
}

// Values are declared once and hold for both versions.
func TestLayoutTakesValuesAcrossVersions(t *testing.T) {
	p := load(t, "chrome-156-linux")
	find := func(protocol, name string) Slot {
		slots := p.Layout(Fetch, protocol)
		return slots[slices.IndexFunc(slots, func(s Slot) bool { return s.Name == name })]
	}
	if got := find("http/1.1", "User-Agent"); got.Value != p.UserAgent() || got.Place {
		t.Errorf("User-Agent: %+v", got)
	}
	if got := find("http/1.1", "Connection"); got.Value != "keep-alive" || got.Place {
		t.Errorf("Connection: %+v", got)
	}
	if got := find("h2", "cookie"); !got.Place {
		t.Errorf("cookie: %+v", got)
	}
}

// Every kind has a layout in every profile, with a place for the rest.
func TestEveryKindHasALayout(t *testing.T) {
	for _, name := range shipped {
		p := load(t, name)
		for kind := range fallback {
			for _, protocol := range []string{"h2", "http/1.1"} {
				slots := p.Layout(kind, protocol)
				if !slices.ContainsFunc(slots, func(s Slot) bool { return s.Name == Rest && s.Place }) {
					t.Errorf("%s: %s over %s has no place for other fields", name, kind, protocol)
				}
				if protocol == "http/1.1" && (slots[0].Name != "Host" || !slots[0].Place) {
					t.Errorf("%s: %s begins with %+v", name, kind, slots[0])
				}
			}
		}
	}
	if ValidKind("audio") || load(t, "plain").Layout("audio", "h2") != nil {
		t.Error("an unknown kind has a layout")
	}
}

// A profile that says nothing of HTTP/1.1 sends there what it sends over
// HTTP/2, behind Host; fields of a connection never reach HTTP/2.
func TestLayoutWithoutHTTP1(t *testing.T) {
	text := string(document(t, "plain"))
	start, end := strings.Index(text, ` "http1"`), strings.Index(text, ` "http2"`)
	text = text[:start] + text[end:]
	text = strings.Replace(text, `"content-length",`, `"content-length", ["Connection", "keep-alive"],`, 1)
	p, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if got := names(p.Layout(Navigate, "http/1.1")); got != "Host content-length Connection content-type user-agent accept accept-encoding * cookie" {
		t.Error(got)
	}
	if got := names(p.Layout(Navigate, "h2")); got != "content-length content-type user-agent accept accept-encoding * cookie" {
		t.Error(got)
	}
}

// Chrome's brands follow from its version, as in 30 captures of real builds.
func TestChromeNamesItsBrands(t *testing.T) {
	for _, slot := range load(t, "chrome-156-linux").Layout(Navigate, "h2") {
		if slot.Name == "sec-ch-ua" && slot.Value != `"Not:A-Brand";v="8", "Chromium";v="156", "Google Chrome";v="156"` {
			t.Error(slot.Value)
		}
	}
}

// A profile that is written out in full sends what it did, and cannot be written
// out any fuller.
func TestExplicitProfileIsTheSame(t *testing.T) {
	for _, document := range everyProfile(t) {
		p, err := Parse([]byte(document))
		if err != nil {
			t.Fatal(err)
		}
		full, err := Parse(p.Explicit())
		if err != nil {
			t.Fatal(p.Name, err)
		}
		for key, layout := range p.layouts {
			if !slices.Equal(full.Layout(key.kind, key.protocol), layout) {
				t.Errorf("%s: %s over %s became %+v", p.Name, key.kind, key.protocol, full.layouts[key])
			}
		}
		if len(full.HTTP1.Headers) < len(fallback) || string(full.Explicit()) != string(p.Explicit()) {
			t.Errorf("%s: something was left to a rule", p.Name)
		}
	}
}

// What follows a redirect has the kind's values in an order of its own, and the
// kind's layout where the profile knows no other.
func TestRedirectedRequestsHaveTheKindsValues(t *testing.T) {
	p := load(t, "chrome-156-linux")
	for _, protocol := range []string{"h2", "http/1.1"} {
		kind := make(map[string]Slot)
		for _, slot := range p.Layout(Navigate, protocol) {
			kind[slot.Name] = slot
		}
		again := p.Layout(Redirected(Navigate), protocol)
		for _, slot := range again {
			if want := kind[slot.Name]; slot != want {
				t.Errorf("%s: %+v, want %+v", protocol, slot, want)
			}
		}
		if names(again) == names(p.Layout(Navigate, protocol)) {
			t.Errorf("%s: the order is the same", protocol)
		}
		if got, want := p.Layout(Redirected(Image), protocol), p.Layout(Image, protocol); !slices.Equal(got, want) {
			t.Errorf("%s: %s, want %s", protocol, names(got), names(want))
		}
		if got, want := p.Layout(Redirected(WebSocket), protocol), p.Layout(WebSocket, protocol); !slices.Equal(got, want) {
			t.Errorf("%s: %s, want %s", protocol, names(got), names(want))
		}
	}
}
