package node

import (
	"encoding/json"
	"errors"
	"strings"
)

// options are what a client says about a request, under CycleTLS' names.
type options struct {
	configuration
	url, method string
	protocol    string // "" or one of the protocols below
	headers     headers
	headerOrder []string
	userAgent   string
	cookies     cookies
	body        content
	bytes       octets  // instead of body, unless empty
	timeout     seconds // 0: as our own clients
	noRedirects bool
}

// Protocols whose responses last.
const (
	protocolWebSocket = "websocket"
	protocolEvents    = "sse"
)

// configuration is what of the options makes a session: requests that differ in it
// share no connection.
type configuration struct {
	profile          string
	ja3, ja4r        string
	http2Fingerprint string
	disableGREASE    bool
	serverName       string
	proxy            string
	localAddress     string
	insecure         bool
	forceHTTP1       bool
	noReuse          bool
}

// What the npm client says where its user says nothing.
const (
	unsaidJA3 = "771,4865-4867-4866-49195-49199-52393-52392-49196-49200-49162-49161-49171-49172-51-57-47-53-10," +
		"0-23-65281-10-11-35-16-5-51-43-13-45-28-21,29-23-24-25-256-257,0"
	unsaidUserAgent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/101.0.4951.54 Safari/537.36"
)

// optionError is an option that cannot be taken.
type optionError struct{ name, what string }

func (e *optionError) Error() string { return e.name + ": " + e.what }

// parse reads the options of a request. Those that are not known are passed over:
// the client sends some that are for itself, and more with every version.
func parse(raw json.RawMessage) (*options, error) {
	var given map[string]json.RawMessage
	if err := json.Unmarshal(raw, &given); err != nil || given == nil {
		return nil, &optionError{"options", "not an object"}
	}
	o := &options{method: "GET"}
	for name, value := range given {
		set := setters[name]
		if set == nil || string(value) == "null" {
			continue
		}
		if err := set(o, value); err != nil {
			return nil, &optionError{name, err.Error()}
		}
	}
	o.method = strings.ToUpper(o.method)
	return o, o.check()
}

func (o *options) check() error {
	if o.url == "" {
		return &optionError{"url", "it is missing"}
	}
	if len(o.bytes) > 0 {
		o.body = content(o.bytes)
	}
	if o.profile != "" && o.ja3 == unsaidJA3 {
		o.ja3 = ""
	}
	if o.profile != "" && o.userAgent == unsaidUserAgent {
		o.userAgent = ""
	}
	return nil
}

// A setter takes the value of one option. It says what is wrong with a value by
// saying what would be right.
type setter func(*options, json.RawMessage) error

// setters are the options that mean something here, and so are taken or refused.
var setters = map[string]setter{
	"url":                   into("a text", func(o *options) *string { return &o.url }),
	"method":                into("a text", func(o *options) *string { return &o.method }),
	"profile":               into("the name of a profile", func(o *options) *string { return &o.profile }),
	"ja3":                   into("a text", func(o *options) *string { return &o.ja3 }),
	"ja4r":                  into("a text", func(o *options) *string { return &o.ja4r }),
	"http2Fingerprint":      into("a text", func(o *options) *string { return &o.http2Fingerprint }),
	"quicFingerprint":       unspoken[string],
	"disableGrease":         into("true or false", func(o *options) *bool { return &o.disableGREASE }),
	"userAgent":             into("a text", func(o *options) *string { return &o.userAgent }),
	"serverName":            into("a text", func(o *options) *string { return &o.serverName }),
	"proxy":                 into("a URL", func(o *options) *string { return &o.proxy }),
	"localAddress":          into("an address", func(o *options) *string { return &o.localAddress }),
	"insecureSkipVerify":    into("true or false", func(o *options) *bool { return &o.insecure }),
	"forceHTTP1":            into("true or false", func(o *options) *bool { return &o.forceHTTP1 }),
	"forceHTTP3":            unspoken[bool],
	"disableRedirect":       into("true or false", func(o *options) *bool { return &o.noRedirects }),
	"enableConnectionReuse": into("true or false", func(o *options) *opposite { return (*opposite)(&o.noReuse) }),
	"headerOrder":           into("a list of names", func(o *options) *[]string { return &o.headerOrder }),
	"headers":               into("an object of texts", func(o *options) *headers { return &o.headers }),
	"cookies":               into("a list of {name, value}, or an object of texts", func(o *options) *cookies { return &o.cookies }),
	"timeout":               into("a number of seconds", func(o *options) *seconds { return &o.timeout }),
	"body":                  into("a text or a Buffer", func(o *options) *content { return &o.body }),
	"bodyBytes":             into("bytes in base64 or a Buffer", func(o *options) *octets { return &o.bytes }),
	"protocol":              (*options).setProtocol,
}

func into[T any](what string, field func(*options) *T) setter {
	return func(o *options, raw json.RawMessage) error {
		if json.Unmarshal(raw, field(o)) != nil {
			return errors.New("not " + what)
		}
		return nil
	}
}

// unspoken is an option of a protocol that is not spoken here: it is refused unless
// it says nothing.
func unspoken[T comparable](_ *options, raw json.RawMessage) error {
	var said, nothing T
	if json.Unmarshal(raw, &said) != nil || said != nothing {
		return errNoHTTP3
	}
	return nil
}

var errNoHTTP3 = errors.New("HTTP/3 cannot be spoken")

func (o *options) setProtocol(raw json.RawMessage) error {
	var name string
	_ = json.Unmarshal(raw, &name) // what is no text is no name of a protocol
	switch name {
	case "", "http", "https", "http2":
	case "http1":
		o.forceHTTP1 = true
	case protocolWebSocket, protocolEvents:
		o.protocol = name
	case "http3":
		return errNoHTTP3
	default:
		return errors.New(`not "http1", "http2", "websocket" or "sse"`)
	}
	return nil
}
