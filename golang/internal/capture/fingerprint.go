package capture

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
)

// The extensions that the notations look into.
const (
	extensionServerName = 0
	extensionGroups     = 10
	extensionFormats    = 11
	extensionAlgorithms = 13
	extensionALPN       = 16
	extensionVersions   = 43
)

// Fingerprint is a ClientHello in the notations that servers know clients by.
// They are computed here from the wire alone, apart from the code that builds
// hellos, so that the two can be held against each other.
type Fingerprint struct {
	JA3     string `json:"ja3"`
	JA3Hash string `json:"ja3Hash"`
	JA4     string `json:"ja4"`
	JA4R    string `json:"ja4r"`
}

// hello holds the lists of a ClientHello in wire order, GREASE left out.
type hello struct {
	version, newest             uint16
	ciphers, extensions         []uint16
	groups, formats, algorithms []uint16
	protocol                    string // the first of ALPN
	namesServer                 bool
}

// fingerprint reads a ClientHello message; what it cannot read gives none.
func fingerprint(message []byte) *Fingerprint {
	h, ok := parseHello(message)
	if !ok {
		return nil
	}
	ja3, sum := h.ja3(), md5.Sum([]byte(h.ja3()))
	f := &Fingerprint{JA3: ja3, JA3Hash: hex.EncodeToString(sum[:])}
	f.JA4, f.JA4R = h.ja4()
	return f
}

func parseHello(message []byte) (*hello, bool) {
	s := cryptobyte.String(message)
	var kind uint8
	var body, session, ciphers, compressions, extensions cryptobyte.String
	h := new(hello)
	ok := s.ReadUint8(&kind) && s.ReadUint24LengthPrefixed(&body) &&
		body.ReadUint16(&h.version) && body.Skip(32) &&
		body.ReadUint8LengthPrefixed(&session) &&
		body.ReadUint16LengthPrefixed(&ciphers) &&
		body.ReadUint8LengthPrefixed(&compressions)
	if !ok {
		return nil, false
	}
	h.ciphers, h.newest = codes(ciphers), h.version
	if body.Empty() { // no extensions: allowed before TLS 1.3
		return h, true
	}
	if !body.ReadUint16LengthPrefixed(&extensions) {
		return nil, false
	}
	for !extensions.Empty() {
		var id uint16
		var content cryptobyte.String
		if !extensions.ReadUint16(&id) || !extensions.ReadUint16LengthPrefixed(&content) {
			return nil, false
		}
		if !isGREASE(id) {
			h.extensions = append(h.extensions, id)
			h.read(id, content)
		}
	}
	return h, true
}

// read keeps what a notation tells of an extension's content. A malformed one
// tells nothing: crypto/tls has judged it already.
func (h *hello) read(id uint16, content cryptobyte.String) {
	var list, name cryptobyte.String
	switch id {
	case extensionServerName:
		h.namesServer = true
	case extensionGroups:
		content.ReadUint16LengthPrefixed(&list)
		h.groups = codes(list)
	case extensionFormats:
		content.ReadUint8LengthPrefixed(&list)
		for _, format := range list {
			h.formats = append(h.formats, uint16(format))
		}
	case extensionAlgorithms:
		content.ReadUint16LengthPrefixed(&list)
		h.algorithms = codes(list)
	case extensionALPN:
		if content.ReadUint16LengthPrefixed(&list) && list.ReadUint8LengthPrefixed(&name) {
			h.protocol = string(name)
		}
	case extensionVersions:
		content.ReadUint8LengthPrefixed(&list)
		if versions := codes(list); len(versions) > 0 {
			h.newest = slices.Max(versions)
		}
	}
}

func (h *hello) ja3() string {
	return fmt.Sprintf("%d,%s,%s,%s,%s", h.version, join("%d", "-", h.ciphers), join("%d", "-", h.extensions),
		join("%d", "-", h.groups), join("%d", "-", h.formats))
}

