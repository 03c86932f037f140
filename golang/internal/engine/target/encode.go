package target

import (
	"strings"

	"github.com/cycletls/cycletls/golang/internal/message"
)

// set marks the bytes that a part of a URL percent-encodes, or must not have.
// What is not printable ASCII is in each of the Standard's sets.
type set [256]bool

var (
	queryEncoded    = setOf(` "#<>'`)
	fragmentEncoded = setOf(" \"<>`")
	pathEncoded     = setOf(" \"#<>?^`{}")
	hostForbidden   = setOf(` #%/:<>?@[\]^|`) // "forbidden domain code points"
	paramEncoded    = setOf(" !\"#$%&'()*+,/:;<=>?@[\\]^`{|}")
)

func setOf(printable string) set {
	var s set
	for c := range s {
		s[c] = c < 0x20 || c > 0x7e || strings.IndexByte(printable, byte(c)) >= 0
	}
	return s
}

const upperHex = "0123456789ABCDEF"

// appendEncoded adds part to buffer. The "?" and "#" that begin a query and a
// fragment are in neither's set.
func appendEncoded(buffer []byte, part string, encoded *set) []byte {
	plain := 0 // where the run begins that needs no encoding
	for i := range len(part) {
		if c := part[i]; encoded[c] {
			buffer = append(buffer, part[plain:i]...)
			buffer = append(buffer, '%', upperHex[c>>4], upperHex[c&15])
			plain = i + 1
		}
	}
	return append(buffer, part[plain:]...)
}

// WithParams returns the URL with params at the end of its query, in the form
// that HTML forms have and requests and httpx share: UTF-8, a space as "+".
func (u *URL) WithParams(params message.Fields) *URL {
	if len(params) == 0 {
		return u
	}
	start := len(u.text) - len(u.Fragment) - len(u.Target)
	buffer := append(make([]byte, 0, len(u.text)+64), u.text[:len(u.text)-len(u.Fragment)]...)
	for i, param := range params {
		if i > 0 || len(u.Target) > len(u.Path)+1 {
			buffer = append(buffer, '&')
		} else if len(u.Target) == len(u.Path) {
			buffer = append(buffer, '?')
		}
		buffer = appendParam(buffer, param.Name)
		buffer = append(buffer, '=')
		buffer = appendParam(buffer, param.Value)
	}
	end := len(buffer)
	extended := *u
	extended.slice(string(append(buffer, u.Fragment...)), start, len(u.Path), end)
	return &extended
}

func appendParam(buffer []byte, text string) []byte {
	for i := range len(text) {
		if text[i] == ' ' {
			buffer = append(buffer, '+')
		} else {
			buffer = appendEncoded(buffer, text[i:i+1], &paramEncoded)
		}
	}
	return buffer
}

// percentDecode decodes what is encoded and leaves the rest as it is.
func percentDecode(text string) string {
	if strings.IndexByte(text, '%') < 0 {
		return text
	}
	decoded := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) && isHex(text[i+1]) && isHex(text[i+2]) {
			decoded = append(decoded, hexValue(text[i+1])<<4|hexValue(text[i+2]))
			i += 2
		} else {
			decoded = append(decoded, text[i])
		}
	}
	return string(decoded)
}

func isC0OrSpace(r rune) bool { return r <= ' ' }

func isAlpha(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

func hexValue(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
