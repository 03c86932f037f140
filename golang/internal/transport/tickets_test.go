package transport

import (
	"fmt"
	"testing"

	utls "github.com/refraction-networking/utls"
)

func session(version uint16, label string) *utls.ClientSessionState {
	state := utls.MakeClientSessionState([]byte(label), version, utls.TLS_AES_128_GCM_SHA256, nil, nil, nil)
	return state
}

// A host's newest session is offered first; one of TLS 1.3 once, one of TLS 1.2
// until it is dropped.
func TestTicketsAreTakenNewestFirst(t *testing.T) {
	var cache tickets
	a, b := Origin{Host: "a", Port: 443}, Origin{Host: "b", Port: 443}
	if cache.take(a) != nil {
		t.Error("a ticket from nowhere")
	}
	for _, label := range []string{"1", "2", "3"} {
		cache.put(a, session(utls.VersionTLS13, label))
	}
	cache.put(b, session(utls.VersionTLS12, "b"))
	for _, want := range []string{"3", "2"} { // two are kept
		if got := cache.take(a); got == nil || string((*utls.ClientSessionState)(got).SessionTicket()) != want {
			t.Errorf("%v, want %s", got, want)
		}
	}
	if cache.take(a) != nil {
		t.Error("a TLS 1.3 ticket is there twice")
	}
	for range 2 {
		if cache.take(b) == nil {
			t.Error("a TLS 1.2 session is gone after its first use")
		}
	}
	cache.drop(b)
	if cache.take(b) != nil || len(cache.hosts) != 0 || cache.order.Len() != 0 {
		t.Error("something is left")
	}
}

// Ten thousand hosts leave no more than the cache holds, and the least used go.
func TestTicketsAreBounded(t *testing.T) {
	var cache tickets
	often := Origin{Host: "often"}
	for i := range 10000 {
		cache.put(Origin{Host: fmt.Sprintf("host-%d", i)}, session(utls.VersionTLS13, "x"))
		cache.put(often, session(utls.VersionTLS13, "x"))
	}
	if len(cache.hosts) != ticketHosts || cache.order.Len() != ticketHosts {
		t.Errorf("%d hosts", len(cache.hosts))
	}
	if cache.take(often) == nil || cache.take(Origin{Host: "host-9999"}) == nil || cache.take(Origin{Host: "host-0"}) != nil {
		t.Error("not the least used were forgotten")
	}
}

// The length of the extension that offers a session is known before the hello is
// made: the ECH GREASE of Firefox depends on it.
func TestLengthOfTheSessionIsForeseen(t *testing.T) {
	state := session(utls.VersionTLS13, "0123456789")
	if got := (*ticket)(state).pskLength(); got != 4+2+2+10+4+2+1+32 {
		t.Error(got)
	}
	state.SetCipherSuite(utls.TLS_AES_256_GCM_SHA384)
	if got := (*ticket)(state).pskLength(); got != 4+2+2+10+4+2+1+48 {
		t.Error(got)
	}
	if (*ticket)(nil).pskLength() != 0 || (*ticket)(session(utls.VersionTLS12, "x")).pskLength() != 0 {
		t.Error("a length without a TLS 1.3 session")
	}
}
