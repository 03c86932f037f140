package websocket

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/cycletls/cycletls/golang/internal/message"
)

// NewKey returns a Sec-WebSocket-Key (RFC 6455 section 4.1).
func NewKey() string {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // never fails (crypto/rand)
	return base64.StdEncoding.EncodeToString(nonce[:])
}

// AcceptKey returns the Sec-WebSocket-Accept that answers a key (RFC 6455 section
// 4.2.2).
func AcceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Agreement is what a handshake came to.
type Agreement struct {
	Subprotocol string // "": none
	Deflate     *Deflate
}

// CheckUpgrade holds a 101 response against the request that it answers (RFC 6455
// section 4.1).
func CheckUpgrade(request, response message.Fields) (Agreement, error) {
	key, _ := request.Get("Sec-WebSocket-Key")
	accept, _ := response.Get("Sec-WebSocket-Accept")
	switch {
	case !has(response, "Upgrade", "websocket"):
		return Agreement{}, refused("the response does not upgrade to websocket")
	case !has(response, "Connection", "Upgrade"):
		return Agreement{}, refused("the response has no Connection: Upgrade")
	case accept != AcceptKey(key):
		return Agreement{}, refused("Sec-WebSocket-Accept does not answer the key")
	}
	return CheckAgreement(request, response)
}

// has reports whether a list field has a token.
func has(fields message.Fields, name, token string) bool {
	return httpguts.HeaderValuesContainsToken(fields.Values(name), token)
}

// CheckAgreement holds what a response says of subprotocol and extensions against
// what was offered; over HTTP/2 that is all there is to check (RFC 8441 section 5).
func CheckAgreement(request, response message.Fields) (a Agreement, err error) {
	if chosen := response.Values("Sec-WebSocket-Protocol"); len(chosen) > 0 {
		a.Subprotocol = chosen[0]
		if len(chosen) > 1 || !slices.Contains(tokens(request.Values("Sec-WebSocket-Protocol")), chosen[0]) {
			return a, refused("subprotocol %q was not offered", strings.Join(chosen, ", "))
		}
	}
	granted, err := parseExtensions(response.Values("Sec-WebSocket-Extensions"))
	if err != nil || len(granted) == 0 {
		return a, err
	}
	offer, err := parseExtensions(request.Values("Sec-WebSocket-Extensions"))
	if err != nil {
		return a, err
	}
	a.Deflate, err = grant(offer, granted)
	return a, err
}

// grant finds the offer that a server took up.
func grant(offers, granted []extension) (*Deflate, error) {
	if len(granted) > 1 || granted[0].name != permessageDeflate {
		return nil, refused("extension %q was not offered", granted[len(granted)-1].name)
	}
	given, err := granted[0].deflate()
	if err != nil {
		return nil, err
	}
	err = refused("extension %q was not offered", permessageDeflate)
	for _, offer := range offers {
		if offer.name != permessageDeflate {
			continue
		}
		var offered deflateParameters
		var taken *Deflate
		if offered, err = offer.deflate(); err != nil {
			continue
		}
		if taken, err = agreed(offered, given); err == nil {
			return taken, nil
		}
	}
	return nil, err
}

// tokens splits list fields.
func tokens(values []string) []string {
	var list []string
	for _, value := range values {
		for _, token := range strings.Split(value, ",") {
			if token = strings.TrimSpace(token); token != "" {
				list = append(list, token)
			}
		}
	}
	return list
}

// Answer checks a client's handshake over HTTP/1.1 and returns the fields of the
// 101 response (RFC 6455 section 4.2). Of the client's subprotocols it chooses the
// first that is among subprotocols; compression is granted as it is asked for.
func Answer(request message.Fields, subprotocols []string, compress bool) (message.Fields, Agreement, error) {
	var a Agreement
	key, _ := request.Get("Sec-WebSocket-Key")
	nonce, err := base64.StdEncoding.DecodeString(key)
	version, _ := request.Get("Sec-WebSocket-Version")
	switch {
	case !has(request, "Upgrade", "websocket"), !has(request, "Connection", "Upgrade"):
		return nil, a, refused("the request does not upgrade to websocket")
	case err != nil || len(nonce) != 16:
		return nil, a, refused("Sec-WebSocket-Key is not 16 bytes in base64")
	case version != "13":
		return nil, a, refused("version %q, where 13 is spoken", version)
	}
	fields := message.Fields{
		{Name: "Upgrade", Value: "websocket"}, {Name: "Connection", Value: "Upgrade"}, {Name: "Sec-WebSocket-Accept", Value: AcceptKey(key)},
	}
	for _, offered := range tokens(request.Values("Sec-WebSocket-Protocol")) {
		if slices.Contains(subprotocols, offered) {
			a.Subprotocol = offered
			fields = append(fields, message.Field{Name: "Sec-WebSocket-Protocol", Value: offered})
			break
		}
	}
	if compress {
		var value string
		if a.Deflate, value = accept(request.Values("Sec-WebSocket-Extensions")); a.Deflate != nil {
			fields = append(fields, message.Field{Name: "Sec-WebSocket-Extensions", Value: value})
		}
	}
	return fields, a, nil
}

// accept takes up the first offer of compression that can be, and says so.
func accept(values []string) (*Deflate, string) {
	offers, err := parseExtensions(values)
	if err != nil {
		return nil, ""
	}
	for _, offer := range offers {
		offered, err := offer.deflate()
		if offer.name != permessageDeflate || err != nil {
			continue
		}
		d := &Deflate{
			ServerNoTakeover: offered.serverNoTakeover, ClientNoTakeover: offered.clientNoTakeover,
			ServerBits: orMax(offered.serverBits), ClientBits: orMax(offered.clientBits),
		}
		return d, d.String()
	}
	return nil, ""
}

// String is the response that means d.
func (d *Deflate) String() string {
	text := permessageDeflate
	if d.ServerNoTakeover {
		text += "; server_no_context_takeover"
	}
	if d.ClientNoTakeover {
		text += "; client_no_context_takeover"
	}
	for _, window := range []struct {
		name string
		bits int
	}{{"server", d.ServerBits}, {"client", d.ClientBits}} {
		if window.bits < maxBits {
			text += "; " + window.name + "_max_window_bits=" + strconv.Itoa(window.bits)
		}
	}
	return text
}
