package transport

import (
	"container/list"
	"sync"

	utls "github.com/refraction-networking/utls"
)

// Bounds of the ticket cache: BoringSSL's client cache in Chromium keeps two
// sessions a host; the number of hosts is ours.
const (
	ticketHosts   = 512
	ticketsPerKey = 2
)

// tickets remembers sessions by origin, the proxy on the way there included
// (CVE-2021-22890). A TLS 1.3 ticket is taken out when it is offered, because one
// that is seen twice links two connections (RFC 8446 appendix C.4).
type tickets struct {
	mu    sync.Mutex
	hosts map[Origin]*list.Element
	order list.List // of *hostTickets, used last in front
}

type hostTickets struct {
	key   Origin
	stack []*utls.ClientSessionState // newest last
}

// ticket is one session to offer.
type ticket utls.ClientSessionState

// take returns the newest session of a host, or nil.
func (t *tickets) take(key Origin) *ticket {
	t.mu.Lock()
	defer t.mu.Unlock()
	element := t.hosts[key]
	if element == nil {
		return nil
	}
	host := element.Value.(*hostTickets)
	last := len(host.stack) - 1
	state := host.stack[last]
	if state.Vers() == utls.VersionTLS13 {
		host.stack = host.stack[:last]
	}
	if len(host.stack) == 0 {
		t.forget(element)
	}
	return (*ticket)(state)
}

func (t *tickets) put(key Origin, state *utls.ClientSessionState) {
	t.mu.Lock()
	defer t.mu.Unlock()
	element := t.hosts[key]
	if element == nil {
		if t.hosts == nil {
			t.hosts = make(map[Origin]*list.Element)
		}
		if len(t.hosts) >= ticketHosts {
			t.forget(t.order.Back())
		}
		element = t.order.PushFront(&hostTickets{key: key})
		t.hosts[key] = element
	}
	t.order.MoveToFront(element)
	host := element.Value.(*hostTickets)
	if len(host.stack) == ticketsPerKey {
		host.stack = append(host.stack[:0], host.stack[1:]...)
	}
	host.stack = append(host.stack, state)
}

// drop takes a host's sessions out.
func (t *tickets) drop(key Origin) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if element := t.hosts[key]; element != nil {
		t.forget(element)
	}
}

func (t *tickets) forget(element *list.Element) {
	t.order.Remove(element)
	delete(t.hosts, element.Value.(*hostTickets).key)
}

// pskLength returns how long the pre_shared_key extension is that offers the
// session (RFC 8446 section 4.2.11): header, one identity with its age, one
// binder as long as the suite's hash. A TLS 1.2 session has none.
func (t *ticket) pskLength() int {
	if t == nil {
		return 0
	}
	state := (*utls.ClientSessionState)(t)
	if state.Vers() != utls.VersionTLS13 {
		return 0
	}
	binder := 32
	if state.CipherSuite() == utls.TLS_AES_256_GCM_SHA384 {
		binder = 48
	}
	return 4 + 2 + 2 + len(state.SessionTicket()) + 4 + 2 + 1 + binder
}

// ticketSlot is the session cache of one connection, as utls sees it.
type ticketSlot struct {
	tickets *tickets
	key     Origin
	offer   *ticket
}

var _ utls.ClientSessionCache = (*ticketSlot)(nil)

// Get implements utls.ClientSessionCache.
func (s *ticketSlot) Get(string) (*utls.ClientSessionState, bool) {
	return (*utls.ClientSessionState)(s.offer), s.offer != nil
}

// Put implements utls.ClientSessionCache; nil says that the session was no good.
func (s *ticketSlot) Put(_ string, state *utls.ClientSessionState) {
	if state == nil {
		s.tickets.drop(s.key)
		return
	}
	s.tickets.put(s.key, state)
}
