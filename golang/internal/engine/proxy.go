package engine

import (
	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/fingerprint"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/proxy"
	"github.com/cycletls/cycletls/golang/internal/transport"
)

// rulesOf reads which requests go through which proxy.
func rulesOf(config *envelope.Session) (*proxy.Rules, error) {
	if len(config.Proxies) == 0 {
		return nil, nil
	}
	rules := make([]proxy.Rule, len(config.Proxies))
	for i, p := range config.Proxies {
		rules[i] = proxy.Rule{Match: p.Match, URL: p.URL}
	}
	made, faulty, err := proxy.NewRules(rules, config.NoProxy)
	if err != nil {
		return nil, &OptionError{config.Proxies[faulty].Option, err}
	}
	return made, nil
}

// connectFields is the profile's CONNECT with the session's User-Agent.
func connectFields(config *envelope.Session, profile *fingerprint.Profile) message.Fields {
	userAgent := profile.UserAgent()
	if config.UserAgent != "" {
		userAgent = config.UserAgent
	}
	for _, c := range config.Headers {
		if same(c.Name, "User-Agent") {
			userAgent = c.Value
		}
	}
	var fields message.Fields
	for _, s := range profile.HTTP1.ConnectSlots() {
		if same(s.Name, "User-Agent") && s.Place {
			s.Value = userAgent
		}
		fields = append(fields, message.Field{Name: s.Name, Value: s.Value})
	}
	return fields
}

// route says where this hop's request goes: the rules are asked for each anew.
func (x *Exchange) route() transport.Origin {
	i, u := &x.intent, x.intent.url
	route := transport.Origin{
		Scheme: u.Scheme, Host: u.Host, Port: u.Port, WebSocket: i.kind == fingerprint.WebSocket, Proxy: x.session.proxies.For(u),
	}
	if route.Proxy != nil && route.Proxy.Forwards() {
		route.Credentials = x.proxyAuthorization()
		route.Forward = !u.Secure() && !route.WebSocket // which is no request that could be passed on
	}
	return route
}

// proxyAuthorization returns the caller's Proxy-Authorization, else the
// session's, "" where neither says one. It is for a proxy alone, whichever
// request it came with, and does not follow a redirect to another origin
// (CVE-2024-37891).
func (x *Exchange) proxyAuthorization() string {
	i := &x.intent
	if value, said := lastOf(i.changes, roleNames[proxyAuthorization]); said || i.foreign {
		return value
	}
	value, _ := lastOf(x.session.config.Headers, roleNames[proxyAuthorization])
	return value
}

// lastOf returns what changes make of a field, and whether they name it.
func lastOf(changes []envelope.HeaderChange, name string) (value string, said bool) {
	for n := range changes {
		if c := &changes[n]; same(c.Name, name) {
			value, said = c.Value, true // nil where it is removed
		}
	}
	return value, said
}

// forwarded completes a request that a proxy passes on: it is told the whole
// URL and who asks.
func (x *Exchange) forwarded(m *merge) {
	route := &x.hop.route
	m.values[proxyAuthorization] = route.Credentials
	if route.Credentials == "" {
		m.values[proxyAuthorization] = route.Proxy.Authorization()
	}
	m.proxyConnection = x.session.profile.HTTP1.RenamesConnection()
}
