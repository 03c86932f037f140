package engine

import (
	"slices"
	"strconv"

	"github.com/cycletls/cycletls/golang/internal/engine/cookie"
	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/message"
)

// compose lays the request out for the protocol of its connection.
func (x *Exchange) compose() {
	i, h := &x.intent, &x.hop
	authority := x.authority()
	h2 := h.conn.Protocol == "h2"
	prepared := x.session.layoutFor(i, h2)
	m := merge{layout: prepared.layout, changes: i.changes, order: x.request.HeaderOrder, h2: h2}
	if m.order == nil {
		m.order = x.session.config.HeaderOrder
	}
	if x.request.WebSocket != nil {
		m.changes = x.opening(m.layout, h2)
	}
	m.values[host] = authority
	x.describeBody(&m)
	m.values[authorization] = x.authorization(m.layout)
	m.values[cookies] = x.cookies(m.layout)
	path := i.url.Target
	if h.route.Forward {
		path = i.url.Absolute()
		x.forwarded(&m)
	}
	h.composed = prepared.compose(&m)
	h.head = message.Request{
		Method:    i.method,
		Scheme:    i.url.Scheme,
		Authority: authority,
		Path:      path,
		Absolute:  h.route.Forward,
		Fields:    h.composed.fields,
		HasBody:   i.hasBody,
		Length:    i.length,
	}
	if x.request.WebSocket != nil && h2 {
		h.head.Method, h.head.Protocol, h.head.HasBody, h.head.Length = "CONNECT", "websocket", true, message.UnknownLength
	}
}

// authority is the Host of the caller or the session, or else the URL's: what is
// connected to is always the URL's.
func (x *Exchange) authority() string {
	switch i := &x.intent; {
	case i.host != "":
		return i.host
	case x.session.host != "" && !i.foreign:
		return x.session.host
	default:
		return i.url.Authority
	}
}

// describeBody sets the fields that tell of the body. Methods that expect one
// say so when there is none (RFC 9110 section 8.6).
func (x *Exchange) describeBody(m *merge) {
	i := &x.intent
	switch {
	case i.hasBody && i.length < 0:
		m.values[transferEncoding] = "chunked"
	case i.hasBody:
		m.values[contentLength] = strconv.FormatInt(i.length, 10)
	case i.method == "POST", i.method == "PUT", i.method == "PATCH", sets(i.changes, roleNames[contentLength]):
		m.values[contentLength] = "0"
	}
	if i.hasBody {
		m.values[contentType] = x.request.Body.ContentType
	}
	if x.expects() {
		m.values[expect] = "100-continue"
	}
}

// authorization returns Basic credentials (RFC 7617): those that were given for
// the request always, those in its URL where no header says otherwise.
func (x *Exchange) authorization(l layout) string {
	if auth := x.intent.auth; auth != nil {
		return message.Basic(auth.User, auth.Password)
	}
	u := x.intent.url
	if _, said := l.value(authorization); !u.HasUser || said || mentions(x.intent.changes, roleNames[authorization]) {
		return ""
	}
	return message.Basic(u.User, u.Password)
}

// mentions reports whether changes set or remove a field.
func mentions(changes []envelope.HeaderChange, name string) bool {
	return slices.ContainsFunc(changes, func(c envelope.HeaderChange) bool { return same(c.Name, name) })
}

func sets(changes []envelope.HeaderChange, name string) bool {
	return slices.ContainsFunc(changes, func(c envelope.HeaderChange) bool { return !c.Remove && same(c.Name, name) })
}

// cookies returns the one Cookie field. A Cookie header of the caller's or the
// session's stands in for the jar, as in requests and httpx; the cookies of the
// request join either.
func (x *Exchange) cookies(l layout) string {
	explicit, said := "", false
	for n := range x.intent.changes {
		if c := &x.intent.changes[n]; same(c.Name, roleNames[cookies]) {
			explicit, said = joinCookies(explicit, c.Value), true
		}
	}
	if !said {
		explicit, said = l.value(cookies)
	}
	if !said {
		return x.jar.Header(x.place(), x.intent.cookies)
	}
	for _, c := range x.intent.cookies {
		explicit = joinCookies(explicit, c.Name+"="+c.Value)
	}
	return explicit
}

func joinCookies(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

func (x *Exchange) place() cookie.Place {
	u := x.intent.url
	return cookie.Place{Host: u.Host, Path: u.Path, Secure: u.Secure(), Foreign: x.intent.foreign}
}
