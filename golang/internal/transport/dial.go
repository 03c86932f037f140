package transport

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

// attemptDelay is the head start of an address over the next one (RFC 8305
// section 5 recommends 250 ms).
const attemptDelay = 250 * time.Millisecond

// keepAlive is how long a connection is silent before the kernel probes it, and
// between probes; Chrome's value.
const keepAlive = 45 * time.Second

// Attempt is one address that could not be connected to.
type Attempt struct {
	Address netip.AddrPort
	Err     error
}

func (a Attempt) String() string { return fmt.Sprintf("%s: %v", a.Address, a.Err) }

// ConnectError is a host none of whose addresses let us connect.
type ConnectError struct {
	Host     string
	Port     uint16
	Attempts []Attempt
}

func (e *ConnectError) Error() string {
	return fmt.Sprintf("connect to %s: %s", hostPort(e.Host, e.Port), join(e.Attempts))
}

// Unwrap gives the cause of every attempt.
func (e *ConnectError) Unwrap() []error {
	causes := make([]error, len(e.Attempts))
	for i, attempt := range e.Attempts {
		causes[i] = attempt.Err
	}
	return causes
}

func hostPort(host string, port uint16) string {
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

// dialer connects to hosts, happy-eyeballs fashion (RFC 8305).
type dialer struct {
	resolver *resolver
	local    netip.Addr // to dial from; invalid: the system's choice
	async    bool       // on Go's network poller
}

// attempts are connects under way. Who waits for them, and how, is the
// system's; the race is the same everywhere.
type attempts interface {
	// start begins to connect; it may fail at once.
	start(netip.AddrPort) error
	pending() int
	// wait returns the next one to end, false when none did within limit.
	wait(limit time.Duration) (result, bool)
	// abandon closes whatever is still under way.
	abandon()
}

// result is how an attempt ended.
type result struct {
	Attempt
	conn wait.Conn
}

// dial connects to a host and tells how long the look-up took.
func (d *dialer) dial(ctx *wait.Context, host string, port uint16) (wait.Conn, time.Duration, error) {
	began := time.Now()
	addresses, err := d.resolver.addresses(ctx, host)
	looked := time.Since(began)
	if err != nil {
		return nil, looked, err
	}
	conn, err := d.connect(ctx, host, port, addresses)
	return conn, looked, err
}

// connect connects to a host that has these addresses.
func (d *dialer) connect(ctx *wait.Context, host string, port uint16, addresses []netip.Addr) (wait.Conn, error) {
	r := race{host: host, port: port, waiting: interleave(addresses)}
	if r.waiting = sameFamily(r.waiting, d.local); len(r.waiting) == 0 {
		return nil, unreachable(host, port, addresses, d.local)
	}
	return r.run(ctx, d.attempts(len(r.waiting)))
}

// unreachable is a host that has no address of the family to dial from.
func unreachable(host string, port uint16, addresses []netip.Addr, local netip.Addr) error {
	failed := &ConnectError{Host: host, Port: port}
	for _, addr := range addresses {
		err := fmt.Errorf("not to be reached from %s", local)
		failed.Attempts = append(failed.Attempts, Attempt{netip.AddrPortFrom(addr, port), err})
	}
	return failed
}

// interleave alternates the families, beginning with the preferred one (RFC
// 8305 section 4).
func interleave(addresses []netip.Addr) []netip.Addr {
	var families [2][]netip.Addr
	for _, addr := range addresses {
		i := 0
		if addr.Is4() != addresses[0].Is4() {
			i = 1
		}
		families[i] = append(families[i], addr)
	}
	mixed := make([]netip.Addr, 0, len(addresses))
	for i := 0; len(mixed) < len(addresses); i++ {
		for _, family := range families {
			if i < len(family) {
				mixed = append(mixed, family[i])
			}
		}
	}
	return mixed
}

// sameFamily keeps the addresses that local can send to.
func sameFamily(addresses []netip.Addr, local netip.Addr) []netip.Addr {
	if !local.IsValid() {
		return addresses
	}
	var kept []netip.Addr
	for _, addr := range addresses {
		if addr.Is4() == local.Is4() {
			kept = append(kept, addr)
		}
	}
	return kept
}

// race connects to several addresses of a host, staggered; the first to answer
// wins.
type race struct {
	host    string
	port    uint16
	waiting []netip.Addr // not tried yet
	next    time.Time    // when to try the next one
	failed  []Attempt
}

func (r *race) run(ctx *wait.Context, under attempts) (wait.Conn, error) {
	defer under.abandon()
	until, why := ctx.Until(wait.Connect)
	for {
		r.start(under)
		if under.pending() == 0 && len(r.waiting) == 0 {
			return nil, &ConnectError{r.host, r.port, r.failed}
		}
		if ended, ok := under.wait(r.limit(until)); ok {
			if ended.Err == nil {
				return ended.conn, nil
			}
			r.fail(ended.Attempt)
		}
		if err := ctx.Check(); err != nil {
			return nil, r.stopped(err)
		}
		if why != nil && !time.Now().Before(until) {
			return nil, r.stopped(why)
		}
	}
}

// start begins the attempts that are due.
func (r *race) start(under attempts) {
	for len(r.waiting) > 0 && !time.Now().Before(r.next) {
		target := netip.AddrPortFrom(r.waiting[0], r.port)
		r.waiting, r.next = r.waiting[1:], time.Now().Add(attemptDelay)
		if err := under.start(target); err != nil {
			r.fail(Attempt{target, err})
		}
	}
}

// fail notes a failed attempt and lets the next one begin at once.
func (r *race) fail(attempt Attempt) {
	r.failed = append(r.failed, attempt)
	r.next = time.Time{}
}

// limit bounds one slice of the wait for the attempts under way.
func (r *race) limit(until time.Time) time.Duration {
	limit := wait.Slice(until)
	if len(r.waiting) > 0 {
		limit = min(limit, max(0, time.Until(r.next)))
	}
	return limit
}

// stopped says what the race was doing when the exchange ended.
func (r *race) stopped(err error) error {
	text := "connect to " + hostPort(r.host, r.port)
	if len(r.failed) > 0 {
		text += " (" + join(r.failed) + ")"
	}
	return fmt.Errorf("%s: %w", strings.TrimSpace(text), err)
}
