package fingerprint

import (
	"slices"
	"testing"
)

// A WebSocket offers HTTP/1.1 alone, and leaves out what the profile says;
// Firefox does that only where the server may speak HTTP/2.
func TestWebSocketHasItsOwnHello(t *testing.T) {
	for _, c := range []struct {
		name       string
		onlyHTTP1  bool
		protocols  []string
		compresses bool
	}{
		{"chrome-156-linux", false, []string{"http/1.1"}, true},
		{"chrome-156-linux", true, []string{"http/1.1"}, true},
		{"firefox-153-linux", false, []string{"http/1.1"}, false},
		{"firefox-153-linux", true, []string{"h2", "http/1.1"}, true},
	} {
		p := load(t, c.name)
		sent, err := ParseHello(sentMessage(t, p, p.ForWebSocket(HelloOptions{ServerName: "a.example"}, c.onlyHTTP1)))
		if err != nil {
			t.Fatal(err)
		}
		if got := sent.protocols(); !slices.Equal(got, c.protocols) || (sent.find(27) != nil) != c.compresses {
			t.Errorf("%s, only HTTP/1.1: %v: ALPN %v, compress_certificate %v", c.name, c.onlyHTTP1, got, sent.find(27) != nil)
		}
	}
}

// What a profile says of WebSockets is found in hellos that follow it.
func TestVariationIsImplied(t *testing.T) {
	for _, name := range shipped {
		p := load(t, name)
		hellos := func(onlyHTTP1 bool, options HelloOptions) []*SentHello {
			sent, err := ParseHello(sentMessage(t, p, p.ForWebSocket(options, onlyHTTP1)))
			if err != nil {
				t.Fatal(err)
			}
			return []*SentHello{sent}
		}
		for _, options := range []HelloOptions{{ServerName: "a.example"}, {ServerName: "a.example", PSKLength: 300}} {
			got, want := p.TLS.ImpliedVariation(hellos(false, options), hellos(true, options)), p.TLS.WebSocket
			if (got == nil) != (want == nil) || got != nil && (!slices.Equal(got.Without, want.Without) || got.UnlessHTTP1 != want.UnlessHTTP1) {
				t.Errorf("%s: %+v, want %+v", name, got, want)
			}
		}
		if got := p.TLS.ImpliedVariation(nil, hellos(true, HelloOptions{ServerName: "a.example"})); got != nil {
			t.Errorf("%s: %+v of no hello", name, got)
		}
	}
}

// A hello that a notation describes is sent for WebSockets, too.
func TestNotationHoldsForWebSockets(t *testing.T) {
	j, err := ParseJA3("771,4865-4866,0-10-11-13-16-27-43-51,29-23,0")
	if err != nil {
		t.Fatal(err)
	}
	p, err := j.Apply(load(t, "firefox-153-linux"))
	if err != nil {
		t.Fatal(err)
	}
	if sent := send(t, p, p.ForWebSocket(HelloOptions{ServerName: "a.example"}, false)); sent.ja3(t).String() != j.String() {
		t.Errorf("%s, want %s", sent.ja3(t), j)
	}
}
