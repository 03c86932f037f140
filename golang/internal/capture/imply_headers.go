package capture

import (
	"errors"
	"slices"
	"strings"

	"github.com/cycletls/cycletls/golang/internal/fingerprint"
)

// ownField begins the names of fields that a page or a caller adds to a request
// by itself: where they come is the place of a caller's fields.
const ownField = "x-capture"

// perRequest are the fields whose value belongs to the request. All others a
// client sends on its own behalf.
var perRequest = strings.Fields(`host content-length content-type transfer-encoding cookie origin referer authorization
	proxy-authorization expect range if-range if-match if-none-match if-modified-since if-unmodified-since
	sec-websocket-key sec-websocket-protocol`)

// atTimes are fields that clients send on their own behalf, but not always: when a
// user wants a page anew.
var atTimes = []string{"cache-control", "pragma"}

// ofConnection are the fields that HTTP/2 does not have (RFC 9113 section 8.2.2).
var ofConnection = []string{"host", "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}

var kinds = []string{
	fingerprint.Navigate, fingerprint.Fetch, fingerprint.XHR, fingerprint.Image, fingerprint.WebSocket,
	fingerprint.Redirected(fingerprint.Navigate), fingerprint.Redirected(fingerprint.Fetch),
}

// implyHeaders lays out every kind of request that was captured.
func implyHeaders(p *fingerprint.Profile, seen []Seen, note func(string, ...any)) error {
	samples := samplesOf(seen)
	places := make(map[string][]row) // by protocol: a layout that shows the place of a caller's fields
	for _, protocol := range []string{"h2", "http/1.1"} {
		for _, kind := range kinds {
			if rows := layOut(ofKind(samples, kind, protocol)); slices.ContainsFunc(rows, row.isRest) && places[protocol] == nil {
				places[protocol] = rows
			}
		}
	}
	laidOut := make(map[string][]row) // by kind
	for _, kind := range kinds {
		base, again := strings.CutSuffix(kind, fingerprint.Redirected(""))
		if again && laidOut[base] != nil {
			places["h2"], places["http/1.1"] = laidOut[base], laidOut[base]
		}
		h2 := withRest(layOut(ofKind(samples, kind, "h2")), places["h2"])
		h1 := withRest(layOut(ofKind(samples, kind, "http/1.1")), places["http/1.1"])
		if h2 == nil && h1 != nil {
			h2 = withoutConnection(h1)
		}
		laidOut[kind] = h2
		if again && h2 != nil {
			p.Headers[kind] = namesOf(h2, laidOut[base])
		} else if h2 != nil {
			p.Headers[kind] = headerRows(h2)
		}
		if h1 != nil {
			p.HTTP1.Headers[kind] = namesOf(h1, h2)
		}
	}
	return standIn(p, note)
}

// standIn puts another kind in the place of the navigation that was not
// captured, because every profile has one.
func standIn(p *fingerprint.Profile, note func(string, ...any)) error {
	for _, kind := range kinds {
		if p.Headers[kind] == nil {
			continue
		}
		if kind != fingerprint.Navigate {
			note("No navigation was captured; the headers of %s stand for it.", kind)
			p.Headers[fingerprint.Navigate] = p.Headers[kind]
			if names := p.HTTP1.Headers[kind]; names != nil {
				p.HTTP1.Headers[fingerprint.Navigate] = names
			}
		}
		return nil
	}
	return errors.New("no request was captured")
}

// ofKind picks the requests that show a kind best: those whose path names it,
// where there are any.
func ofKind(samples []sample, kind, protocol string) []sample {
	var found, labelled []sample
	for _, s := range samples {
		if s.kind != kind || s.protocol != protocol {
			continue
		}
		found = append(found, s)
		if s.labelled {
			labelled = append(labelled, s)
		}
	}
	if labelled != nil {
		return labelled
	}
	return found
}

// row is a field of a layout under its name in lower case.
type row struct {
	key         string
	name, value string
	place       bool
}

func (r row) isRest() bool { return r.key == fingerprint.Rest }

// layOut merges requests of one kind into one layout. The first GET says what is
// always sent; the others add the places of what is sent when there is cause.
func layOut(samples []sample) []row {
	if len(samples) == 0 {
		return nil
	}
	first := max(0, slices.IndexFunc(samples, func(s sample) bool { return s.method == "GET" }))
	layout := rowsOf(samples[first].fields)
	for _, s := range samples {
		layout = mergeRows(layout, rowsOf(s.fields))
	}
	for i, r := range layout {
		missing := func(s sample) bool { return value(s.fields, r.name) == "" }
		if slices.Contains(atTimes, r.key) && slices.ContainsFunc(samples, missing) {
			layout[i].value, layout[i].place = "", true
		}
	}
	return layout
}

// rowsOf keeps the first field of a name.
func rowsOf(fields []Field) []row {
	var rows []row
	for _, field := range fields {
		r := row{key: strings.ToLower(field[0]), name: field[0], value: field[1]}
		switch {
		case strings.HasPrefix(r.key, ownField):
			r = row{key: fingerprint.Rest, name: fingerprint.Rest, place: true}
		case slices.Contains(perRequest, r.key):
			r.value, r.place = "", true
		}
		if find(rows, r.key) < 0 {
			rows = append(rows, r)
		}
	}
	return rows
}

func find(rows []row, key string) int {
	return slices.IndexFunc(rows, func(r row) bool { return r.key == key })
}

// mergeRows puts the places that only other has behind what they follow there.
func mergeRows(layout, other []row) []row {
	for i, r := range other {
		if !r.place && !slices.Contains(atTimes, r.key) || find(layout, r.key) >= 0 {
			continue
		}
		r.value, r.place = "", true
		at := 0
		for j := i - 1; j >= 0 && at == 0; j-- {
			at = find(layout, other[j].key) + 1
		}
		layout = slices.Insert(layout, at, r)
	}
	return layout
}

// withRest makes sure of a place for the caller's fields: behind content-type,
// else as in a layout that shows it, else last.
func withRest(layout, shows []row) []row {
	if layout == nil || slices.ContainsFunc(layout, row.isRest) {
		return layout
	}
	rest := row{key: fingerprint.Rest, name: fingerprint.Rest, place: true}
	if at := find(layout, "content-type"); at >= 0 {
		return slices.Insert(layout, at+1, rest)
	}
	for i := slices.IndexFunc(shows, row.isRest) + 1; i > 0 && i < len(shows); i++ {
		if at := find(layout, shows[i].key); at >= 0 {
			return slices.Insert(layout, at, rest)
		}
	}
	return append(layout, rest)
}

// withoutConnection is a layout of HTTP/1.1 as HTTP/2 would have it.
func withoutConnection(layout []row) []row {
	return slices.DeleteFunc(slices.Clone(layout), func(r row) bool { return slices.Contains(ofConnection, r.key) })
}

func headerRows(layout []row) []fingerprint.HeaderRow {
	rows := make([]fingerprint.HeaderRow, len(layout))
	for i, r := range layout {
		rows[i] = fingerprint.HeaderRow{Name: r.key, Value: r.value, Place: r.place}
	}
	return rows
}

// namesOf says how HTTP/1.1 writes the fields of layout: by name alone where the
// value is that of HTTP/2.
func namesOf(layout, values []row) []fingerprint.HeaderRow {
	rows := make([]fingerprint.HeaderRow, len(layout))
	for i, r := range layout {
		rows[i] = fingerprint.HeaderRow{Name: r.name, Value: r.value, Place: r.place}
		if at := find(values, r.key); at >= 0 && values[at].value == r.value && values[at].place == r.place {
			rows[i] = fingerprint.HeaderRow{Name: r.name, Place: true}
		}
	}
	return rows
}
