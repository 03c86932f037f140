package fingerprint

import "slices"

// Notation describes a part of a ClientHello; a profile lends the rest.
type Notation interface {
	// Apply returns base with what the notation says.
	Apply(base *Profile) (*Profile, error)
	// likeness tells how much of a hello it describes: more is closer.
	likeness(hello *ClientHello) float64
}

var _, _ Notation = JA3{}, JA4{}

// Closest returns the profile whose ClientHello is most like what n describes,
// the first of several; nil where there are none.
func Closest(bases []*Profile, n Notation) *Profile {
	var closest *Profile
	best := -1.0
	for _, base := range bases {
		if likeness := n.likeness(base.ClientHello()); likeness > best {
			closest, best = base, likeness
		}
	}
	return closest
}

// likeness: ciphers in their places tell TLS libraries apart, which keep their
// order for years, and point formats tell OpenSSL from the others. Groups weigh
// less: they only tell versions of a library.
func (j JA3) likeness(h *ClientHello) float64 {
	return overlap(j.Extensions, h.Extensions) + overlap(j.Ciphers, h.Ciphers) + samePlaces(j.Ciphers, h.Ciphers) +
		overlap(j.Formats, h.Formats) + overlap(j.Groups, h.Groups)/4
}

// likeness: where the ciphers are sorted, the signature algorithms have to tell.
func (j JA4) likeness(h *ClientHello) float64 {
	other := h.JA4(j.Original)
	like := overlap(j.Extensions, other.Extensions) + overlap(j.Ciphers, other.Ciphers) + overlap(j.Algorithms, other.Algorithms)
	if j.Original {
		like += samePlaces(j.Ciphers, other.Ciphers)
	}
	return like
}

// overlap is the share of the items of either list that both have.
func overlap(a, b []Code) float64 {
	a, b = steady(a), steady(b)
	both := 0
	for _, code := range a {
		if slices.Contains(b, code) {
			both++
		}
	}
	if both == 0 {
		return 0
	}
	return float64(both) / float64(len(a)+len(b)-both)
}

// steady is a list as a set, without what depends on the connection.
func steady(list []Code) []Code {
	set := slices.Sorted(slices.Values(list))
	return slices.DeleteFunc(slices.Compact(set), func(c Code) bool { return c.isGREASE() || c == idPadding || c == idPSK })
}

// samePlaces is the share of the items that both lists have in the same place.
func samePlaces(a, b []Code) float64 {
	b = withoutGREASE(b)
	same := 0
	for i := range min(len(a), len(b)) {
		if a[i] == b[i] {
			same++
		}
	}
	return float64(same) / float64(max(len(a), len(b), 1))
}

// sameFamily tells whether a hello is of the client that sends base's, of
// whatever version: only then may GREASE come along, because it would give away
// any other client. OkHttp offers Chrome's ciphers, its newest version in the
// same order, but fewer extensions.
func (j JA3) sameFamily(base *ClientHello) bool {
	return samePlaces(j.Ciphers, base.Ciphers) >= 0.9 && overlap(j.Extensions, base.Extensions) >= 0.75
}

// sameFamily: Chrome gives algorithms up and never takes one back.
func (j JA4) sameFamily(base *ClientHello) bool {
	other := base.JA4(j.Original)
	known := func(c Code) bool { return slices.Contains(other.Algorithms, c) }
	return overlap(j.Ciphers, other.Ciphers) >= 0.9 && overlap(j.Extensions, other.Extensions) >= 0.75 &&
		!slices.ContainsFunc(j.Algorithms, func(c Code) bool { return !known(c) })
}
