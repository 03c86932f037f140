package transport

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

// runRace dials addresses that no look-up gave.
func runRace(ctx *wait.Context, d *dialer, port uint16, addresses ...netip.Addr) (wait.Conn, error) {
	r := race{host: "host.test", port: port, waiting: addresses}
	return r.run(ctx, d.attempts(len(addresses)))
}

// silent listens on an address and port and never answers: its queue is full.
func silent(t *testing.T, address netip.Addr, port uint16) netip.AddrPort {
	t.Helper()
	fd, err := syscall.Socket(family(address), syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, sockaddr(netip.AddrPortFrom(address, port))); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	target := addrPort(name)
	for { // until nobody is let in any more
		conn, err := net.DialTimeout("tcp", target.String(), 50*time.Millisecond)
		if err != nil {
			return target
		}
		t.Cleanup(func() { conn.Close() })
	}
}

func family(address netip.Addr) int {
	if address.Is4() {
		return syscall.AF_INET
	}
	return syscall.AF_INET6
}

// TestRefusedNamesEveryAddress: the error says where was tried and why not.
func TestRefusedNamesEveryAddress(t *testing.T) {
	bothWays(t, func(t *testing.T, d *dialer) {
		_, err := runRace(wait.Background(), d, free(t), ipv6, ipv4)
		var refused *ConnectError
		if !errors.As(err, &refused) || len(refused.Attempts) != 2 || !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("got %v", err)
		}
		for _, part := range []string{"host.test:", "[::1]:", "127.0.0.1:", "refused"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not say %q", err, part)
			}
		}
	})
}

// TestUnreachableFailsAtOnce: a network that cannot be reached is not waited
// for.
func TestUnreachableFailsAtOnce(t *testing.T) {
	bothWays(t, func(t *testing.T, d *dialer) {
		within(t, 100*time.Millisecond, func() {
			_, err := runRace(wait.Background(), d, 80, netip.MustParseAddr("255.255.255.255"))
			var unreachable *ConnectError
			if !errors.As(err, &unreachable) {
				t.Errorf("got %v", err)
			}
		})
	})
}

// TestNextAddressIsTriedAtOnceAfterARefusal: a refusal costs no delay.
func TestNextAddressIsTriedAtOnceAfterARefusal(t *testing.T) {
	bothWays(t, func(t *testing.T, d *dialer) {
		listener := listen(t, "127.0.0.1:0")
		within(t, 100*time.Millisecond, func() {
			conn, err := runRace(wait.Background(), d, portOf(listener), ipv6, ipv4)
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
		})
	})
}

// TestSecondFamilyWinsWhenTheFirstIsSilent: an address that does not answer
// delays the connection by the head start it has, not by its timeout.
func TestSecondFamilyWinsWhenTheFirstIsSilent(t *testing.T) {
	bothWays(t, func(t *testing.T, d *dialer) {
		listener := listen(t, "127.0.0.1:0")
		silent(t, ipv6, portOf(listener))
		began := time.Now()
		within(t, 300*time.Millisecond, func() {
			conn, err := runRace(wait.Background(), d, portOf(listener), ipv6, ipv4)
			if err != nil {
				t.Fatal(err)
			}
			if got := conn.RemoteAddr().String(); got != listener.Addr().String() {
				t.Errorf("connected to %s", got)
			}
			conn.Close()
		})
		if took := time.Since(began); took < attemptDelay {
			t.Errorf("the second address was tried after %v", took)
		}
	})
}

// TestSilenceEndsWithTheConnectTimeout: and the error says what was dialled and
// which addresses had failed before.
func TestSilenceEndsWithTheConnectTimeout(t *testing.T) {
	bothWays(t, func(t *testing.T, d *dialer) {
		target := silent(t, ipv4, 0)
		within(t, 200*time.Millisecond, func() {
			ctx := wait.New(limits(wait.Connect, 80*time.Millisecond), nil)
			_, err := runRace(ctx, d, target.Port(), ipv6, ipv4)
			wantTimeout(t, err, wait.Connect)
			for _, part := range []string{"connect to host.test:", "[::1]:", "refused", "connect timeout of 80ms"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	})
}

// TestSignalEndsADial: within 100 ms, as everywhere.
func TestSignalEndsADial(t *testing.T) {
	bothWays(t, func(t *testing.T, d *dialer) {
		target := silent(t, ipv4, 0)
		promptly(t, func() {
			ctx := wait.New(wait.Limits{}, func() bool { return true })
			if _, err := runRace(ctx, d, target.Port(), ipv4); !errors.Is(err, wait.ErrInterrupted) {
				t.Errorf("got %v", err)
			}
		})
	})
}

// TestLocalAddressIsUsed: the server sees the connection come from it.
func TestLocalAddressIsUsed(t *testing.T) {
	bothWays(t, func(t *testing.T, d *dialer) {
		d.local = netip.MustParseAddr("127.0.0.9")
		conn, peer := pair(t, d)
		if got := peer.RemoteAddr().String(); !strings.HasPrefix(got, "127.0.0.9:") || got != conn.LocalAddr().String() {
			t.Errorf("the server saw %s, we say %s", got, conn.LocalAddr())
		}
	})
}

// TestLocalAddressOfTheOtherFamilyIsAnError, not a dial from elsewhere.
func TestLocalAddressOfTheOtherFamilyIsAnError(t *testing.T) {
	bothWays(t, func(t *testing.T, d *dialer) {
		d.local = ipv6
		if _, _, err := d.dial(wait.Background(), "127.0.0.1", 80); err == nil || !strings.Contains(err.Error(), "::1") {
			t.Errorf("got %v", err)
		}
	})
}

// TestFamiliesAlternate: RFC 8305 section 4.
func TestFamiliesAlternate(t *testing.T) {
	var addresses []netip.Addr
	for _, text := range []string{"2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1", "192.0.2.2"} {
		addresses = append(addresses, netip.MustParseAddr(text))
	}
	const want = "2001:db8::1, 192.0.2.1, 2001:db8::2, 192.0.2.2, 2001:db8::3"
	if got := join(interleave(addresses)); got != want {
		t.Errorf("got %s", got)
	}
}
