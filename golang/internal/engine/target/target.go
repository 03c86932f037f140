// Package target parses what a request is aimed at: an http or https URL, by the
// rules that browsers share (the WHATWG URL Standard, https://url.spec.whatwg.org).
// Connecting, the Host field, cookies, credentials and redirects all take their
// part from one URL, so that no two of them can read it differently.
//
// Only the Standard's special schemes http and https exist here, which leaves a
// small part of its state machine and lets it run in one pass, in time linear in
// the input. Stricter than the Standard, on purpose: a tab or line break within a
// URL is an error, not skipped, and a host must be one that DNS can carry.
package target

import (
	"fmt"
	"strings"
)

// URL is a parsed absolute URL. It is immutable.
type URL struct {
	Scheme    string // "http" or "https"
	Host      string // ASCII name in lower case, or an IP literal without brackets
	Port      uint16
	Authority string // host[:port], the default port left out
	Path      string // "/…", without the query
	Target    string // Path and query: the origin-form of a request
	Fragment  string // with its "#", "" where there is none

	// Userinfo, decoded. It is in no other field and not in String.
	User, Password string
	HasUser        bool

	text string
}

// Error is a text that is no usable URL.
type Error struct {
	Text string // without userinfo
	What string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%q: %s", abridge(e.Text), e.What)
}

// SchemeError is a URL of another scheme than http and https.
type SchemeError struct{ Scheme string }

func (e *SchemeError) Error() string {
	return fmt.Sprintf("the scheme %q is neither http nor https", abridge(e.Scheme))
}

// String returns the URL without userinfo, with the fragment.
func (u *URL) String() string { return u.text }

// Absolute returns the absolute-form of a request, for a proxy (RFC 9112 section
// 3.2.2).
func (u *URL) Absolute() string { return u.text[:len(u.text)-len(u.Fragment)] }

// Secure reports whether the URL names an authenticated, encrypted connection.
func (u *URL) Secure() bool { return u.Scheme == "https" }

// SameOrigin reports whether both share scheme, host and port (RFC 6454
// section 5): what is secret to one may be told to the other.
func (u *URL) SameOrigin(other *URL) bool {
	return u.Scheme == other.Scheme && u.Host == other.Host && u.Port == other.Port
}

// Parse reads an absolute URL.
func Parse(text string) (*URL, error) { return parse(text, nil) }

// ParseAuthority reads [userinfo@]host[:port], which URLs of all schemes have in
// common. Only those parts are in what it returns; a port that is not there is 0.
func ParseAuthority(text string) (*URL, error) {
	u := new(URL)
	shown := text[strings.LastIndexByte(text, '@')+1:]
	if strings.ContainsAny(text, `/\?#`) {
		return nil, &Error{shown, `more than [user[:password]@]host[:port]; in a user or password, / \ ? # are percent-encoded`}
	}
	if what := u.setAuthority(text); what != "" {
		return nil, &Error{shown, what}
	}
	return u, nil
}

// Resolve reads a reference relative to u, as a Location field has it. Bytes
// that are not ASCII are percent-encoded as they are. The fragment of u holds
// unless the reference has its own (RFC 9110 section 10.2.2).
func (u *URL) Resolve(reference string) (*URL, error) {
	next, err := parse(reference, u)
	if err != nil || next.Fragment != "" || u.Fragment == "" {
		return next, err
	}
	inherited := *next
	inherited.slice(next.text+u.Fragment, len(next.text)-len(next.Target), len(next.Path), len(next.text))
	return &inherited, nil
}

// InheritUserinfo returns u with the userinfo of other, unless it has its own.
func (u *URL) InheritUserinfo(other *URL) *URL {
	if u.HasUser || !other.HasUser {
		return u
	}
	heir := *u
	heir.User, heir.Password, heir.HasUser = other.User, other.Password, true
	return &heir
}

// WithUserinfo returns the URL as it is needed to parse it again. It holds a
// secret.
func (u *URL) WithUserinfo() string {
	if !u.HasUser {
		return u.text
	}
	b := append([]byte(u.Scheme), "://"...)
	b = appendEncoded(b, u.User, &paramEncoded)
	b = appendEncoded(append(b, ':'), u.Password, &paramEncoded)
	b = append(b, '@')
	return string(append(b, u.text[len(u.Scheme)+len("://"):]...))
}

// Redact returns text, which need not be a URL, without what may be userinfo:
// rather too much than a password.
func Redact(text string) string {
	at := strings.LastIndexByte(text, '@')
	if at < 0 {
		return text
	}
	if scheme, _, found := strings.Cut(text[:at], "//"); found {
		return scheme + "//" + text[at+1:]
	}
	return text[at+1:]
}

// abridge keeps messages readable whatever they quote.
func abridge(text string) string {
	const limit = 200
	if len(text) <= limit {
		return text
	}
	return text[:limit] + "…"
}
