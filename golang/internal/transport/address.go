package transport

import (
	"fmt"
	"net/netip"
	"strings"
)

// BlockedError is a host all of whose addresses the session refuses to connect
// to, because they are not on the public internet.
type BlockedError struct {
	Host      string
	Addresses []netip.Addr
}

func (e *BlockedError) Error() string {
	return fmt.Sprintf("%s is not a public host: %s", e.Host, join(e.Addresses))
}

func join[T fmt.Stringer](items []T) string {
	texts := make([]string, len(items))
	for i, item := range items {
		texts[i] = item.String()
	}
	return strings.Join(texts, ", ")
}

// notPublic are the blocks that the IANA special-purpose address registries
// (RFC 6890) do not call globally reachable. Of IPv6 only 2000::/3 is unicast
// space in use (RFC 4291 section 2.4); the rest is refused by that rule.
var notPublic = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
	"172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
	"192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
	"224.0.0.0/4", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "3fff::/20",
)

var (
	unicast6  = netip.MustParsePrefix("2000::/3")
	nat64     = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
	sixToFour = netip.MustParsePrefix("2002::/16")    // RFC 3056
)

func prefixes(texts ...string) []netip.Prefix {
	parsed := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		parsed[i] = netip.MustParsePrefix(text)
	}
	return parsed
}

// public reports whether an address is on the public internet. An IPv6 address
// that carries an IPv4 one leads there, so that one decides.
func public(addr netip.Addr) bool {
	addr = embedded(addr.WithZone("").Unmap())
	if addr.Is6() && !unicast6.Contains(addr) {
		return false
	}
	for _, block := range notPublic {
		if block.Contains(addr) {
			return false
		}
	}
	return true
}

// embedded returns the IPv4 address that a translator would take out of addr,
// or addr.
func embedded(addr netip.Addr) netip.Addr {
	bytes := addr.As16()
	switch {
	case nat64.Contains(addr):
		return netip.AddrFrom4([4]byte(bytes[12:16]))
	case sixToFour.Contains(addr):
		return netip.AddrFrom4([4]byte(bytes[2:6]))
	}
	return addr
}

// onlyPublic drops the addresses that are not public; an error when that leaves
// none.
func onlyPublic(host string, addresses []netip.Addr) ([]netip.Addr, error) {
	var kept []netip.Addr
	for _, addr := range addresses {
		if public(addr) {
			kept = append(kept, addr)
		}
	}
	if len(kept) == 0 {
		return nil, &BlockedError{host, addresses}
	}
	return kept, nil
}
