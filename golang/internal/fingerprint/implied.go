package fingerprint

import (
	"errors"
	"slices"
)

// BoringSSL draws the length of a faked inner hello from these, which a few
// connections do not show (measured, Chromium 156).
var boringPayloads = []int{144, 176, 208, 240}

// NSS' inner hello has this length before it is padded (measured, Firefox 153);
// captures show it only to the next multiple of 32.
const nssInnerBase = 219

// ImpliedTLS returns the TLS part of the profile of a client that sent these
// hellos. What one hello cannot show (a shuffled order, what changes with a
// session) the others have to.
func ImpliedTLS(hellos []*SentHello) (TLS, error) {
	if len(hellos) == 0 {
		return TLS{}, errors.New("no ClientHello was captured")
	}
	base := mostTelling(hellos)
	t := TLS{
		MinVersion: versionTLS12, MaxVersion: versionTLS12, LegacyVersion: base.Version, RecordVersion: 0x0301,
		SessionIDLength: len(base.SessionID), Ciphers: likeProfile(base.Ciphers), CompressionMethods: base.CompressionMethods,
		ExtensionOrder: orderFixed,
	}
	if shuffled(hellos) {
		t.ExtensionOrder = orderShuffle
	}
	for _, sent := range base.Extensions {
		if sent.ID != idPSK {
			t.Extensions = append(t.Extensions, sent.rule(hellos))
		}
	}
	t.impliedVersions()
	// Only who resumes sends the modes (RFC 8446 section 4.2.9), also where no
	// resumption was captured.
	if base.Extension(idModes) != nil || slices.ContainsFunc(hellos, resumes) {
		t.Extensions = append(t.Extensions, Extension{Type: "pre_shared_key"})
	}
	return t, nil
}

// mostTelling is the first hello that offers no session and most protocols: one
// for a WebSocket offers fewer than the others.
func mostTelling(hellos []*SentHello) *SentHello {
	telling := func(h *SentHello) (score int) {
		if alpn := h.Extension(idALPN); alpn != nil {
			score = 2 * len(alpn.Protocols)
		}
		if !resumes(h) {
			score++
		}
		return score
	}
	best := hellos[0]
	for _, h := range hellos[1:] {
		if telling(h) > telling(best) {
			best = h
		}
	}
	return best
}

func resumes(h *SentHello) bool { return h.find(idPSK) != nil }

func (h *SentHello) find(id Code) *SentExtension {
	i := slices.IndexFunc(h.Extensions, func(e SentExtension) bool { return e.ID == id })
	if i < 0 {
		return nil
	}
	return &h.Extensions[i]
}

// impliedVersions reads the range out of supported_versions. What is offered
// beneath TLS 1.2 is only offered.
func (t *TLS) impliedVersions() {
	e := t.extension("supported_versions")
	if e == nil {
		return
	}
	if versions := withoutGREASE(e.Versions); len(versions) > 0 {
		t.MaxVersion = min(slices.Max(versions), versionTLS13)
		t.MinVersion = max(slices.Min(versions), versionTLS12)
	}
}

// shuffled reports whether two hellos have the same extensions in another order.
func shuffled(hellos []*SentHello) bool {
	for _, h := range hellos[1:] {
		one, other := commonOrder(hellos[0], h), commonOrder(h, hellos[0])
		if !slices.Equal(one, other) {
			return true
		}
	}
	return false
}

// commonOrder lists what other has, too, in h's order, but for what never moves.
func commonOrder(h, other *SentHello) []Code {
	var order []Code
	for _, e := range h.Extensions {
		if !e.ID.isGREASE() && e.ID != idPadding && e.ID != idPSK && other.find(e.ID) != nil {
			order = append(order, e.ID)
		}
	}
	return order
}

// rule turns what one hello says into what all follow.
func (s SentExtension) rule(hellos []*SentHello) Extension {
	e := s.Content()
	e.Groups, e.Algorithms, e.Versions = likeProfile(e.Groups), likeProfile(e.Algorithms), likeProfile(e.Versions)
	for i := range e.Shares {
		if e.Shares[i].Group.isGREASE() {
			e.Shares[i].Group = GREASE
		}
	}
	switch e.Type {
	case "session_ticket":
		e.OmitWithPSK = omittedWithPSK(s.ID, hellos)
	case "encrypted_client_hello_grease":
		e.impliedECH(hellos)
	}
	return e
}

// omittedWithPSK reports whether no hello that offers a session has the extension.
func omittedWithPSK(id Code, hellos []*SentHello) bool {
	offering := 0
	for _, h := range hellos {
		if !resumes(h) {
			continue
		}
		offering++
		if h.find(id) != nil {
			return false
		}
	}
	return offering > 0
}

// impliedECH finds the rule behind suites and payload lengths. NSS' lengths are
// 15 modulo 32, which none of BoringSSL's is.
func (e *Extension) impliedECH(hellos []*SentHello) {
	var suites [][2]Code
	var lengths []int
	for _, h := range hellos {
		if seen := h.Extension(0xfe0d); seen != nil && len(seen.Suites) == 1 && len(seen.PayloadLengths) == 1 {
			suites, lengths = append(suites, seen.Suites[0]), append(lengths, seen.PayloadLengths[0])
		}
	}
	slices.Sort(lengths)
	slices.SortFunc(suites, func(a, b [2]Code) int { return int(a[0])<<16 + int(a[1]) - int(b[0])<<16 - int(b[1]) })
	suites, lengths = slices.Compact(suites), slices.Compact(lengths)
	e.Suites, e.PayloadLengths = suites, lengths
	all := func(is func(int) bool) bool { return !slices.ContainsFunc(lengths, func(n int) bool { return !is(n) }) }
	switch {
	case all(func(n int) bool { return n%32 == 15 }):
		e.Suites, e.PayloadLengths = [][2]Code{{1, 1}, {1, 3}}, nil
		e.PayloadPolicy, e.InnerBase = "nss", nssInnerBase
	case all(func(n int) bool { return slices.Contains(boringPayloads, n) }):
		e.PayloadLengths = boringPayloads
	}
}

// likeProfile writes GREASE as profiles do, whatever was drawn.
func likeProfile(list []Code) []Code {
	list = slices.Clone(list)
	for i := range list {
		if list[i].isGREASE() {
			list[i] = GREASE
		}
	}
	return list
}
