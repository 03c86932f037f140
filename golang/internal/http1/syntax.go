package http1

import (
	"strings"

	"golang.org/x/net/http/httpguts"
)

// byteSet holds the bytes that a part of the grammar is made of.
type byteSet [256]bool

func bytesWhere(in func(c byte) bool) *byteSet {
	var set byteSet
	for c := range set {
		set[c] = in(byte(c))
	}
	return &set
}

var (
	// textBytes make field values and reason phrases (RFC 9110 section 5.5). It
	// lets recipients keep control characters other than CR, LF and NUL; we do
	// not, as llhttp, which no server can afford to break with.
	textBytes = bytesWhere(func(c byte) bool { return c == '\t' || c >= ' ' && c != 0x7f })
	// targetBytes make a request target: visible ASCII without the fragment
	// (RFC 9112 section 3.2).
	targetBytes = bytesWhere(func(c byte) bool { return c > ' ' && c < 0x7f && c != '#' })
)

// spans reports whether s consists of the set's bytes.
func (set *byteSet) spans(s string) bool {
	for i := range len(s) {
		if !set[s[i]] {
			return false
		}
	}
	return true
}

// isToken: methods and field names are tokens (RFC 9110 section 5.6.2).
func isToken(s string) bool { return httpguts.ValidHeaderFieldName(s) }

// trimSpace removes optional whitespace (RFC 9110 section 5.6.3).
func trimSpace(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// lists reports whether option is an element of the comma-separated list.
func lists(list, option string) bool {
	for list != "" {
		var element string
		element, list, _ = strings.Cut(list, ",")
		if strings.EqualFold(trimSpace(element), option) {
			return true
		}
	}
	return false
}

// is compares a field name with one of ours. Most names differ in length.
func is(name, ours string) bool {
	return len(name) == len(ours) && strings.EqualFold(name, ours)
}
