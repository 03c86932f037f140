package websocket

import (
	"encoding/base64"
	"testing"

	"github.com/cycletls/cycletls/golang/internal/message"
)

// The example of RFC 6455 section 1.3, and keys that are new each time.
func TestKeys(t *testing.T) {
	if got := AcceptKey("dGhlIHNhbXBsZSBub25jZQ=="); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Error(got)
	}
	first, second := NewKey(), NewKey()
	if nonce, err := base64.StdEncoding.DecodeString(first); err != nil || len(nonce) != 16 || first == second {
		t.Error(first, second)
	}
}

func request(extensions, protocols string) message.Fields {
	fields := message.Fields{
		{Name: "Connection", Value: "keep-alive, Upgrade"}, {Name: "Upgrade", Value: "websocket"},
		{Name: "Sec-WebSocket-Version", Value: "13"}, {Name: "Sec-WebSocket-Key", Value: "dGhlIHNhbXBsZSBub25jZQ=="},
	}
	if extensions != "" {
		fields = append(fields, message.Field{Name: "Sec-WebSocket-Extensions", Value: extensions})
	}
	if protocols != "" {
		fields = append(fields, message.Field{Name: "Sec-WebSocket-Protocol", Value: protocols})
	}
	return fields
}

// Both ends come to the same agreement.
func TestAgreement(t *testing.T) {
	for offer, want := range map[string]*Deflate{
		"":                   nil,
		"x-other; a=1":       nil,
		"permessage-deflate": {ServerBits: 15, ClientBits: 15},
		"permessage-deflate; client_max_window_bits":                                      {ServerBits: 15, ClientBits: 15},
		"permessage-deflate; client_max_window_bits=10; server_max_window_bits=\"9\"":     {ServerBits: 9, ClientBits: 10},
		"permessage-deflate; server_no_context_takeover;client_no_context_takeover":       {true, true, 15, 15},
		"permessage-deflate; server_max_window_bits=7, x-o, permessage-deflate":           {ServerBits: 15, ClientBits: 15},
		"permessage-deflate; server_max_window_bits=8, permessage-deflate; client_what=1": {ServerBits: 8, ClientBits: 15},
	} {
		asked := request(offer, "chat, superchat")
		response, server, err := Answer(asked, []string{"superchat", "chat"}, true)
		must(t, err)
		client, err := CheckUpgrade(asked, response)
		must(t, err)
		if client.Subprotocol != "chat" || server.Subprotocol != "chat" {
			t.Errorf("%q, %q", client.Subprotocol, server.Subprotocol)
		}
		for _, got := range []*Deflate{client.Deflate, server.Deflate} {
			if (got == nil) != (want == nil) || got != nil && *got != *want {
				t.Errorf("%s: %v, want %v", offer, got, want)
			}
		}
	}
}

// A response that does not fit what was asked opens nothing.
func TestRefusedResponses(t *testing.T) {
	upgrade := func(more ...message.Field) message.Fields {
		return append(message.Fields{
			{Name: "upgrade", Value: "WebSocket"}, {Name: "connection", Value: "upgrade"},
			{Name: "sec-websocket-accept", Value: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
		}, more...)
	}
	extension := func(value string) message.Fields {
		return upgrade(message.Field{Name: "Sec-WebSocket-Extensions", Value: value})
	}
	const offer = "permessage-deflate; server_max_window_bits=10; server_no_context_takeover"
	if _, err := CheckUpgrade(request(offer, "a"), upgrade()); err != nil {
		t.Fatal(err)
	}
	for name, response := range map[string]message.Fields{
		"no upgrade":           upgrade()[1:],
		"other upgrade":        append(upgrade()[1:], message.Field{Name: "upgrade", Value: "h2c"}),
		"no connection":        append(upgrade()[:1:1], upgrade()[2:]...),
		"no accept":            upgrade()[:2],
		"wrong accept":         append(upgrade()[:2:2], message.Field{Name: "sec-websocket-accept", Value: AcceptKey("x")}),
		"other subprotocol":    upgrade(message.Field{Name: "Sec-WebSocket-Protocol", Value: "b"}),
		"two subprotocols":     upgrade(message.Field{Name: "Sec-WebSocket-Protocol", Value: "a, a"}),
		"subprotocol, again":   upgrade(message.Field{Name: "Sec-WebSocket-Protocol", Value: "a"}, message.Field{Name: "Sec-WebSocket-Protocol", Value: "a"}),
		"other extension":      extension("x-webkit-deflate-frame"),
		"two extensions":       extension("permessage-deflate; server_no_context_takeover; server_max_window_bits=10, permessage-deflate"),
		"takeover":             extension("permessage-deflate; server_max_window_bits=10"),
		"large window":         extension("permessage-deflate; server_no_context_takeover; server_max_window_bits=11"),
		"no window":            extension("permessage-deflate; server_no_context_takeover"),
		"own window":           extension("permessage-deflate; server_no_context_takeover; server_max_window_bits=10; client_max_window_bits=10"),
		"parameter twice":      extension("permessage-deflate; server_no_context_takeover; server_no_context_takeover; server_max_window_bits=10"),
		"flag with a value":    extension("permessage-deflate; server_no_context_takeover=1; server_max_window_bits=10"),
		"bits without a value": extension("permessage-deflate; server_no_context_takeover; server_max_window_bits"),
		"bits of 010":          extension("permessage-deflate; server_no_context_takeover; server_max_window_bits=010"),
		"unknown parameter":    extension("permessage-deflate; server_no_context_takeover; server_max_window_bits=10; x"),
		"malformed":            extension("permessage deflate"),
	} {
		if a, err := CheckUpgrade(request(offer, "a"), response); err == nil {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

// A request that is no handshake is refused by a server.
func TestRefusedRequests(t *testing.T) {
	for _, missing := range []string{"Connection", "Upgrade", "Sec-WebSocket-Version", "Sec-WebSocket-Key"} {
		if _, _, err := Answer(request("", "").Without(missing), nil, true); err == nil {
			t.Errorf("without %s", missing)
		}
	}
	if fields, a, err := Answer(request("permessage-deflate", "x"), []string{"y"}, false); err != nil || len(fields) != 3 || a != (Agreement{}) {
		t.Errorf("%v %+v %v", fields, a, err)
	}
}

// Parsing what anybody can write ends with an agreement that both can keep, or an
// error.
func FuzzExtensions(f *testing.F) {
	f.Add("permessage-deflate; client_max_window_bits", "permessage-deflate; client_max_window_bits=9")
	f.Add(`a; b="c,d"; e, permessage-deflate`, `permessage-deflate;server_no_context_takeover`)
	f.Fuzz(func(t *testing.T, offer, response string) {
		asked := request(offer, "")
		if a, err := CheckAgreement(asked, message.Fields{{Name: "Sec-WebSocket-Extensions", Value: response}}); err == nil && a.Deflate != nil {
			if d := a.Deflate; d.ServerBits < 8 || d.ServerBits > 15 || d.ClientBits < 8 || d.ClientBits > 15 {
				t.Errorf("%+v", d)
			}
		}
		answer, _, err := Answer(asked, nil, true)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := CheckUpgrade(asked, answer); err != nil {
			t.Errorf("our answer to %q: %v", offer, err)
		}
	})
}
