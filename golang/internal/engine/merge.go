package engine

import (
	"slices"
	"strconv"
	"strings"

	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/message"
)

// merge is how a request gets its fields: the layout gives order and defaults,
// the caller overrules both. changes are few and layouts short, so names are
// compared, not hashed.
type merge struct {
	layout  layout
	changes []envelope.HeaderChange
	order   []string
	h2      bool
	// proxyConnection: Connection is called Proxy-Connection, unless the caller
	// has set it.
	proxyConnection bool
	// values of the roles that the engine fills; "" = no field
	values [roles]string
	out    message.Fields
}

// fields returns the fields in wire order.
func (m *merge) fields() message.Fields {
	m.out = make(message.Fields, 0, len(m.layout)+len(m.changes))
	previous := ""
	for i := range m.layout {
		s := &m.layout[i]
		switch {
		case s.role == rest:
			m.others()
		case s.role >= host && m.decides(s.role):
			m.engines(s)
		case i > 0 && same(previous, s.name) && mentions(m.changes, s.name):
			// the session's second value of a field that the caller has set
		case m.callers(s.name):
		case s.role > rest && m.values[s.role] != "" && s.value == "" && !s.removed:
			m.add(s.name, m.values[s.role])
		case s.value != "" && m.proxyConnection && same(s.name, "Connection"):
			m.add("Proxy-"+s.name, s.value)
		case s.value != "":
			m.out = append(m.out, message.Field{Name: s.name, Value: s.value})
		}
		previous = s.name
	}
	if len(m.order) > 0 {
		reorder(m.out, m.order)
	}
	return m.out
}

// saysNothing reports whether the fields follow from the layout and the
// authority alone.
func (m *merge) saysNothing() bool {
	for r := host + 1; r < roles; r++ {
		if m.values[r] != "" {
			return false
		}
	}
	return len(m.changes) == 0 && len(m.order) == 0 && !m.proxyConnection
}

// decides reports whether the engine's value of a role stands whatever the
// caller wrote, because it has already gone into it.
func (m *merge) decides(r role) bool {
	switch r {
	case host, contentLength, transferEncoding, cookies, proxyAuthorization:
		return true
	case authorization, expect:
		return m.values[r] != ""
	}
	return false
}

// engines adds the engine's value, under the caller's spelling of the name.
func (m *merge) engines(s *slot) {
	if m.values[s.role] == "" {
		return
	}
	name := s.name
	for i := range m.changes {
		if c := &m.changes[i]; !c.Remove && same(c.Name, name) {
			name = c.Name
			break
		}
	}
	m.add(name, m.values[s.role])
	m.values[s.role] = "" // once, should the layout have two
}

// callers adds the caller's fields of a name, in order, and reports whether the
// caller has said anything about it.
func (m *merge) callers(name string) bool {
	said := false
	for i := range m.changes {
		c := &m.changes[i]
		if !same(c.Name, name) {
			continue
		}
		said = true
		if !c.Remove {
			m.add(c.Name, c.Value)
		}
	}
	return said
}

// others adds the caller's fields that have no slot.
func (m *merge) others() {
	for i := range m.changes {
		c := &m.changes[i]
		if !c.Remove && !slices.ContainsFunc(m.layout, func(s slot) bool { return same(s.name, c.Name) }) {
			m.add(c.Name, c.Value)
		}
	}
}

func (m *merge) add(name, value string) {
	if field, sent := written(name, value, m.h2); sent {
		m.out = append(m.out, field)
	}
}

// written returns a field as its protocol writes it, and whether it has it.
func written(name, value string, h2 bool) (message.Field, bool) {
	value = strings.Trim(value, " \t")
	if h2 {
		if belongsToConnection(name, value) || same(name, "Host") {
			return message.Field{}, false
		}
		name = strings.ToLower(name)
	}
	return message.Field{Name: name, Value: value}, true
}

// reorder puts the named fields in that order into the places that they have
// among the others.
func reorder(fields message.Fields, order []string) {
	rank := func(name string) int {
		return slices.IndexFunc(order, func(o string) bool { return same(o, name) })
	}
	var places []int
	var named message.Fields
	for i, field := range fields {
		if rank(field.Name) >= 0 {
			places = append(places, i)
			named = append(named, field)
		}
	}
	slices.SortStableFunc(named, func(a, b message.Field) int { return rank(a.Name) - rank(b.Name) })
	for i, place := range places {
		fields[place] = named[i]
	}
}

// BodyError is a body that cannot be framed as the caller's fields say.
type BodyError struct{ What string }

func (e *BodyError) Error() string { return e.What }

// frame checks the caller's framing fields against the body and returns its
// length: no request may leave that two servers could cut differently (RFC 9112
// section 6.3, CVE-2023-29406).
func frame(changes []envelope.HeaderChange, hasBody bool, length int64) (int64, error) {
	declared, chunked := "", false
	for i := range changes {
		c := &changes[i]
		switch {
		case c.Remove:
		case same(c.Name, "Content-Length"):
			if declared != "" {
				return 0, &BodyError{"more than one Content-Length"}
			}
			declared = strings.Trim(c.Value, " \t")
			if declared == "" || len(declared) > 18 || strings.Trim(declared, "0123456789") != "" {
				return 0, &BodyError{"Content-Length is not a number: " + strconv.Quote(declared)}
			}
		case same(c.Name, "Transfer-Encoding"):
			if chunked || !strings.EqualFold(strings.Trim(c.Value, " \t"), "chunked") {
				return 0, &BodyError{"a request has no Transfer-Encoding but chunked"}
			}
			chunked = true
		}
	}
	switch {
	case chunked && declared != "":
		return 0, &BodyError{"both Content-Length and Transfer-Encoding"}
	case chunked && !hasBody:
		return 0, &BodyError{"Transfer-Encoding without a body"}
	case chunked && length >= 0:
		return 0, &BodyError{"Transfer-Encoding with a body whose length is known"}
	case declared == "":
		return length, nil
	}
	number, _ := strconv.ParseInt(declared, 10, 64) // its form is checked above
	if hasBody && length < 0 || number == length {
		return number, nil
	}
	return 0, &BodyError{"Content-Length " + declared + " with a body of " + strconv.FormatInt(length, 10) + " bytes"}
}
