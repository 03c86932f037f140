package engine

import (
	"slices"
	"strings"
	"sync/atomic"

	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/fingerprint"
	"github.com/cycletls/cycletls/golang/internal/message"
)

// role is who says what a slot of a layout holds when the caller says nothing.
type role uint8

const (
	fixed role = iota // the profile or the session; with no value: nobody
	rest              // the place of the caller's other fields
	host              // from here on the engine, by the request
	contentLength
	transferEncoding
	contentType
	authorization
	expect
	cookies
	proxyAuthorization
	roles
)

var roleNames = [roles]string{
	host: "Host", contentLength: "Content-Length", transferEncoding: "Transfer-Encoding",
	contentType: "Content-Type", authorization: "Authorization", expect: "Expect", cookies: "Cookie",
	proxyAuthorization: "Proxy-Authorization",
}

// roleOf returns fixed for fields that the engine does not care about.
func roleOf(name string) role {
	if name == fingerprint.Rest {
		return rest
	}
	for r := host; r < roles; r++ {
		if same(name, roleNames[r]) {
			return r
		}
	}
	return fixed
}

// slot is a place in a request's fields.
type slot struct {
	name, value string
	role        role
	removed     bool // the session wants none; a request may still set it
}

// layout is what the requests of a session have in common, by kind and protocol:
// the profile's fields with the session's changes made, and a slot for every
// role. It is immutable.
type layout []slot

// newLayout merges a profile's layout with the headers of the session.
func newLayout(profile []fingerprint.Slot, changes []envelope.HeaderChange, userAgent string, h2 bool) layout {
	l := make(layout, 0, len(profile)+len(changes)+int(roles))
	for _, s := range profile {
		value := s.Value
		if userAgent != "" && same(s.Name, "User-Agent") {
			value = userAgent
		}
		l = append(l, slot{name: s.Name, value: value, role: roleOf(s.Name)})
	}
	l = l.complete(h2)
	for i := range changes {
		l = l.change(changes, i)
	}
	return l.ready(h2)
}

// ready makes the fixed values such that they can be sent as they are.
func (l layout) ready(h2 bool) layout {
	for i := range l {
		s := &l[i]
		switch field, sent := written(s.name, s.value, h2); {
		case s.role == rest:
		case sent:
			s.name, s.value = field.Name, field.Value
		case s.role == fixed:
			s.value, s.removed = "", true
		}
	}
	return l
}

// complete gives every role a slot. What the profile does not place goes where
// most clients have it.
func (l layout) complete(h2 bool) layout {
	if !l.has(host) && !h2 {
		l = slices.Insert(l, 0, slot{name: roleNames[host], role: host})
	}
	for _, missing := range []struct {
		role   role
		beside role
		offset int // from the slot of beside
	}{
		{contentType, rest, 0}, {contentLength, contentType, 0}, {transferEncoding, contentLength, 1},
		{authorization, rest, 1}, {expect, rest, 1}, {cookies, rest, 1},
		{proxyAuthorization, contentLength, 1}, // Chromium's place
	} {
		if l.has(missing.role) || missing.role == transferEncoding && h2 {
			continue
		}
		name := roleNames[missing.role]
		if h2 {
			name = strings.ToLower(name)
		}
		l = slices.Insert(l, l.index(missing.beside)+missing.offset, slot{name: name, role: missing.role})
	}
	return l
}

func (l layout) has(r role) bool { return l.index(r) >= 0 }

// value returns what the session says about a role, and whether it says anything.
func (l layout) value(r role) (value string, said bool) {
	s := &l[l.index(r)]
	return s.value, s.removed || s.value != ""
}

func (l layout) index(r role) int {
	return slices.IndexFunc(l, func(s slot) bool { return s.role == r })
}

// change makes one change of the session. The first of a name replaces what the
// profile has, the others follow it; a new name goes to the place of the rest.
func (l layout) change(changes []envelope.HeaderChange, i int) layout {
	c := &changes[i]
	last, count := -1, 0
	for at := range l {
		if same(l[at].name, c.Name) {
			last = at
			count++
		}
	}
	value := strings.Trim(c.Value, " \t")
	switch {
	case c.Remove && last >= 0:
		l[last].value, l[last].removed = "", true
	case c.Remove:
	case last < 0:
		l = slices.Insert(l, l.index(rest), slot{name: c.Name, value: value})
	case sets(changes[:i], c.Name):
		l = slices.Insert(l, last+1, slot{name: c.Name, value: value, role: l[last].role})
	default:
		l[last] = slot{name: c.Name, value: value, role: l[last].role}
	}
	return l
}

// forForeign leaves out of the session's headers what stays behind at a redirect
// to another origin.
func forForeign(changes []envelope.HeaderChange) []envelope.HeaderChange {
	return slices.DeleteFunc(slices.Clone(changes), func(c envelope.HeaderChange) bool {
		return !c.Remove && staysBehind(c.Name)
	})
}

var kinds = [...]string{fingerprint.Navigate, fingerprint.Fetch, fingerprint.XHR, fingerprint.Image, fingerprint.WebSocket}

// prepared is a layout with the fields of the latest request that said nothing
// of its own: the next one like it has the same, and shares them. Nobody changes
// the fields of a request that is composed.
type prepared struct {
	layout layout
	latest atomic.Pointer[composed]
}

type composed struct {
	authority string
	fields    message.Fields
	told      envelope.Pairs // the fields: the response tells them
}

// compose returns the fields of a merge over this layout.
func (p *prepared) compose(m *merge) *composed {
	authority := m.values[host]
	if !m.saysNothing() {
		return compose(authority, m.fields())
	}
	if latest := p.latest.Load(); latest != nil && latest.authority == authority {
		return latest
	}
	made := compose(authority, m.fields())
	p.latest.Store(made)
	return made
}

func compose(authority string, fields message.Fields) *composed {
	return &composed{authority, fields, envelope.PairsOf(fields)}
}

// layoutFor returns the layout of a request; it is made once.
func (s *Session) layoutFor(i *intent, h2 bool) *prepared {
	index, kind := slices.Index(kinds[:], i.kind)*8, i.kind
	protocol, changes := "http/1.1", s.config.Headers
	if h2 {
		index++
		protocol = "h2"
	}
	if i.foreign {
		index += 2
		changes = forForeign(changes)
	}
	if i.hops > 0 {
		index += 4
		kind = fingerprint.Redirected(kind)
	}
	if made := s.layouts[index].Load(); made != nil {
		return made
	}
	made := &prepared{layout: newLayout(s.profile.Layout(kind, protocol), changes, s.config.UserAgent, h2)}
	s.layouts[index].Store(made)
	return made
}
