package fingerprint

import (
	"crypto/md5"
	"encoding/hex"
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

// ParseJA3 reads "771,4865-…,0-23-…,29-23-…,0".
func ParseJA3(s string) (JA3, error) {
	fields := strings.Split(s, ",")
	if len(fields) != 5 {
		return JA3{}, fmt.Errorf("JA3: %d fields where five belong (version, ciphers, extensions, groups, point formats)", len(fields))
	}
	var lists [5][]Code
	for i, field := range fields {
		list, err := parseJA3List(field)
		if err != nil {
			return JA3{}, fmt.Errorf("JA3: %s: %w", [...]string{"version", "ciphers", "extensions", "groups", "point formats"}[i], err)
		}
		lists[i] = list
	}
	if len(lists[0]) != 1 {
		return JA3{}, errors.New("JA3: version: not one number")
	}
	j := JA3{lists[0][0], lists[1], lists[2], lists[3], lists[4]}
	return j, j.check()
}

func parseJA3List(s string) ([]Code, error) {
	if s == "" {
		return nil, nil
	}
	items := strings.Split(s, "-")
	list := make([]Code, len(items))
	for i, item := range items {
		value, err := strconv.ParseUint(item, 10, 16)
		if err != nil || strconv.FormatUint(value, 10) != item {
			return nil, fmt.Errorf("%q is not a number from 0 to 65535", item)
		}
		list[i] = Code(value)
		if list[i].isGREASE() {
			return nil, fmt.Errorf("%d is a GREASE value: JA3 leaves those out", value)
		}
		if slices.Contains(list[:i], list[i]) {
			return nil, fmt.Errorf("%d is there twice", value)
		}
	}
	return list, nil
}

func (j JA3) check() error {
	switch {
	case j.Version != versionTLS12:
		return fmt.Errorf("JA3: version %d: only 771, that of TLS 1.2 and 1.3, can be sent", j.Version)
	case len(j.Ciphers) == 0:
		return errors.New("JA3: no ciphers")
	case slices.Contains(j.Extensions, 10) != (len(j.Groups) > 0):
		return errors.New("JA3: groups and the extension 10 that lists them go together")
	case slices.Contains(j.Extensions, 11) != (len(j.Formats) > 0):
		return errors.New("JA3: point formats and the extension 11 that lists them go together")
	case slices.Contains(j.Extensions, 41) && j.Extensions[len(j.Extensions)-1] != 41:
		return errors.New("JA3: extension 41 is the last one (RFC 8446 section 4.2.11)")
	case slices.ContainsFunc(j.Formats, func(format Code) bool { return format > 255 }):
		return errors.New("JA3: a point format is at most 255")
	}
	return nil
}

// String returns the notation.
func (j JA3) String() string {
	return fmt.Sprintf("%d,%s,%s,%s,%s", j.Version, decimals(j.Ciphers), decimals(j.Extensions), decimals(j.Groups), decimals(j.Formats))
}

// Hash returns the MD5 sum by which the notation is mostly quoted.
func (j JA3) Hash() string {
	sum := md5.Sum([]byte(j.String()))
	return hex.EncodeToString(sum[:])
}

// JA3 returns the notation of a hello that offers no session. Where the order of
// extensions is drawn, it is that of the document: one of many.
func (p *Profile) JA3() JA3 {
	j := JA3{Version: p.TLS.LegacyVersion, Ciphers: withoutGREASE(p.TLS.Ciphers), Extensions: p.TLS.sentExtensions()}
	if e := p.TLS.extension("supported_groups"); e != nil {
		j.Groups = withoutGREASE(e.Groups)
	}
	if e := p.TLS.extension("ec_point_formats"); e != nil {
		j.Formats = e.Formats
	}
	return j
}

// sentExtensions lists what every first hello has: no GREASE, no session, and
// padding only where it is always there.
func (t *TLS) sentExtensions() []Code {
	sent := make([]Code, 0, len(t.Extensions))
	for i := range t.Extensions {
		e := &t.Extensions[i]
		if e.Type != "grease" && e.Type != "pre_shared_key" && (e.Type != "padding" || e.Always) {
			sent = append(sent, e.code())
		}
	}
	return sent
}

func withoutGREASE(list []Code) []Code {
	return slices.DeleteFunc(slices.Clone(list), Code.isGREASE)
}

func decimals(list []Code) string {
	texts := make([]string, len(list))
	for i, code := range list {
		texts[i] = strconv.Itoa(int(code))
	}
	return strings.Join(texts, "-")
}
