package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/cycletls/cycletls/golang/internal/fault"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// DNSError is a host name that has no address we could find.
type DNSError struct {
	Host     string
	NotFound bool // the name does not exist, as opposed to: nobody could tell
	Cause    error
}

func (e *DNSError) Error() string {
	if e.NotFound {
		return fmt.Sprintf("host %s does not exist", e.Host)
	}
	return fmt.Sprintf("look up host %s: %v", e.Host, e.Cause)
}

func (e *DNSError) Unwrap() error { return e.Cause }

// resolver turns host names into addresses.
type resolver struct {
	fixed      map[string]netip.Addr // instead of a look-up
	publicOnly bool
	net.Resolver
}

func newResolver(fixed map[string]string, publicOnly bool) (*resolver, error) {
	// Go's own resolver: getaddrinfo(3) cannot be interrupted and holds a thread
	// for every look-up.
	r := &resolver{make(map[string]netip.Addr), publicOnly, net.Resolver{PreferGo: true}}
	for host, address := range fixed {
		addr, err := netip.ParseAddr(strings.Trim(address, "[]"))
		if err != nil {
			return nil, fmt.Errorf("resolve: %q for host %s is not an IP address", address, host)
		}
		r.fixed[strings.ToLower(host)] = addr.Unmap()
	}
	return r, nil
}

// addresses returns where host can be reached, in the order of preference
// (RFC 6724), less what the session refuses. The rule is applied to what will
// be dialled, after the look-up: a name that points elsewhere the second time
// it is asked for (DNS rebinding) gains nothing.
func (r *resolver) addresses(ctx *wait.Context, host string) ([]netip.Addr, error) {
	found, err := r.find(ctx, host)
	if err != nil {
		return nil, err
	}
	if r.publicOnly {
		return onlyPublic(host, found)
	}
	return found, nil
}

func (r *resolver) find(ctx *wait.Context, host string) ([]netip.Addr, error) {
	if addresses := r.known(host); addresses != nil {
		return addresses, nil
	}
	return r.lookUp(ctx, host)
}

// known returns the addresses of a host that need no look-up, or nil.
func (r *resolver) known(host string) []netip.Addr {
	if addr, ok := r.fixed[host]; ok {
		return []netip.Addr{addr}
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr.Unmap()}
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return loopback
	}
	return nil
}

// admit refuses a host behind a proxy as far as it can be judged on this side:
// what a name means is for whoever looks it up to say.
func (r *resolver) admit(host string) error {
	addresses := r.known(host)
	if !r.publicOnly || addresses == nil {
		return nil
	}
	_, err := onlyPublic(host, addresses)
	return err
}

// loopback is what localhost and the names beneath it mean; they must not reach
// a DNS server (RFC 6761 section 6.3).
var loopback = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}

// lookUp asks the system's hosts file and DNS servers. It waits for both
// families.
func (r *resolver) lookUp(ctx *wait.Context, host string) ([]netip.Addr, error) {
	inner, cancel := context.WithCancel(context.Background())
	defer cancel()
	var answer struct {
		found []netip.Addr
		err   error
	}
	ready := make(chan struct{})
	go func() {
		defer close(ready)
		defer fault.Catch(&answer.err)
		answer.found, answer.err = r.LookupNetIP(inner, "ip", host)
	}()
	if err := ctx.Await(ready, wait.Connect); err != nil {
		return nil, fmt.Errorf("look up host %s: %w", host, err)
	}
	if answer.err != nil {
		return nil, newDNSError(host, answer.err)
	}
	for i, addr := range answer.found {
		answer.found[i] = addr.Unmap()
	}
	return answer.found, nil
}

func newDNSError(host string, err error) error {
	var dns *net.DNSError
	if !errors.As(err, &dns) {
		return err
	}
	return &DNSError{Host: host, NotFound: dns.IsNotFound, Cause: err}
}
