// Package fingerprint turns what a client looks like on the wire into data, and
// data into what TLS, HTTP/1.1 and HTTP/2 need to look that way. A Profile is
// one JSON document, usually captured from a real browser; the strings of the
// field (JA3, JA4, Akamai's) are read out of it, and JA3 can change one. It
// opens no connection.
package fingerprint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// Profile is everything that tells a client apart. It is immutable after Parse
// and may be shared.
type Profile struct {
	Name    string                 `json:"name"`
	Source  Source                 `json:"source"`
	TLS     TLS                    `json:"tls"`
	HTTP1   HTTP1                  `json:"http1"`
	HTTP2   HTTP2                  `json:"http2"`
	Headers map[string][]HeaderRow `json:"headers"`

	layouts map[layoutKey][]Slot
}

// Source says where the facts of a profile come from.
type Source struct {
	Browser  string   `json:"browser"`
	Version  string   `json:"version"`
	OS       string   `json:"os"`
	Captured string   `json:"captured"`        // when, "" where nothing was captured
	Notes    []string `json:"notes,omitempty"` // how, and which parts are not from the capture
}

// cacheSize bounds the documents that Parse remembers. A program may make a
// session per request, and parsing would then cost more than the request; a
// string's closest profile is looked for among all that are shipped.
const cacheSize = 128

var parsed struct {
	sync.Mutex
	profiles map[string]*Profile
}

// Parse reads a profile's document. A field that it does not know, a value out
// of range or a combination that cannot be sent is an error that names the path
// within the document.
func Parse(document []byte) (*Profile, error) {
	parsed.Lock()
	defer parsed.Unlock()
	if p, ok := parsed.profiles[string(document)]; ok {
		return p, nil
	}
	p, err := parse(document)
	if err != nil {
		return nil, err
	}
	if parsed.profiles == nil || len(parsed.profiles) >= cacheSize {
		parsed.profiles = make(map[string]*Profile)
	}
	parsed.profiles[string(document)] = p
	return p, nil
}

func parse(document []byte) (*Profile, error) {
	p := new(Profile)
	if err := decode(document, p); err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	if err := p.prepare(); err != nil {
		return nil, fmt.Errorf("profile %q: %w", p.Name, err)
	}
	return p, nil
}

// prepare checks what the types alone do not say and lays the headers out.
func (p *Profile) prepare() error {
	if p.Name == "" {
		return errors.New("name: missing")
	}
	for _, check := range []func() error{p.TLS.check, p.HTTP2.check, p.layOut} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// UserAgent returns the value of the navigation's User-Agent, "" where the
// profile has none.
func (p *Profile) UserAgent() string {
	for _, row := range p.Headers[Navigate] {
		if strings.EqualFold(row.Name, "user-agent") {
			return row.Value
		}
	}
	return ""
}

// Document returns the profile as JSON that Parse accepts.
func (p *Profile) Document() []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(p); err != nil {
		panic(err) // no type of a profile can fail to encode
	}
	return b.Bytes()
}
