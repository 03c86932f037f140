package message

import (
	"encoding/base64"
	"strings"
)

// Field is one header or trailer line.
type Field struct{ Name, Value string }

// Fields is a field section: order, case and repeats are kept (RFC 9110
// section 5.3).
type Fields []Field

// Get returns the first value of name, compared without case.
func (f Fields) Get(name string) (string, bool) {
	for i := range f {
		if strings.EqualFold(f[i].Name, name) {
			return f[i].Value, true
		}
	}
	return "", false
}

// Same reports whether these are those very fields, not others that are equal.
func (f Fields) Same(other Fields) bool {
	return len(f) == len(other) && len(f) > 0 && &f[0] == &other[0]
}

// Has reports whether a field of that name is there.
func (f Fields) Has(name string) bool {
	_, ok := f.Get(name)
	return ok
}

// Values returns all values of name in order.
func (f Fields) Values(name string) []string {
	var values []string
	for i := range f {
		if strings.EqualFold(f[i].Name, name) {
			values = append(values, f[i].Value)
		}
	}
	return values
}

// Without returns the fields that have none of the names; f stays as it is.
func (f Fields) Without(names ...string) Fields {
	kept := make(Fields, 0, len(f))
	for _, field := range f {
		if !containsFold(names, field.Name) {
			kept = append(kept, field)
		}
	}
	return kept
}

func containsFold(names []string, name string) bool {
	for _, candidate := range names {
		if strings.EqualFold(candidate, name) {
			return true
		}
	}
	return false
}

// Basic returns the credentials of the Basic scheme (RFC 7617).
func Basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}
