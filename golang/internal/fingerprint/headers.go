package fingerprint

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Kinds of requests that browsers tell apart by their headers.
const (
	Navigate  = "navigate"
	Fetch     = "fetch"
	XHR       = "xhr"
	Image     = "image"
	WebSocket = "websocket"
)

// fallback says whose layout a kind without one in the profile uses.
var fallback = map[string]string{
	Navigate: "", Fetch: Navigate, XHR: Fetch, Image: Fetch, WebSocket: Fetch,
}

// redirected ends the name of a kind's layout for requests that follow a
// redirect: browsers add some of their fields anew then, in other places. What
// is a name alone in it has the value that the kind has.
const redirected = "-redirected"

// Redirected names that layout.
func Redirected(kind string) string { return kind + redirected }

// Rest is the name of the place where fields go that have no place of their own.
const Rest = "*"

// Slot is one field of a request, or the place of one.
type Slot struct {
	Name, Value string
	// Place marks a field that the engine fills when the request has it: Host,
	// Cookie, Content-Length, …, or Rest.
	Place bool
}

// HeaderRow is an entry of a header list: [name, value], or only a name for a
// place.
type HeaderRow Slot

// HTTP1 says what HTTP/1.1 does differently: per kind the names in the order
// and case of that version. A row's value is the one that the kind has in
// headers, unless the row has its own; what is not named is not sent.
type HTTP1 struct {
	Headers map[string][]HeaderRow `json:"headers,omitempty"`
	// JoinedBody is up to how many bytes a head and its body leave together; 0: as it suits.
	JoinedBody int `json:"joined_body,omitempty"`
	// Connect are the fields of a CONNECT request to a proxy; none: Chromium's.
	Connect []HeaderRow `json:"connect,omitempty"`
}

// chromiumConnect is what Chromium 156 was seen to send.
var chromiumConnect = []HeaderRow{
	{Name: "Host", Place: true}, {Name: "Proxy-Connection", Value: "keep-alive"}, {Name: "User-Agent", Place: true},
}

// ConnectSlots returns the fields of a CONNECT request, with places for Host,
// User-Agent and Proxy-Authorization.
func (h *HTTP1) ConnectSlots() []Slot {
	if h.Connect == nil {
		return toSlots(chromiumConnect)
	}
	return toSlots(h.Connect)
}

// RenamesConnection reports whether Connection is called Proxy-Connection in a
// request that a proxy passes on. Chromium does so; Firefox, which sends CONNECT
// with both, has Connection there, too.
func (h *HTTP1) RenamesConnection() bool {
	return !slices.ContainsFunc(h.Connect, func(row HeaderRow) bool { return strings.EqualFold(row.Name, "Connection") })
}

type layoutKey struct{ kind, protocol string }

// Layout returns the fields of a request of a kind, or of Redirected of it, over a
// protocol ("http/1.1" or "h2") in wire order, with names in that protocol's
// case. The slots are shared and must not be changed.
func (p *Profile) Layout(kind, protocol string) []Slot {
	return p.layouts[layoutKey{kind, protocol}]
}

// ValidKind reports whether kind names a kind of request.
func ValidKind(kind string) bool {
	_, ok := fallback[kind]
	return ok
}

// layOut computes the layouts of all kinds for both protocols.
func (p *Profile) layOut() error {
	if err := p.checkHeaders(); err != nil {
		return err
	}
	p.layouts = make(map[layoutKey][]Slot, 4*len(fallback))
	for kind := range fallback {
		from := p.describedKind(kind)
		rows, names := p.Headers[from], p.HTTP1.Headers[from]
		p.setLayouts(kind, rows, names)
		if again := p.Headers[Redirected(from)]; again != nil {
			rows = valued(again, rows)
			names = valued(p.HTTP1.Headers[Redirected(from)], rows, names)
		}
		p.setLayouts(Redirected(kind), rows, names)
	}
	if p.describedKind(WebSocket) != WebSocket {
		p.layOutWebSocket()
	}
	for key, slots := range p.layouts {
		if key.kind == WebSocket || key.kind == Redirected(WebSocket) {
			p.layouts[key] = placeSubprotocol(slots)
		}
	}
	return nil
}

