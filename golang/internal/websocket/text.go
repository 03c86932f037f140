package websocket

import "unicode/utf8"

// textCheck validates a text as it grows, so that a peer which sends no UTF-8 is
// stopped where it begins to.
type textCheck struct{ valid int } // so many bytes, at the end of a character

// add reports whether p can go on to become UTF-8.
func (t *textCheck) add(p []byte) bool {
	rest := p[t.valid:]
	whole := len(rest) - partial(rest)
	if !utf8.Valid(rest[:whole]) {
		return false
	}
	t.valid += whole
	return true
}

// complete reports whether p, of which add has seen a part, is UTF-8.
func (t *textCheck) complete(p []byte) bool { return utf8.Valid(p[t.valid:]) }

// partial returns how many bytes at the end of p begin a character that is not
// all there.
func partial(p []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(p); n++ {
		if c := p[len(p)-n]; utf8.RuneStart(c) {
			if utf8.FullRune(p[len(p)-n:]) {
				return 0
			}
			return n
		}
	}
	return 0
}
