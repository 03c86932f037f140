package fingerprint

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// JA4 is a ClientHello in FoxIO's notation (technical_details/JA4.md), in clear:
// as JA4_r with sorted lists, which a shuffled order does not change, or as
// JA4_ro as it came. GREASE is left out of all lists.
type JA4 struct {
	Version Code   // the newest that is offered
	Named   bool   // server_name is there
	ALPN    string // two characters of the first protocol, "00" for none
	Count   int    // of all extensions

	Ciphers    []Code
	Extensions []Code // sorted: without server_name and ALPN
	Algorithms []Code // of signatures, always in wire order
	Original   bool   // JA4_ro: in wire order
}

// JA4 returns the notation, with sorted lists or the original ones.
func (h *ClientHello) JA4(original bool) JA4 {
	j := JA4{
		Version: h.newest(), Named: slices.Contains(h.Extensions, idServerName), ALPN: "00",
		Ciphers: withoutGREASE(h.Ciphers), Extensions: withoutGREASE(h.Extensions), Algorithms: withoutGREASE(h.Algorithms),
		Original: original,
	}
	j.Count = len(j.Extensions)
	if len(h.Protocols) > 0 {
		j.ALPN = ja4ALPN(h.Protocols[0])
	}
	if !original {
		j.sort()
	}
	return j
}

// sort makes JA4_r of JA4_ro.
func (j *JA4) sort() {
	j.Extensions = slices.DeleteFunc(j.Extensions, func(id Code) bool { return id == idServerName || id == idALPN })
	slices.Sort(j.Ciphers)
	slices.Sort(j.Extensions)
}

func (h *ClientHello) newest() Code {
	if versions := withoutGREASE(h.Versions); len(versions) > 0 {
		return slices.Max(versions)
	}
	return h.Version
}

// JA4 returns the fingerprint of a hello to a named host that offers no session.
func (p *Profile) JA4() JA4 { return p.ClientHello().JA4(false) }

// String returns the notation in clear: JA4_r, or JA4_ro.
func (j JA4) String() string {
	parts := []string{j.start(), hexadecimals(j.Ciphers), hexadecimals(j.Extensions)}
	if len(j.Algorithms) > 0 {
		parts = append(parts, hexadecimals(j.Algorithms))
	}
	return strings.Join(parts, "_")
}

// Hash returns the form that is mostly quoted: JA4, or JA4_o.
func (j JA4) Hash() string {
	signed := hexadecimals(j.Extensions)
	if len(j.Algorithms) > 0 {
		signed += "_" + hexadecimals(j.Algorithms)
	}
	return j.start() + "_" + shortHash(hexadecimals(j.Ciphers)) + "_" + shortHash(signed)
}

// start is part a.
func (j JA4) start() string {
	name := "i"
	if j.Named {
		name = "d"
	}
	return fmt.Sprintf("t%s%s%02d%02d%s", ja4Version(j.Version), name, min(len(j.Ciphers), 99), min(j.Count, 99), j.ALPN)
}

func ja4Version(version Code) string {
	if name, ok := ja4Versions[version]; ok {
		return name
	}
	return "00"
}

var ja4Versions = map[Code]string{
	0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0x0002: "s2",
	0xfeff: "d1", 0xfefd: "d2", 0xfefc: "d3",
}

// ja4ALPN returns the first and last character of a protocol.
func ja4ALPN(protocol string) string {
	if protocol == "" {
		return "00"
	}
	ends := []byte{protocol[0], protocol[len(protocol)-1]}
	if isAlphanumeric(ends[0]) && isAlphanumeric(ends[1]) {
		return string(ends)
	}
	digits := hex.EncodeToString(ends)
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