// ja4 returns JA4 and JA4_r (FoxIO, technical_details/JA4.md).
func (h *hello) ja4() (hashed, raw string) {
	name := "i"
	if h.namesServer {
		name = "d"
	}
	a := fmt.Sprintf("t%s%s%02d%02d%s", version(h.newest), name, min(len(h.ciphers), 99), min(len(h.extensions), 99), h.alpn())
	b := join("%04x", ",", slices.Sorted(slices.Values(h.ciphers)))
	others := slices.DeleteFunc(slices.Clone(h.extensions), func(id uint16) bool {
		return id == extensionServerName || id == extensionALPN
	})
	slices.Sort(others)
	c := join("%04x", ",", others)
	if len(h.algorithms) > 0 {
		c += "_" + join("%04x", ",", h.algorithms)
	}
	return a + "_" + short(b) + "_" + short(c), a + "_" + b + "_" + c
}

// alpn is the first and last character of the first protocol.
func (h *hello) alpn() string {
	if h.protocol == "" {
		return "00"
	}
	ends := []byte{h.protocol[0], h.protocol[len(h.protocol)-1]}
	if isAlphanumeric(ends[0]) && isAlphanumeric(ends[1]) {
		return string(ends)
	}
	digits := hex.EncodeToString(ends)
	return digits[:1] + digits[3:]
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

func version(code uint16) string {
	switch code {
	case 0x0300:
		return "s3"
	case 0x0301, 0x0302, 0x0303, 0x0304:
		return fmt.Sprint(code - 0x0301 + 10)
	}
	return "00"
}

// akamai is a client's HTTP/2 in the notation of "Passive Fingerprinting of
// HTTP/2 Clients" (Black Hat Europe 2017): SETTINGS, the connection's first
// WINDOW_UPDATE, PRIORITY frames, the order of pseudo-header fields.
func akamai(frames []Frame, fields []Field) string {
	var settings, priorities, pseudo []string
	window := "00"
	for _, frame := range frames {
		switch p := frame.Payload; {
		case frame.Type == "SETTINGS" && settings == nil:
			for ; len(p) >= 6; p = p[6:] {
				settings = append(settings, fmt.Sprintf("%d:%d", binary.BigEndian.Uint16(p), binary.BigEndian.Uint32(p[2:])))
			}
		case frame.Type == "WINDOW_UPDATE" && frame.Stream == 0 && window == "00":
			window = fmt.Sprint(binary.BigEndian.Uint32(p))
		case frame.Type == "PRIORITY":
			parent := binary.BigEndian.Uint32(p)
			priorities = append(priorities, fmt.Sprintf("%d:%d:%d:%d", frame.Stream, parent>>31, parent&^(1<<31), int(p[4])+1))
		}
	}
	if priorities == nil {
		priorities = []string{"0"}
	}
	for _, field := range fields {
		if strings.HasPrefix(field[0], ":") && len(field[0]) > 1 {
			pseudo = append(pseudo, field[0][1:2])
		}
	}
	return strings.Join([]string{strings.Join(settings, ";"), window, strings.Join(priorities, ","), strings.Join(pseudo, ",")}, "|")
}

// codes reads a list of 16-bit values and leaves GREASE out.
func codes(list cryptobyte.String) []uint16 {
	var found []uint16
	var code uint16
	for list.ReadUint16(&code) {
		if !isGREASE(code) {
			found = append(found, code)
		}
	}
	return found
}

// isGREASE knows the values 0x0a0a, 0x1a1a, … (RFC 8701 section 2).
func isGREASE(code uint16) bool { return code&0x0f0f == 0x0a0a && code>>8 == code&0xff }

func join(format, separator string, list []uint16) string {
	texts := make([]string, len(list))
	for i, item := range list {
		texts[i] = fmt.Sprintf(format, item)
	}
	return strings.Join(texts, separator)
}

// short is JA4's hash: twelve digits, zeros for an empty list.
func short(list string) string {
	if list == "" {
		return "000000000000"
	}
	sum := sha256.Sum256([]byte(list))
	return hex.EncodeToString(sum[:6])
}
