// Package cookie keeps cookies as RFC 6265bis
// (draft-ietf-httpbis-rfc6265bis) says that a user agent does: what a response
// may set, and what a request gets back.
//
// Who asks is a program, not a page: there is no site for cookies, so SameSite
// is kept for whoever exports the jar and enforced nowhere.
package cookie

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/message"
)

// Limits of a jar. RFC 6265bis section 6.1 wants at least 4096 bytes, 50 for a
// domain and 3000 in all; a server can make us store no more than these.
const (
	maxSize      = 4096 // name and value together
	maxAttribute = 1024
	maxPerDomain = 50
	maxTotal     = 3000
	maxAge       = 400 * 24 * time.Hour // section 5.5
)

// Place is where cookies come from or go to: what of a URL decides over them.
type Place struct {
	Host   string // canonical: lower-case ASCII, or an IP literal
	Path   string // without the query
	Secure bool
	// Foreign marks a request that a redirect led to another origin: cookies
	// that the user gave no domain stay behind, as credentials do.
	Foreign bool
}

// Jar holds the cookies of a session. It may be used by many at a time.
type Jar struct {
	count atomic.Int64 // so that a request without cookies takes no lock

	mu      sync.Mutex
	domains map[string][]*entry
	created uint64
}

type entry struct {
	envelope.Cookie
	expires time.Time // zero: with the session
	order   uint64    // of creation
	used    time.Time // last sent or set: who goes first when the jar is full
}

func (e *entry) expired(now time.Time) bool {
	return !e.expires.IsZero() && !now.Before(e.expires)
}

// New returns an empty jar.
func New() *Jar { return &Jar{domains: map[string][]*entry{}} }

// Header returns the value of the Cookie field of a request to place: what the
// jar has, longest path first, then oldest first (section 5.8.3), then extra,
// which replaces cookies of the jar that have the same name.
func (j *Jar) Header(place Place, extra message.Fields) string {
	if j.count.Load() == 0 && len(extra) == 0 {
		return ""
	}
	var b strings.Builder
	for _, e := range j.matching(place, time.Now()) {
		if !hasName(extra, e.Name) {
			appendPair(&b, e.Name, e.Value)
		}
	}
	for _, pair := range extra {
		appendPair(&b, pair.Name, pair.Value)
	}
	return b.String()
}

func hasName(pairs message.Fields, name string) bool {
	return slices.ContainsFunc(pairs, func(pair message.Field) bool { return pair.Name == name })
}

func appendPair(b *strings.Builder, name, value string) {
	if b.Len() > 0 {
		b.WriteString("; ")
	}
	if name != "" {
		b.WriteString(name)
		b.WriteByte('=')
	}
	b.WriteString(value)
}

// matching returns copies, so that no one reads an entry outside of the lock.
func (j *Jar) matching(place Place, now time.Time) []entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	var found []entry
	for domain := range suffixes(place.Host) {
		for _, e := range j.domains[domain] {
			if e.goesTo(place) && !e.expired(now) {
				e.used = now
				found = append(found, *e)
			}
		}
	}
	slices.SortFunc(found, func(a, b entry) int {
		if longer := len(b.Path) - len(a.Path); longer != 0 {
			return longer
		}
		return int(int64(a.order - b.order))
	})
	return found
}

// goesTo assumes that the host ends in the cookie's domain.
func (e *entry) goesTo(place Place) bool {
	switch {
	case e.Secure && !place.Secure:
		return false
	case e.Domain == "":
		return !place.Foreign && pathMatch(place.Path, e.Path)
	case e.HostOnly && e.Domain != place.Host:
		return false
	}
	return pathMatch(place.Path, e.Path)
}

// suffixes yields the domains whose cookies may go to host: itself, its parents
// and "", where those are that the user gave no domain.
func suffixes(host string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for yield(host) && host != "" {
			_, host, _ = strings.Cut(host, ".")
		}
	}
}

// Receive takes the cookies that a response from place sets and returns those
// that the jar accepted. A field that breaks a rule is ignored, as section 5.7
// wants it.
func (j *Jar) Receive(place Place, fields message.Fields) []envelope.Cookie {
	var taken []envelope.Cookie
	for i := range fields {
		if !strings.EqualFold(fields[i].Name, "Set-Cookie") {
			continue
		}
		now := time.Now()
		e, ok := parse(fields[i].Value, place, now)
		if ok && j.store(e, place.Secure, now) {
			taken = append(taken, e.Cookie)
		}
	}
	return taken
}

// Set stores a cookie that the user made or saved. Without a domain it goes to
// every host that the user asks.
func (j *Jar) Set(c envelope.Cookie) error {
	if err := Check(c.Name, c.Value); err != nil {
		return err
	}
	if len(c.Name)+len(c.Value) > maxSize {
		return &Error{c.Name, "name and value are longer than 4096 bytes"}
	}
	c.Domain = strings.ToLower(strings.TrimPrefix(c.Domain, "."))
	if hasControl(c.Domain) || hasControl(c.Path) {
		return &Error{c.Name, "control character in domain or path"}
	}
	if c.Domain != "" && !mayCover(c.Domain) {
		c.HostOnly = true
	}
	if !strings.HasPrefix(c.Path, "/") {
		c.Path = "/"
	}
	e := &entry{Cookie: c}
	if c.Expires != 0 {
		e.expires = time.Unix(c.Expires, 0)
	}
	j.store(e, true, time.Now())
	return nil
}

// All returns every cookie that has not expired, oldest first.
func (j *Jar) All() []envelope.Cookie {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := time.Now()
	alive := make([]*entry, 0, j.count.Load())
	for _, entries := range j.domains {
		for _, e := range entries {
			if !e.expired(now) {
				alive = append(alive, e)
			}
		}
	}
	slices.SortFunc(alive, func(a, b *entry) int { return int(int64(a.order - b.order)) })
	cookies := make([]envelope.Cookie, len(alive))
	for i, e := range alive {
		cookies[i] = e.Cookie
	}
	return cookies
}

// Delete forgets the cookies that match all of name, domain and path that are
// not empty.
func (j *Jar) Delete(name, domain, path string) {
	domain = strings.ToLower(strings.TrimPrefix(domain, "."))
	j.mu.Lock()
	defer j.mu.Unlock()
	j.remove(func(e *entry) bool {
		return (name == "" || e.Name == name) && (domain == "" || e.Domain == domain) && (path == "" || e.Path == path)
	})
}

// Clear forgets all cookies.
func (j *Jar) Clear() { j.Delete("", "", "") }

// Copy returns a jar with the same cookies that goes its own way.
func (j *Jar) Copy() *Jar {
	own := New()
	if j.count.Load() == 0 {
		return own
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for domain, entries := range j.domains {
		for _, e := range entries {
			same := *e
			own.domains[domain] = append(own.domains[domain], &same)
		}
	}
	own.created = j.created
	own.count.Store(j.count.Load())
	return own
}