// placeSubprotocol gives the subprotocols a place in a handshake that was captured
// without: behind the extensions in Chromium 156, which come last there, and in
// front of them in Firefox 153 (measured).
func placeSubprotocol(slots []Slot) []Slot {
	find := func(name string) int {
		return slices.IndexFunc(slots, func(s Slot) bool { return strings.EqualFold(s.Name, name) })
	}
	at := find("Sec-WebSocket-Extensions")
	if at < 0 || find("Sec-WebSocket-Protocol") >= 0 {
		return slots
	}
	name := "Sec-WebSocket-Protocol"
	if slots[at].Name == strings.ToLower(slots[at].Name) {
		name = strings.ToLower(name)
	}
	if at == len(slots)-1 {
		at++
	}
	return slices.Insert(slices.Clone(slots), at, Slot{Name: name, Place: true})
}

// describedKind is the kind whose headers a kind has.
func (p *Profile) describedKind(kind string) string {
	for p.Headers[kind] == nil {
		kind = fallback[kind]
	}
	return kind
}

func (p *Profile) setLayouts(kind string, rows, names []HeaderRow) {
	p.layouts[layoutKey{kind, "h2"}] = layoutH2(rows)
	p.layouts[layoutKey{kind, "http/1.1"}] = layoutH1(names, rows)
}

// valued gives rows that are a name alone the value that others have for it, the
// first ones first; nil stays nil.
func valued(names []HeaderRow, others ...[]HeaderRow) []HeaderRow {
	rows := slices.Clone(names)
	for i := range rows {
		for _, other := range others {
			at := slices.IndexFunc(other, func(r HeaderRow) bool { return !r.Place && strings.EqualFold(r.Name, rows[i].Name) })
			if at >= 0 && rows[i].Place {
				rows[i].Value, rows[i].Place = other[at].Value, false
			}
		}
	}
	return rows
}

// layOutWebSocket derives the handshake of a profile that does not have it from its
// other requests: as Chromium 156 does it (measured) for a browser, which is who
// tells where a script comes from; for others with what RFC 6455 section 4.1 asks
// for and who they are.
func (p *Profile) layOutWebSocket() {
	fetch := p.Layout(Fetch, "http/1.1")
	value := func(name string) (slot []Slot) {
		for _, s := range fetch {
			if strings.EqualFold(s.Name, name) && !s.Place {
				slot = []Slot{{Name: name, Value: s.Value}}
			}
		}
		return slot
	}
	browser := slices.ContainsFunc(fetch, func(s Slot) bool { return strings.EqualFold(s.Name, "Origin") })
	slots := []Slot{{Name: "Host", Place: true}, {Name: "Connection", Value: "Upgrade"}}
	if browser {
		slots = append(slots, Slot{Name: "Pragma", Value: "no-cache"}, Slot{Name: "Cache-Control", Value: "no-cache"})
	}
	slots = append(slots, value("User-Agent")...)
	slots = append(slots, Slot{Name: "Upgrade", Value: "websocket"})
	if browser {
		slots = append(slots, Slot{Name: "Origin", Place: true})
	}
	slots = append(slots, Slot{Name: "Sec-WebSocket-Version", Value: "13"})
	if browser {
		slots = append(append(slots, value("Accept-Encoding")...), value("Accept-Language")...)
	}
	slots = append(slots, Slot{Name: Rest, Place: true}, Slot{Name: "Cookie", Place: true},
		Slot{Name: "Sec-WebSocket-Key", Place: true},
		Slot{Name: "Sec-WebSocket-Extensions", Value: "permessage-deflate; client_max_window_bits"})
	for _, kind := range []string{WebSocket, Redirected(WebSocket)} {
		p.layouts[layoutKey{kind, "http/1.1"}] = slots
		p.layouts[layoutKey{kind, "h2"}] = layoutH2(toRows(slots))
	}
}

func (p *Profile) checkHeaders() error {
	if p.Headers[Navigate] == nil {
		return errors.New("headers.navigate: missing")
	}
	for path, kinds := range map[string]map[string][]HeaderRow{"headers": p.Headers, "http1.headers": p.HTTP1.Headers} {
		for kind, rows := range kinds {
			if !ValidKind(strings.TrimSuffix(kind, redirected)) {
				return fmt.Errorf("%s.%s: no such kind of request", path, kind)
			}
			if p.Headers[kind] == nil {
				return fmt.Errorf("%s.%s: the kind is missing in headers", path, kind)
			}
			if err := checkRows(rows); err != nil {
				return fmt.Errorf("%s.%s: %w", path, kind, err)
			}
			if !slices.ContainsFunc(rows, func(row HeaderRow) bool { return row.Name == Rest }) {
				return fmt.Errorf(`%s.%s: no place "*" for other fields`, path, kind)
			}
		}
	}
	if err := checkRows(p.HTTP1.Connect); err != nil {
		return fmt.Errorf("http1.connect: %w", err)
	}
	return nil
}

