package target

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

const (
	// maxRawHost bounds what is given to IDNA: no longer text can become a name
	// of maxHost bytes, even percent-encoded UTF-8.
	maxRawHost = 4096
	maxHost    = 253 // RFC 1035 section 2.3.4, in text
	maxLabel   = 63
)

// names is the Standard's "domain to ASCII": UTS #46, non-transitional, without
// the rules that only registries apply. It is asked about names outside of ASCII
// and may be strict with the ASCII among them.
var names = idna.New(
	idna.MapForLookup(),
	idna.BidiRule(),
	idna.CheckJoiners(true),
	idna.ValidateLabels(true),
	idna.Transitional(false),
	idna.StrictDomainName(true),
	idna.CheckHyphens(false),
	idna.VerifyDNSLength(false),
)

// parseHost returns the canonical host; literal says that it is an IPv6 address.
func parseHost(text string) (host string, literal bool, what string) {
	if len(text) > maxRawHost {
		return "", false, "the host is too long"
	}
	if text[0] == '[' {
		host, what = parseIPv6(text)
		return host, true, what
	}
	host, what = parseName(text)
	if what != "" || !endsInNumber(host) {
		return host, false, what
	}
	host, what = parseIPv4(host)
	return host, false, what
}

func parseIPv6(text string) (host, what string) {
	inner, closed := strings.CutSuffix(text[1:], "]")
	if !closed {
		return "", "text after the ] of the host, or none"
	}
	address, err := netip.ParseAddr(inner)
	if err != nil || !address.Is6() || address.Zone() != "" {
		return "", "the host in brackets is no IPv6 address"
	}
	if address.Is4In6() {
		tail := address.As4()
		return "::ffff:" + strconv.FormatUint(uint64(binary.BigEndian.Uint16(tail[:2])), 16) +
			":" + strconv.FormatUint(uint64(binary.BigEndian.Uint16(tail[2:])), 16), ""
	}
	return address.String(), ""
}

// parseName returns a name in lower-case ASCII, or says why it cannot be one.
func parseName(text string) (name, what string) {
	name = percentDecode(text)
	if !utf8.ValidString(name) {
		return "", "the host is not UTF-8"
	}
	if isASCII(name) {
		name = strings.ToLower(name)
	}
	if !isASCII(name) || strings.HasPrefix(name, "xn--") || strings.Contains(name, ".xn--") {
		converted, err := names.ToASCII(name)
		if err != nil {
			return "", "the host is no valid internationalized name (" + err.Error() + ")"
		}
		name = converted
	}
	return name, checkName(name)
}

func checkName(name string) (what string) {
	for i := range len(name) {
		if hostForbidden[name[i]] {
			return "the host contains " + strconv.QuoteRune(rune(name[i]))
		}
	}
	relative := strings.TrimSuffix(name, ".")
	if len(relative) > maxHost {
		return "the host is longer than 253 bytes"
	}
	for label := range strings.SplitSeq(relative, ".") {
		if label == "" {
			return "the host has an empty label"
		}
		if len(label) > maxLabel {
			return "a label of the host is longer than 63 bytes"
		}
	}
	return ""
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// endsInNumber reports whether a name must be read as an IPv4 address: no
// top-level domain is a number, and a resolver would take it for one.
func endsInNumber(name string) bool {
	name = strings.TrimSuffix(name, ".")
	last := name[strings.LastIndexByte(name, '.')+1:]
	if strings.Trim(last, "0123456789") == "" {
		return true
	}
	return strings.HasPrefix(last, "0x") && strings.Trim(last[2:], "0123456789abcdef") == ""
}

// parseIPv4 reads the forms that inet_aton(3) reads: one to four parts, decimal,
// octal or hexadecimal, the last filling what remains.
func parseIPv4(name string) (host, what string) {
	const malformed = "the host ends in a number but is no IPv4 address"
	parts := strings.Split(strings.TrimSuffix(name, "."), ".")
	if len(parts) > 4 {
		return "", malformed
	}
	var address uint64
	for i, part := range parts {
		number, err := parseNumber(part)
		room := 8
		if i == len(parts)-1 {
			room = 8 * (4 - i)
		}
		if err != nil || number >= 1<<room {
			return "", malformed
		}
		address = address<<room | number
	}
	var raw [4]byte
	binary.BigEndian.PutUint32(raw[:], uint32(address))
	return netip.AddrFrom4(raw).String(), ""
}

func parseNumber(part string) (uint64, error) {
	base := 10
	if rest, ok := strings.CutPrefix(part, "0x"); ok {
		part, base = rest, 16
	} else if len(part) > 1 && part[0] == '0' {
		part, base = part[1:], 8
	}
	if part == "" && base == 16 {
		return 0, nil
	}
	return strconv.ParseUint(part, base, 64)
}
