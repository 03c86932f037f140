package fingerprint

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ja4Fields are the notation's parts, in order.
var ja4Fields = [...]string{"start", "ciphers", "extensions", "signature algorithms"}

// ParseJA4 reads JA4_r or JA4_ro; they differ in that the lists of JA4_r are
// sorted. JA4_r may list server_name and ALPN, as some tools write it.
func ParseJA4(s string) (JA4, error) {
	parts := strings.Split(s, "_")
	if n := len(parts); n != 3 && n != 4 {
		return JA4{}, fmt.Errorf("ja4r: %d parts where three or four belong (%s)", n, strings.Join(ja4Fields[:], ", "))
	}
	j, ciphers, err := parseJA4Start(parts[0])
	if err != nil {
		return JA4{}, fmt.Errorf("ja4r: %s: %w", ja4Fields[0], err)
	}
	for i, list := range []*[]Code{&j.Ciphers, &j.Extensions, &j.Algorithms}[:len(parts)-1] {
		if *list, err = parseList(parts[i+1], ",", parseHexadecimal); err != nil {
			return JA4{}, fmt.Errorf("ja4r: %s%w", ja4Fields[i+1], err)
		}
	}
	j.Original = !slices.IsSorted(j.Ciphers) || !slices.IsSorted(j.Extensions)
	if err := j.check(ciphers); err != nil {
		return JA4{}, fmt.Errorf("ja4r: %w", err)
	}
	if !j.Original {
		j.sort()
	}
	return j, nil
}

func parseHexadecimal(item string) (Code, error) {
	value, err := strconv.ParseUint(item, 16, 16)
	if err != nil || fmt.Sprintf("%04x", value) != item {
		return 0, fmt.Errorf("%q is not four hexadecimal digits", item)
	}
	return Code(value), nil
}

var ja4Start = regexp.MustCompile(`^(.)(..)(.)([0-9]{2})([0-9]{2})([0-9A-Za-z]{2})$`)

// parseJA4Start reads part a, and from it how many ciphers there are.
func parseJA4Start(s string) (j JA4, ciphers int, err error) {
	found := ja4Start.FindStringSubmatch(s)
	if found == nil {
		return j, 0, fmt.Errorf("%q is not like t13d1516h2: protocol, version, d or i, two digits of ciphers, two of extensions, ALPN", s)
	}
	switch {
	case found[1] != "t":
		return j, 0, fmt.Errorf("%q at 0: only t, TLS over TCP, can be sent", found[1])
	case found[2] != "13" && found[2] != "12":
		return j, 0, fmt.Errorf("%q at 1: only 12 and 13, TLS 1.2 and 1.3, can be spoken", found[2])
	case found[3] != "d" && found[3] != "i":
		return j, 0, fmt.Errorf("%q at 3: neither d, with server_name, nor i, without", found[3])
	case alpnProtocols[found[6]] == nil && found[6] != "00":
		return j, 0, fmt.Errorf("%q at 8: of protocols only h2, h1 and 00, none, are known", found[6])
	}
	j = JA4{Version: versionTLS12, Named: found[3] == "d", ALPN: found[6]}
	if found[2] == "13" {
		j.Version = versionTLS13
	}
	ciphers, _ = strconv.Atoi(found[4]) // the pattern has seen that they are digits
	j.Count, _ = strconv.Atoi(found[5])
	return j, ciphers, nil
}

// alpnProtocols is what clients offer whose first protocol is this.
var alpnProtocols = map[string][]string{"h2": {"h2", "http/1.1"}, "h1": {"http/1.1"}}

// check holds the lists against each other and against part a.
func (j *JA4) check(ciphers int) error {
	for i, list := range [][]Code{j.Ciphers, j.Extensions} {
		if err := checkUnique(list, hexadecimals); err != nil {
			return fmt.Errorf("%s%w", ja4Fields[i+1], err)
		}
	}
	if n := min(len(j.Ciphers), 99); n != ciphers {
		return fmt.Errorf("start says %02d ciphers, the list has %d", ciphers, len(j.Ciphers))
	}
	if err := j.checkExtensions(); err != nil {
		return err
	}
	return j.checkContent()
}

// checkExtensions counts: JA4_r leaves server_name and ALPN to part a.
func (j *JA4) checkExtensions() error {
	count := len(j.Extensions)
	for _, e := range []struct {
		id    Code
		name  string
		there bool
	}{{idServerName, "server_name", j.Named}, {idALPN, "ALPN", j.ALPN != "00"}} {
		switch listed := slices.Contains(j.Extensions, e.id); {
		case listed && !e.there:
			return fmt.Errorf("start says that there is no %s, extensions has %04x", e.name, uint16(e.id))
		case j.Original && !listed && e.there:
			return fmt.Errorf("start says that there is %s, extensions lacks %04x; only sorted lists leave it out", e.name, uint16(e.id))
		case !listed && e.there:
			count++
		}
	}
	if min(count, 99) != j.Count {
		return fmt.Errorf("start says %02d extensions, the list has %d, with server_name and ALPN %d", j.Count, len(j.Extensions), count)
	}
	j.Count = count
	return nil
}

func (j *JA4) checkContent() error {
	switch has := func(id Code) bool { return slices.Contains(j.Extensions, id) }; {
	case len(j.Ciphers) == 0:
		return errors.New("no ciphers")
	case has(idAlgorithms) != (len(j.Algorithms) > 0):
		return errors.New("signature algorithms and the extension 000d that lists them go together")
	case j.Version == versionTLS13 && !(has(idVersions) && has(idShares)):
		return errors.New("start says TLS 1.3, extensions lacks 002b or 0033 (RFC 8446 section 9.2)")
	case j.Original && pskNotLast(j.Extensions):
		return errors.New("extension 0029 is the last one (RFC 8446 section 4.2.11)")
	}
	return nil
}

func pskNotLast(extensions []Code) bool {
	i := slices.Index(extensions, idPSK)
	return i >= 0 && i != len(extensions)-1
}

var ja4Hash = regexp.MustCompile(`^[tqd][0-9a-z]{2}[di][0-9]{4}[0-9A-Za-z]{2}_[0-9a-f]{12}_[0-9a-f]{12}$`)

// FindJA4 looks a hash, JA4 or JA4_o, up among profiles: nothing can be made of
// it. It reports whether s is one.
func FindJA4(s string, among []*Profile) (found *Profile, isHash bool) {
	if !ja4Hash.MatchString(s) {
		return nil, false
	}
	for _, p := range among {
		hello := p.ClientHello()
		if hello.JA4(false).Hash() == s || p.TLS.ExtensionOrder == orderFixed && hello.JA4(true).Hash() == s {
			return p, true
		}
	}
	return nil, true
}