func checkRows(rows []HeaderRow) error {
	seen := make(map[string]bool, len(rows))
	for i, row := range rows {
		name := strings.ToLower(row.Name)
		if seen[name] {
			return fmt.Errorf("%s is there twice", row.Name)
		}
		seen[name] = true
		if row.Name != Rest && !validName(row.Name) {
			return fmt.Errorf("[%d]: %q is no field name (RFC 9110 section 5.1)", i, row.Name)
		}
		if strings.ContainsFunc(row.Value, isControl) {
			return fmt.Errorf("[%d]: control character in the value of %s", i, row.Name)
		}
	}
	return nil
}

// layoutH2 lower-cases the names and leaves out what belongs to a connection of
// HTTP/1.1 (RFC 9113 section 8.2.2) or became a pseudo-header.
func layoutH2(rows []HeaderRow) []Slot {
	slots := make([]Slot, 0, len(rows))
	for _, row := range rows {
		row.Name = strings.ToLower(row.Name)
		switch row.Name {
		case "host", "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		default:
			slots = append(slots, Slot(row))
		}
	}
	return slots
}

// layoutH1 takes order and case from names, values from rows. Where the profile
// does not say how HTTP/1.1 looks, it is as rows with Host in front.
func layoutH1(names, rows []HeaderRow) []Slot {
	if names == nil {
		return append([]Slot{{Name: "Host", Place: true}}, toSlots(rows)...)
	}
	return toSlots(valued(names, rows))
}

// Explicit returns the profile as Document does, with nothing left to a rule:
// defaults are values, and the headers of every kind over both protocols are spelled out.
func (p *Profile) Explicit() []byte {
	full := *p
	if full.HTTP2.DataSize == 0 {
		full.HTTP2.DataSize = maxDataSize
	}
	full.HTTP1.Connect = toRows(p.HTTP1.ConnectSlots())
	full.Headers, full.HTTP1.Headers = make(map[string][]HeaderRow), make(map[string][]HeaderRow)
	for key, slots := range p.layouts {
		kind, again := strings.CutSuffix(key.kind, redirected)
		if again && p.Headers[Redirected(p.describedKind(kind))] == nil {
			continue // it is the kind's
		}
		if key.protocol == "h2" {
			full.Headers[key.kind] = toRows(slots)
		} else {
			full.HTTP1.Headers[key.kind] = toRows(slots)
		}
	}
	return full.Document()
}

func toRows(slots []Slot) []HeaderRow {
	rows := make([]HeaderRow, len(slots))
	for i, slot := range slots {
		rows[i] = HeaderRow(slot)
	}
	return rows
}

func toSlots(rows []HeaderRow) []Slot {
	slots := make([]Slot, len(rows))
	for i, row := range rows {
		slots[i] = Slot(row)
	}
	return slots
}

// UnmarshalJSON implements json.Unmarshaler.
func (r *HeaderRow) UnmarshalJSON(raw []byte) error {
	*r = HeaderRow{Place: true}
	if raw[0] == '"' {
		return json.Unmarshal(raw, &r.Name)
	}
	var pair []string
	if err := json.Unmarshal(raw, &pair); err != nil || len(pair) != 2 {
		return errors.New(`neither ["name", "value"] nor "name"`)
	}
	*r = HeaderRow{Name: pair[0], Value: pair[1]}
	return nil
}

// MarshalJSON implements json.Marshaler.
func (r HeaderRow) MarshalJSON() ([]byte, error) {
	if r.Place {
		return json.Marshal(r.Name)
	}
	return json.Marshal([]string{r.Name, r.Value})
}

// validName reports whether name is a token (RFC 9110 section 5.6.2).
func validName(name string) bool {
	for i := range len(name) {
		if c := name[i]; !isAlphanumeric(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return name != ""
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
