package proxy

import (
	"net/netip"
	"strings"

	"github.com/cycletls/cycletls/golang/internal/engine/target"
)

// bypass is a list of hosts that are connected to directly: NO_PROXY. It has no
// standard; this takes what curl, Go and requests agree on, and CIDR blocks.
type bypass struct {
	all     bool
	entries []bypassEntry
}

// bypassEntry is a block of addresses, or a domain with what is beneath it.
type bypassEntry struct {
	block  netip.Prefix
	domain string
	port   uint16 // 0 = any
}

// parseBypass reads a list that commas or spaces divide. An entry that can match
// nothing is passed over, as everywhere: the variable is shared with programs
// that know other forms.
func parseBypass(text string) (b bypass) {
	for entry := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r <= ' ' }) {
		if entry == "*" {
			b.all = true
		} else if parsed, ok := parseBypassEntry(entry); ok {
			b.entries = append(b.entries, parsed)
		}
	}
	return b
}

func parseBypassEntry(text string) (bypassEntry, bool) {
	if block, err := netip.ParsePrefix(text); err == nil {
		return bypassEntry{block: block.Masked()}, true
	}
	// An address with a zone is one of a link of this machine, which no URL names.
	if addr, err := netip.ParseAddr(text); err == nil {
		return bypassEntry{block: blockOf(addr)}, addr.Zone() == ""
	}
	name, _ := strings.CutPrefix(text, "*")
	u, err := target.ParseAuthority(strings.TrimPrefix(name, "."))
	if err != nil || u.HasUser {
		return bypassEntry{}, false
	}
	if addr, err := netip.ParseAddr(u.Host); err == nil {
		return bypassEntry{block: blockOf(addr), port: u.Port}, true
	}
	return bypassEntry{domain: strings.TrimSuffix(u.Host, "."), port: u.Port}, true
}

func blockOf(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap()
	return netip.PrefixFrom(addr, addr.BitLen())
}

// matches asks about the host as the URL's one parser has read it. Addresses
// match addresses, names match names: nothing is looked up, and no address has
// the end of a name (CVE-2025-22870).
func (b *bypass) matches(u *target.URL) bool {
	if b.all || len(b.entries) == 0 {
		return b.all
	}
	host := strings.TrimSuffix(u.Host, ".")
	addr, err := netip.ParseAddr(host)
	for i := range b.entries {
		e := &b.entries[i]
		if e.port != 0 && e.port != u.Port {
			continue
		}
		if err == nil && e.block.Contains(addr.Unmap()) || e.domain != "" && (host == e.domain || beneath(host, e.domain)) {
			return true
		}
	}
	return false
}
