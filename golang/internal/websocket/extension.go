package websocket

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// extension is one element of Sec-WebSocket-Extensions (RFC 6455 section 9.1).
type extension struct {
	name       string
	parameters []parameter
}

type parameter struct {
	name, value string
	valued      bool
}

// parseExtensions reads the values of Sec-WebSocket-Extensions.
func parseExtensions(values []string) ([]extension, error) {
	var list []extension
	for _, value := range values {
		for _, element := range split(value, ',') {
			if element == "" {
				continue // RFC 9110 section 5.6.1.2
			}
			e, err := parseExtension(element)
			if err != nil {
				return nil, err
			}
			list = append(list, e)
		}
	}
	return list, nil
}

func parseExtension(element string) (extension, error) {
	parts := split(element, ';')
	e := extension{name: parts[0]}
	if !httpguts.ValidHeaderFieldName(e.name) {
		return e, refused("malformed extension %q", element)
	}
	for _, part := range parts[1:] {
		var p parameter
		p.name, p.value, p.valued = strings.Cut(part, "=")
		p.name, p.value = strings.TrimSpace(p.name), unquote(strings.TrimSpace(p.value))
		if !httpguts.ValidHeaderFieldName(p.name) || p.valued && !httpguts.ValidHeaderFieldName(p.value) {
			return e, refused("malformed extension parameter %q", part)
		}
		e.parameters = append(e.parameters, p)
	}
	return e, nil
}

// split cuts at separators that are not in quotes.
func split(s string, separator byte) []string {
	var parts []string
	quoted, begin := false, 0
	for i := range len(s) {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == separator && !quoted:
			parts = append(parts, strings.TrimSpace(s[begin:i]))
			begin = i + 1
		}
	}
	return append(parts, strings.TrimSpace(s[begin:]))
}

// unquote takes the quotes off: what is in them must be a token again, so that
// there is nothing escaped that could be told apart.
func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

const permessageDeflate = "permessage-deflate"

// deflateParameters are those of permessage-deflate (RFC 7692 section 7.1); bits
// of 0 were not given, of bare without a value.
type deflateParameters struct {
	serverNoTakeover, clientNoTakeover bool
	serverBits, clientBits             int
}

const bare = -1

func (e *extension) deflate() (p deflateParameters, err error) {
	seen := make(map[string]bool)
	for _, given := range e.parameters {
		if seen[given.name] {
			return p, refused("%s is there twice", given.name)
		}
		seen[given.name] = true
		switch given.name {
		case "server_no_context_takeover":
			p.serverNoTakeover, err = true, given.flag()
		case "client_no_context_takeover":
			p.clientNoTakeover, err = true, given.flag()
		case "server_max_window_bits":
			p.serverBits, err = given.bits()
		case "client_max_window_bits":
			p.clientBits = bare
			if given.valued {
				p.clientBits, err = given.bits()
			}
		default:
			err = refused("unknown parameter %s of %s", given.name, e.name)
		}
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

func (p *parameter) flag() error {
	if p.valued {
		return refused("%s has a value", p.name)
	}
	return nil
}

func (p *parameter) bits() (int, error) {
	bits, err := strconv.Atoi(p.value)
	if err != nil || bits < 8 || bits > maxBits || p.value != strconv.Itoa(bits) {
		return 0, refused("%s=%s is no number from 8 to 15", p.name, p.value)
	}
	return bits, nil
}

// agreed is the compression that a response to an offer means.
func agreed(offered, given deflateParameters) (*Deflate, error) {
	switch {
	case given.clientBits == bare:
		return nil, refused("client_max_window_bits without a value")
	case given.clientBits != 0 && offered.clientBits == 0:
		return nil, refused("client_max_window_bits, which was not offered")
	case offered.serverNoTakeover && !given.serverNoTakeover:
		return nil, refused("server_no_context_takeover was not granted")
	case offered.serverBits > 0 && (given.serverBits == 0 || given.serverBits > offered.serverBits):
		return nil, refused("server_max_window_bits was not granted")
	}
	return &Deflate{
		ServerNoTakeover: given.serverNoTakeover, ClientNoTakeover: given.clientNoTakeover || offered.clientNoTakeover,
		ServerBits: orMax(given.serverBits), ClientBits: orMax(given.clientBits),
	}, nil
}

func orMax(bits int) int {
	if bits <= 0 {
		return maxBits
	}
	return bits
}

// HandshakeError is a response, or a request, that opens no WebSocket.
type HandshakeError struct{ What string }

func (e *HandshakeError) Error() string { return "WebSocket handshake: " + e.What }

func refused(format string, values ...any) error {
	return &HandshakeError{fmt.Sprintf(format, values...)}
}
