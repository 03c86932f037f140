package cookie

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cycletls/cycletls/golang/internal/envelope"
	"golang.org/x/net/publicsuffix"
)

// Error is a cookie of the user's that cannot be sent.
type Error struct{ Name, What string }

func (e *Error) Error() string { return fmt.Sprintf("cookie %q: %s", e.Name, e.What) }

// Check refuses a name or value that would become something else on the wire.
func Check(name, value string) error {
	switch {
	case strings.ContainsAny(name, "=;") || hasControl(name):
		return &Error{name, "a name has no '=', ';' or control character"}
	case strings.TrimSpace(name) != name:
		return &Error{name, "a name does not begin or end with white space"}
	case name == "" && strings.Contains(value, "="):
		return &Error{name, "a value with '=' needs a name"}
	case strings.IndexByte(value, ';') >= 0 || hasControl(value):
		return &Error{name, "a value has no ';' or control character"}
	}
	return nil
}

func hasControl(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}

// parse reads a Set-Cookie field (section 5.6) and applies what the storage
// model asks of the cookie alone (section 5.7 up to step 11, 20 and 21).
func parse(text string, from Place, now time.Time) (*entry, bool) {
	if hasControl(text) {
		return nil, false
	}
	pair, attributes, _ := strings.Cut(text, ";")
	name, value, found := strings.Cut(pair, "=")
	if !found {
		name, value = "", pair
	}
	c := envelope.Cookie{Name: trim(name), Value: trim(value)}
	if len(c.Name)+len(c.Value) > maxSize || c.Name == "" && c.Value == "" {
		return nil, false
	}
	// "=a=b" would come back as "a=b": another cookie, with a name.
	if c.Name == "" && strings.Contains(c.Value, "=") {
		return nil, false
	}
	e := &entry{Cookie: c}
	a := e.readAttributes(attributes, now)
	if !e.setDomain(a.domain, from.Host) {
		return nil, false
	}
	e.Path = a.path
	if !strings.HasPrefix(a.path, "/") {
		e.Path = defaultPath(from.Path)
	}
	if e.Secure && !from.Secure || !e.keepsPrefix(a) {
		return nil, false
	}
	return e, true
}

// attributes are those whose text matters beyond the attribute.
type attributes struct {
	domain, path       string
	hasDomain, hasPath bool
}

// readAttributes applies the attributes in order: of each the last counts, and
// Max-Age over Expires wherever it stands.
func (e *entry) readAttributes(text string, now time.Time) (a attributes) {
	hasMaxAge := false
	for text != "" {
		var attribute string
		attribute, text, _ = strings.Cut(text, ";")
		name, value, _ := strings.Cut(attribute, "=")
		name, value = trim(name), trim(value)
		if len(value) > maxAttribute {
			continue
		}
		switch strings.ToLower(name) {
		case "expires":
			if at, ok := parseDate(value); ok && !hasMaxAge {
				e.expire(at, now)
			}
		case "max-age":
			if age, ok := parseMaxAge(value); ok {
				e.expire(now.Add(age), now)
				hasMaxAge = true
			}
		case "domain":
			a.domain, a.hasDomain = strings.ToLower(strings.TrimPrefix(value, ".")), value != ""
		case "path":
			a.path, a.hasPath = value, true
		case "secure":
			e.Secure = true
		case "httponly":
			e.HTTPOnly = true
		case "samesite":
			e.SameSite = sameSite(value)
		}
	}
	return a
}

// expire sets the end of a cookie, no later than section 5.5 allows.
func (e *entry) expire(at, now time.Time) {
	if latest := now.Add(maxAge); at.After(latest) {
		at = latest
	}
	e.expires = at
	// Zero stands for a session cookie, and the epoch is the favourite date of
	// servers that delete one.
	e.Expires = max(1, at.Unix())
}

// parseMaxAge reads seconds; whatever is not positive is long ago.
func parseMaxAge(value string) (time.Duration, bool) {
	digits := strings.TrimPrefix(value, "-")
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	if digits != value {
		return -time.Hour, true
	}
	seconds, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || seconds > int64(maxAge/time.Second) {
		return maxAge, true
	}
	return time.Duration(seconds) * time.Second, true
}

func sameSite(value string) string {
	for _, known := range []string{"Lax", "Strict", "None"} {
		if strings.EqualFold(value, known) {
			return known
		}
	}
	return ""
}

// setDomain decides which hosts get the cookie (steps 8 to 10).
func (e *entry) setDomain(domain, host string) bool {
	e.Domain, e.HostOnly = host, true
	if domain == "" || domain == host && !mayCover(domain) {
		return true
	}
	if !within(host, domain) || !mayCover(domain) {
		return false
	}
	e.Domain, e.HostOnly = domain, false
	return true
}

// mayCover reports whether a cookie of domain may go to the hosts beneath it: no
// address has any, and those beneath a public suffix belong to others. A name
// with a dot at its end is in no list, so it stands for itself alone.
func mayCover(domain string) bool {
	top := domain[strings.LastIndexByte(domain, '.')+1:]
	if top == "" || top[0] >= '0' && top[0] <= '9' || strings.Contains(top, ":") {
		return false
	}
	suffix, _ := publicsuffix.PublicSuffix(domain)
	return suffix != domain
}

// keepsPrefix enforces what the name promises (section 4.1.3), however the
// case; a value without a name must not pretend to be such a cookie.
func (e *entry) keepsPrefix(a attributes) bool {
	name := e.Name
	if name == "" {
		name = e.Value
	}
	switch {
	case hasPrefixFold(name, "__Host-"):
		return e.Name != "" && e.Secure && !a.hasDomain && a.hasPath && e.Path == "/"
	case hasPrefixFold(name, "__Secure-"):
		return e.Name != "" && e.Secure
	}
	return true
}

func hasPrefixFold(text, prefix string) bool {
	return len(text) >= len(prefix) && strings.EqualFold(text[:len(prefix)], prefix)
}

// defaultPath is the directory of the request (section 5.1.4).
func defaultPath(path string) string {
	if last := strings.LastIndexByte(path, '/'); last > 0 {
		return path[:last]
	}
	return "/"
}

// pathMatch reports whether a request for path gets a cookie of cookiePath
// (section 5.1.4).
func pathMatch(path, cookiePath string) bool {
	rest, found := strings.CutPrefix(path, cookiePath)
	return found && (rest == "" || rest[0] == '/' || strings.HasSuffix(cookiePath, "/"))
}

func trim(text string) string { return strings.Trim(text, " \t") }
