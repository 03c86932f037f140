package fingerprint

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// JA3 is a ClientHello in salesforce's notation: five lists without GREASE, in
// wire order. It leaves out signature algorithms, key shares, ALPN, versions
// and the rest; Apply takes those from a profile.
type JA3 struct {
	Version    Code // legacy_version
	Ciphers    []Code
	Extensions []Code
	Groups     []Code
	Formats    []Code // of elliptic curve points
}

// ja3Fields are the notation's parts, in order.
var ja3Fields = [...]string{"version", "ciphers", "extensions", "groups", "point formats"}

// ParseJA3 reads "771,4865-…,0-23-…,29-23-…,0".
func ParseJA3(s string) (JA3, error) {
	fields := strings.Split(s, ",")
	if len(fields) != len(ja3Fields) {
		return JA3{}, fmt.Errorf("ja3: %d fields where five belong (%s)", len(fields), strings.Join(ja3Fields[:], ", "))
	}
	var lists [len(ja3Fields)][]Code
	for i, field := range fields {
		list, err := parseList(field, "-", parseDecimal)
		if err != nil {
			return JA3{}, fmt.Errorf("ja3: %s%w", ja3Fields[i], err)
		}
		lists[i] = list
	}
	if len(lists[0]) != 1 {
		return JA3{}, errors.New("ja3: version: not one number")
	}
	j := JA3{lists[0][0], lists[1], lists[2], lists[3], lists[4]}
	return j, j.check()
}

func parseDecimal(item string) (Code, error) {
	value, err := strconv.ParseUint(item, 10, 16)
	if err != nil || strconv.FormatUint(value, 10) != item {
		return 0, fmt.Errorf("%q is not a number from 0 to 65535", item)
	}
	return Code(value), nil
}

// parseList reads a list of a notation. Its errors begin with the position.
func parseList(s, separator string, parse func(string) (Code, error)) ([]Code, error) {
	if s == "" {
		return nil, nil
	}
	items := strings.Split(s, separator)
	list := make([]Code, len(items))
	for i, item := range items {
		code, err := parse(item)
		if err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
		if code.isGREASE() {
			return nil, fmt.Errorf("[%d]: %s is a GREASE value: the notation leaves those out", i, item)
		}
		list[i] = code
	}
	return list, nil
}

// checkUnique refuses what RFC 8446 section 4.2 does, and what makes no sense
// in other lists.
func checkUnique(list []Code, write func([]Code) string) error {
	for i, code := range list {
		if slices.Contains(list[:i], code) {
			return fmt.Errorf("[%d]: %s is there twice", i, write(list[i:i+1]))
		}
	}
	return nil
}

func (j JA3) check() error {
	for i, list := range [][]Code{j.Ciphers, j.Extensions, j.Groups, j.Formats} {
		if err := checkUnique(list, decimals); err != nil {
			return fmt.Errorf("ja3: %s%w", ja3Fields[i+1], err)
		}
	}
	switch {
	case j.Version != versionTLS12:
		return fmt.Errorf("ja3: version %d: only 771, that of TLS 1.2 and 1.3, can be sent", j.Version)
	case len(j.Ciphers) == 0:
		return errors.New("ja3: no ciphers")
	case slices.Contains(j.Extensions, idGroups) != (len(j.Groups) > 0):
		return errors.New("ja3: groups and the extension 10 that lists them go together")
	case slices.Contains(j.Extensions, idFormats) != (len(j.Formats) > 0):
		return errors.New("ja3: point formats and the extension 11 that lists them go together")
	case pskNotLast(j.Extensions):
		return errors.New("ja3: extension 41 is the last one (RFC 8446 section 4.2.11)")
	case slices.ContainsFunc(j.Formats, func(format Code) bool { return format > 255 }):
		return errors.New("ja3: a point format is at most 255")
	}
	return nil
}

// String returns the notation.
func (j JA3) String() string {
	return fmt.Sprintf("%d,%s,%s,%s,%s", j.Version, decimals(j.Ciphers), decimals(j.Extensions), decimals(j.Groups), decimals(j.Formats))
}

// Hash returns the MD5 sum by which the notation is mostly quoted.
func (j JA3) Hash() string { return md5Hex(j.String()) }

// JA3 returns the notation.
func (h *ClientHello) JA3() JA3 {
	return JA3{h.Version, withoutGREASE(h.Ciphers), withoutGREASE(h.Extensions), withoutGREASE(h.Groups), h.Formats}
}

// JA3 returns the notation of the profile's ClientHello.
func (p *Profile) JA3() JA3 { return p.ClientHello().JA3() }
