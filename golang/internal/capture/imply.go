package capture

import (
	"fmt"
	"slices"

	"github.com/cycletls/cycletls/golang/internal/fingerprint"
)

// Imply makes the profile of the one client that the logs have seen: its name
// and source are the caller's to say, the rest is what was captured. What was
// not captured is noted in the source, as far as a profile needs it.
func Imply(name string, source fingerprint.Source, logs ...*Log) (*fingerprint.Profile, error) {
	var seen []Seen
	var sockets [2][]*fingerprint.SentHello // for WebSockets: to servers of HTTP/2, to others
	for _, log := range logs {
		seen = append(seen, log.Connections...)
		spoke := 1
		if slices.ContainsFunc(log.Connections, speaksHTTP2) {
			spoke = 0
		}
		hellos, err := hellosOf(slices.DeleteFunc(slices.Clone(log.Connections), isNoWebSocket))
		if err != nil {
			return nil, err
		}
		sockets[spoke] = append(sockets[spoke], hellos...)
	}
	p := &fingerprint.Profile{
		Name: name, Source: source,
		HTTP1: fingerprint.HTTP1{Headers: map[string][]fingerprint.HeaderRow{}}, Headers: map[string][]fingerprint.HeaderRow{},
	}
	p.Source.Notes = append([]string{}, source.Notes...)
	note := func(format string, arguments ...any) {
		p.Source.Notes = append(p.Source.Notes, fmt.Sprintf(format, arguments...))
	}
	if err := implyTLS(p, seen, note); err != nil {
		return nil, err
	}
	p.TLS.WebSocket = p.TLS.ImpliedVariation(sockets[0], sockets[1])
	p.HTTP2, p.HTTP1.JoinedBody = impliedHTTP2(seen, note), joinedBody(seen)
	if err := implyHeaders(p, seen, note); err != nil {
		return nil, err
	}
	return fingerprint.Parse(p.Document())
}

func speaksHTTP2(s Seen) bool { return s.Connection.Protocol == "h2" }

func isNoWebSocket(s Seen) bool {
	return !slices.ContainsFunc(s.Requests, func(r Request) bool { return r.Kind == fingerprint.WebSocket })
}

// hellosOf reads the first hello of each connection: one after a
// HelloRetryRequest repeats it with another key.
func hellosOf(seen []Seen) (hellos []*fingerprint.SentHello, err error) {
	for i := range seen {
		if seen[i].TLS == nil || len(seen[i].TLS.Hellos) == 0 {
			continue
		}
		hello, err := fingerprint.ParseHello(seen[i].TLS.Hellos[0])
		if err != nil {
			return nil, err
		}
		hellos = append(hellos, hello)
	}
	return hellos, nil
}

func implyTLS(p *fingerprint.Profile, seen []Seen, note func(string, ...any)) error {
	hellos, err := hellosOf(seen)
	if err != nil {
		return err
	}
	if len(hellos) == 1 {
		note("From one TLS connection, which cannot show whether the order of extensions is drawn.")
	}
	p.TLS, err = fingerprint.ImpliedTLS(hellos)
	return err
}

// sample is one request, ready to be compared with others of its kind.
type sample struct {
	kind, protocol string // kind: or fingerprint.Redirected of one
	labelled       bool   // its path says its kind
	method         string
	fields         []Field // without pseudo-header fields; cookie crumbs are one
}

func samplesOf(seen []Seen) []sample {
	var samples []sample
	for i := range seen {
		for j := range seen[i].Requests {
			r := &seen[i].Requests[j]
			found, labelled := pageOf(r.Target)
			kind := r.Kind
			if found.followed {
				kind = fingerprint.Redirected(kind)
			}
			samples = append(samples, sample{kind, seen[i].Connection.Protocol, labelled, r.Method, plainFields(r.Fields)})
		}
	}
	return samples
}

func plainFields(fields []Field) []Field {
	var plain []Field
	cookies := false
	for _, field := range fields {
		crumb := field[0] == "cookie"
		if field[0] == "" || field[0][0] == ':' || crumb && cookies {
			continue
		}
		cookies = cookies || crumb
		plain = append(plain, field)
	}
	return plain
}
