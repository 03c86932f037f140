package engine

import (
	"fmt"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/cycletls/cycletls/golang/internal/envelope"
)

// FieldError is a header of the caller's that must not be sent.
type FieldError struct{ Name, What string }

func (e *FieldError) Error() string { return fmt.Sprintf("header %q: %s", e.Name, e.What) }

// MethodError is a method that must not be sent.
type MethodError struct{ Method, What string }

func (e *MethodError) Error() string { return fmt.Sprintf("method %q: %s", e.Method, e.What) }

// checkMethod refuses what would end the request line early (CVE-2020-26137).
func checkMethod(method string) error {
	switch {
	case !isToken(method):
		return &MethodError{method, "not a token (RFC 9110 section 9.1)"}
	case method == "CONNECT":
		return &MethodError{method, "it makes a tunnel, not a request"}
	}
	return nil
}

// checkChanges refuses names and values that would become other fields on the
// wire (CVE-2019-11236, CVE-2023-49082).
func checkChanges(changes []envelope.HeaderChange) error {
	for i := range changes {
		c := &changes[i]
		if !isToken(c.Name) {
			return &FieldError{c.Name, "the name is not a token (RFC 9110 section 5.1)"}
		}
		for j := range len(c.Value) {
			if b := c.Value[j]; b < ' ' && b != '\t' || b == 0x7f {
				return &FieldError{c.Name, fmt.Sprintf("control character %q in the value (RFC 9110 section 5.5)", b)}
			}
		}
	}
	return nil
}

// hostIn returns the one Host among changes, "" where there is none.
func hostIn(changes []envelope.HeaderChange) (found string, err error) {
	for i := range changes {
		c := &changes[i]
		if c.Remove || !same(c.Name, roleNames[host]) {
			continue
		}
		value := strings.Trim(c.Value, " \t")
		if found != "" || value == "" || strings.ContainsAny(value, " \t,/\\?#@\"<>") {
			return "", &FieldError{c.Name, "not one host (RFC 9110 section 7.2)"}
		}
		found = value
	}
	return found, nil
}

// isToken is RFC 9110 section 5.6.2.
func isToken(text string) bool { return httpguts.ValidHeaderFieldName(text) }

// same compares field names.
func same(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }

func isAny(name string, names ...string) bool {
	for _, candidate := range names {
		if same(name, candidate) {
			return true
		}
	}
	return false
}

// credentialWords are in the names of fields that authenticate the caller, those
// of RFC 9110 and the likes of X-Api-Key and X-Auth-Token.
var credentialWords = []string{
	"auth", "cookie", "token", "key", "secret", "session", "password", "credential", "signature", "jwt",
}

// staysBehind reports whether a field must not follow a redirect to another
// origin: credentials, and Host, which names the first one (CVE-2018-20060,
// CVE-2022-27774, CVE-2023-43804, CVE-2024-37891).
func staysBehind(name string) bool {
	lower := strings.ToLower(name)
	for _, word := range credentialWords {
		if strings.Contains(lower, word) {
			return true
		}
	}
	return lower == "host"
}

// describesBody reports whether a field makes no sense without the body it came
// with.
func describesBody(name string) bool {
	return isAny(name, "Content-Type", "Content-Length", "Content-Encoding", "Content-Language", "Content-Location",
		"Content-Disposition", "Content-Digest", "Transfer-Encoding", "Trailer", "Expect")
}

// belongsToConnection reports whether a field has no place in HTTP/2 (RFC 9113
// section 8.2.2).
func belongsToConnection(name, value string) bool {
	if same(name, "TE") {
		return !strings.EqualFold(value, "trailers")
	}
	return isAny(name, "Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade")
}
