package fingerprint

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// JA4 returns FoxIO's fingerprint of a hello to a named host that offers no
// session: JA4_a_b_c, where b and c are hashes of sorted lists, so that a
// shuffled order does not change it.
func (p *Profile) JA4() string {
	a, ciphers, extensions, algorithms := p.TLS.ja4Parts()
	signed := extensions
	if algorithms != "" {
		signed += "_" + algorithms
	}
	return a + "_" + shortHash(ciphers) + "_" + shortHash(signed)
}

// JA4R returns the same in clear (JA4_r).
func (p *Profile) JA4R() string {
	a, ciphers, extensions, algorithms := p.TLS.ja4Parts()
	parts := []string{a, ciphers, extensions}
	if algorithms != "" {
		parts = append(parts, algorithms)
	}
	return strings.Join(parts, "_")
}

func (t *TLS) ja4Parts() (a, ciphers, extensions, algorithms string) {
	suites, sent := withoutGREASE(t.Ciphers), t.sentExtensions()
	name := "i"
	if slices.Contains(sent, 0) {
		name = "d"
	}
	a = fmt.Sprintf("t%s%s%02d%02d%s", t.ja4Version(), name, min(len(suites), 99), min(len(sent), 99), t.ja4ALPN())
	hashed := slices.DeleteFunc(sent, func(code Code) bool { return code == 0 || code == 16 })
	slices.Sort(suites)
	slices.Sort(hashed)
	if e := t.extension("signature_algorithms"); e != nil {
		algorithms = hexadecimals(withoutGREASE(e.Algorithms))
	}
	return a, hexadecimals(suites), hexadecimals(hashed), algorithms
}

func (t *TLS) ja4Version() string {
	if t.MaxVersion == versionTLS13 {
		return "13"
	}
	return "12"
}

// ja4ALPN returns the first and last character of the first protocol.
func (t *TLS) ja4ALPN() string {
	e := t.extension("alpn")
	if e == nil || len(e.Protocols) == 0 {
		return "00"
	}
	protocol := e.Protocols[0]
	first, last := protocol[0], protocol[len(protocol)-1]
	if isAlphanumeric(first) && isAlphanumeric(last) {
		return string([]byte{first, last})
	}
	digits := hex.EncodeToString([]byte{first, last})
	return digits[:1] + digits[3:]
}

func shortHash(s string) string {
	if s == "" {
		return "000000000000"
	}
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:6])
}

func hexadecimals(list []Code) string {
	texts := make([]string, len(list))
	for i, code := range list {
		texts[i] = fmt.Sprintf("%04x", uint16(code))
	}
	return strings.Join(texts, ",")
}
