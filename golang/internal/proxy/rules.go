package proxy

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/cycletls/cycletls/golang/internal/engine/target"
)

// Rule sends some URLs through a proxy.
type Rule struct {
	// Match says which: "http", "https" or "all", as in requests, or with a host
	// as in httpx: "all://", "https://host", "all://host:port", "all://*.host"
	// (beneath it), "all://*host" (it and what is beneath).
	Match string
	URL   string // of the proxy; "" connects directly
}

// Rules decide which proxy a request takes. They are immutable; a nil *Rules
// knows none.
type Rules struct {
	rules  []rule // the most particular first
	bypass bypass
}

type rule struct {
	scheme string // "" = any
	host   string // "" = any
	port   uint16 // 0 = any
	itself bool   // the host
	below  bool   // its subdomains
	proxy  *Proxy
}

// NewRules reads rules and a list of exceptions in the manner of NO_PROXY. An
// error comes with the index of its rule.
func NewRules(given []Rule, exceptions string) (rules *Rules, faulty int, err error) {
	r := &Rules{bypass: parseBypass(exceptions)}
	known := make(map[string]*Proxy) // one pointer for one proxy: see Proxy
	for i, g := range given {
		parsed, err := parseMatch(g.Match)
		if err != nil {
			return nil, i, err
		}
		if parsed.proxy = known[g.URL]; g.URL != "" && parsed.proxy == nil {
			if parsed.proxy, err = Parse(g.URL); err != nil {
				return nil, i, err
			}
			known[g.URL] = parsed.proxy
		}
		r.rules = append(r.rules, parsed)
	}
	slices.SortStableFunc(r.rules, moreParticular)
	return r, 0, nil
}

// moreParticular is httpx's order: port, then host, then scheme. requests has
// the same where it has a rule at all, but for "http" before "all://host".
func moreParticular(a, b rule) int {
	return cmp.Or(
		-cmp.Compare(min(a.port, 1), min(b.port, 1)),
		-cmp.Compare(len(a.host), len(b.host)),
		cmp.Compare(ordinal(a.below), ordinal(b.below)),
		-cmp.Compare(len(a.scheme), len(b.scheme)),
	)
}

func ordinal(b bool) int {
	if b {
		return 1
	}
	return 0
}

func parseMatch(text string) (r rule, err error) {
	scheme, host, _ := strings.Cut(text, "://")
	switch scheme = strings.ToLower(scheme); scheme {
	case "all":
	case "http", "https":
		r.scheme = scheme
	default:
		return r, fmt.Errorf("%q begins with none of http, https and all", target.Redact(text))
	}
	if host == "" || host == "*" {
		return r, nil
	}
	rest, wild := strings.CutPrefix(host, "*")
	rest, below := strings.CutPrefix(rest, ".")
	r.below, r.itself = wild, !wild || !below
	anyHost := wild && strings.HasPrefix(rest, ":")
	if anyHost {
		rest = "any" + rest
	}
	u, err := target.ParseAuthority(rest)
	if err != nil {
		return r, err
	}
	if r.port = u.Port; !anyHost {
		r.host = strings.TrimSuffix(u.Host, ".")
	}
	return r, nil
}

// For returns the proxy for a URL, nil where it is to be connected to directly.
func (r *Rules) For(u *target.URL) *Proxy {
	if r == nil || len(r.rules) == 0 || r.bypass.matches(u) {
		return nil
	}
	host := strings.TrimSuffix(u.Host, ".")
	for i := range r.rules {
		if r.rules[i].matches(u, host) {
			return r.rules[i].proxy
		}
	}
	return nil
}

func (r *rule) matches(u *target.URL, host string) bool {
	if r.scheme != "" && r.scheme != u.Scheme || r.port != 0 && r.port != u.Port {
		return false
	}
	return r.host == "" || r.itself && host == r.host || r.below && beneath(host, r.host)
}

// beneath reports whether a host is a subdomain. An address is none of anything.
func beneath(host, domain string) bool {
	if !strings.HasSuffix(host, domain) || len(host) <= len(domain) || host[len(host)-len(domain)-1] != '.' {
		return false
	}
	_, err := netip.ParseAddr(host)
	return err != nil
}
