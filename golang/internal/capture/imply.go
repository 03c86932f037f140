package capture

import (
	"fmt"

	"github.com/cycletls/cycletls/golang/internal/fingerprint"
)

// Imply makes the profile of the one client that the logs have seen: its name
// and source are the caller's to say, the rest is what was captured. What was
// not captured is noted in the source, as far as a profile needs it.
func Imply(name string, source fingerprint.Source, logs ...*Log) (*fingerprint.Profile, error) {
	var seen []Seen
	for _, log := range logs {
		seen = append(seen, log.Connections...)
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
	p.HTTP2, p.HTTP1.JoinedBody = impliedHTTP2(seen, note), joinedBody(seen)
	if err := implyHeaders(p, seen, note); err != nil {
		return nil, err
	}
	return fingerprint.Parse(p.Document())
}

// implyTLS reads the first hello of each connection: one after a
// HelloRetryRequest repeats it with another key.
func implyTLS(p *fingerprint.Profile, seen []Seen, note func(string, ...any)) (err error) {
	var hellos []*fingerprint.SentHello
	for i := range seen {
		if seen[i].TLS == nil || len(seen[i].TLS.Hellos) == 0 {
			continue
		}
		hello, err := fingerprint.ParseHello(seen[i].TLS.Hellos[0])
		if err != nil {
			return err
		}
		hellos = append(hellos, hello)
	}
	if len(hellos) == 1 {
		note("From one TLS connection, which cannot show whether the order of extensions is drawn.")
	}
	p.TLS, err = fingerprint.ImpliedTLS(hellos)
	return err
}

// sample is one request, ready to be compared with others of its kind.
type sample struct {
	kind, protocol string
	labelled       bool // its path says its kind
	method         string
	fields         []Field // without pseudo-header fields; cookie crumbs are one
}

func samplesOf(seen []Seen) []sample {
	var samples []sample
	for i := range seen {
		for j := range seen[i].Requests {
			r := &seen[i].Requests[j]
			_, labelled := pageOf(r.Target)
			samples = append(samples, sample{r.Kind, seen[i].Connection.Protocol, labelled, r.Method, plainFields(r.Fields)})
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
