package fingerprint

import (
	"errors"
	"fmt"
	"slices"
)

// Choice is how a user says what to look like: a profile, or several of which
// the closest one lends what the notations leave out, and notations that
// replace parts of it.
type Choice struct {
	Profile       string   // a document, "" = the closest of Bases
	Bases         []string // documents, in order of preference
	JA3           string
	JA4R          string // JA4_r or JA4_ro; a hash, where one of the profiles has it
	HTTP2         string // Akamai's notation
	DisableGREASE bool   // take all GREASE out
	ForceHTTP1    bool   // offer no HTTP/2
	MinVersion    uint16 // of TLS; 0: any
}

// Resolve returns the profile that was chosen. Choices that cannot be had
// together are an error that names both.
func (c *Choice) Resolve() (*Profile, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	p, err := c.hello()
	if err == nil && c.HTTP2 != "" {
		p, err = c.http2(p)
	}
	if err != nil {
		return nil, err
	}
	if c.DisableGREASE {
		p = p.withoutGREASE()
	}
	if c.MinVersion > uint16(p.TLS.MaxVersion) {
		return nil, fmt.Errorf("profile %q reaches %s, min_tls is %s", p.Name, tlsName(p.TLS.MaxVersion), tlsName(Code(c.MinVersion)))
	}
	return p, nil
}

func (c *Choice) check() error {
	switch {
	case c.JA3 != "" && c.JA4R != "":
		return errors.New("ja3 and ja4r both describe the ClientHello: give one of them")
	case c.HTTP2 != "" && c.ForceHTTP1:
		return errors.New("http2_fingerprint and force_http1: without HTTP/2 there is nothing for the fingerprint to describe")
	case c.Profile == "" && len(c.Bases) == 0:
		return errors.New("no profile")
	}
	return nil
}

// hello chooses the profile and puts the ClientHello's notation over it.
func (c *Choice) hello() (*Profile, error) {
	bases, err := c.bases()
	if err != nil || c.JA3 == "" && c.JA4R == "" {
		return bases[0], err
	}
	if found, isHash := FindJA4(c.JA4R, bases); isHash {
		if found == nil {
			return nil, fmt.Errorf("ja4r: %s is a hash that none of %d profiles has: give the JA4_r or JA4_ro that it was made of", c.JA4R, len(bases))
		}
		return found, nil
	}
	notation, err := c.notation()
	if err != nil {
		return nil, err
	}
	return notation.Apply(Closest(bases, notation))
}

// bases returns at least one profile, if no error.
func (c *Choice) bases() ([]*Profile, error) {
	documents := c.Bases
	if c.Profile != "" {
		documents = []string{c.Profile}
	}
	bases := make([]*Profile, len(documents))
	for i, document := range documents {
		var err error
		if bases[i], err = Parse([]byte(document)); err != nil {
			return make([]*Profile, 1), err
		}
	}
	return bases, nil
}

func (c *Choice) notation() (Notation, error) {
	if c.JA3 != "" {
		return ParseJA3(c.JA3)
	}
	j, err := ParseJA4(c.JA4R)
	if err == nil && c.ForceHTTP1 && j.ALPN == "h2" {
		return nil, errors.New("ja4r and force_http1: JA4_r says h2, which will not be offered")
	}
	return j, err
}

func (c *Choice) http2(base *Profile) (*Profile, error) {
	a, err := ParseAkamai(c.HTTP2)
	if err != nil {
		return nil, err
	}
	return a.Apply(base)
}

func tlsName(version Code) string {
	return "TLS " + map[Code]string{versionTLS12: "1.2", versionTLS13: "1.3"}[version]
}

// withoutGREASE returns the profile without the values that only keep servers
// from taking new ones amiss (RFC 8701).
func (p *Profile) withoutGREASE() *Profile {
	stripped := *p
	stripped.Name = p.Name + " without GREASE"
	t := &stripped.TLS
	t.Ciphers = withoutGREASE(t.Ciphers)
	t.Extensions = slices.DeleteFunc(slices.Clone(t.Extensions), func(e Extension) bool { return e.Type == "grease" })
	for i := range t.Extensions {
		t.Extensions[i].dropGREASE()
	}
	return &stripped
}

// dropGREASE takes GREASE out of an extension that is a copy; its lists are not.
func (e *Extension) dropGREASE() {
	e.Groups, e.Versions, e.Algorithms = withoutGREASE(e.Groups), withoutGREASE(e.Versions), withoutGREASE(e.Algorithms)
	e.Shares = slices.DeleteFunc(slices.Clone(e.Shares), func(s KeyShare) bool { return s.Group.isGREASE() })
}
