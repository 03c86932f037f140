package transport

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

// bothWays runs a test with the system's own connections and with those of Go's
// network poller: they promise the same.
func bothWays(t *testing.T, test func(t *testing.T, d *dialer)) {
	for name, async := range map[string]bool{"calling thread": false, "network poller": true} {
		t.Run(name, func(t *testing.T) {
			before := descriptors(t)
			resolver, err := newResolver(nil, false)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { eventually(t, "descriptors are closed", func() bool { return descriptors(t) <= before }) })
			test(t, &dialer{resolver: resolver, async: async})
		})
	}
}

// descriptors counts the process's open files.
func descriptors(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("this system does not list descriptors")
	}
	return len(entries)
}

// eventually waits for something that another goroutine or the kernel does.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still not so after 5 s: %s", what)
		}
	}
}

// pair returns a connection of ours and the server's end of it.
func pair(t *testing.T, d *dialer) (wait.Conn, *net.TCPConn) {
	t.Helper()
	listener := listen(t, "127.0.0.1:0")
	defer listener.Close()
	conn, _, err := d.dial(wait.Background(), "127.0.0.1", portOf(listener))
	if err != nil {
		t.Fatal(err)
	}
	peer, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(); peer.Close() })
	return conn, peer.(*net.TCPConn)
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}

func portOf(listener net.Listener) uint16 { return addrOf(listener).Port() }

func addrOf(listener net.Listener) netip.AddrPort {
	return listener.Addr().(*net.TCPAddr).AddrPort()
}

// free returns a port on which nobody listens.
func free(t *testing.T) uint16 {
	listener := listen(t, "127.0.0.1:0")
	defer listener.Close()
	return portOf(listener)
}

// slack is what a busy machine adds to what we promise.
const slack = 500 * time.Millisecond

// within fails the test when f takes longer than it may.
func within(t *testing.T, limit time.Duration, f func()) {
	t.Helper()
	began := time.Now()
	f()
	if took := time.Since(began); took > limit+slack {
		t.Errorf("took %v, allowed were %v", took, limit)
	}
}

// promptly fails the test when f never is as quick as an interruption must be,
// within 100 ms.
func promptly(t *testing.T, f func()) {
	t.Helper()
	best := time.Hour
	for try := 0; try < 5 && best > 2*wait.Tick; try++ {
		began := time.Now()
		f()
		best = min(best, time.Since(began))
	}
	if best > 2*wait.Tick {
		t.Errorf("took %v at best", best)
	}
}

func limits(phase wait.Phase, limit time.Duration) wait.Limits {
	var l wait.Limits
	l[phase] = limit
	return l
}

func wantTimeout(t *testing.T, err error, phase wait.Phase) {
	t.Helper()
	var passed *wait.TimeoutError
	if !errors.As(err, &passed) || passed.Phase != phase {
		t.Errorf("got %v, want a %v timeout", err, phase)
	}
}

// TestReadTimeoutLeavesTheConnectionUsable: a read that ran out of time loses
// nothing, the next exchange reads what comes later.
func TestReadTimeoutLeavesTheConnectionUsable(t *testing.T) {
	bothWays(t, func(t *testing.T, d *dialer) {
		conn, peer := pair(t, d)
		conn.SetReadContext(wait.New(limits(wait.Read, 30*time.Millisecond), nil))
		buffer := make([]byte, 10)
		within(t, 100*time.Millisecond, func() {
			_, err := conn.Read(buffer)
			wantTimeout(t, err, wait.Read)
		})
		peer.Write([]byte("late"))
		conn.SetReadContext(nil)
		if n, err := conn.Read(buffer); err != nil || string(buffer[:n]) != "late" {
			t.Errorf("got %q, %v", buffer[:n], err)
		}
	})
}

// TestTotalHoldsAgainstADrip: bytes that come before every limit for a read
// passes do not put off the total.
func TestTotalHoldsAgainstADrip(t *testing.T) {
	bothWays(t, func(t *testing.T, d *dialer) {
		conn, peer := pair(t, d)
		go func() {
			for range time.Tick(5 * time.Millisecond) {
				if _, err := peer.Write([]byte("x")); err != nil {
					return
				}
			}
		}()
		conn.SetReadContext(wait.New(limits(wait.Total, 150*time.Millisecond), nil))
		within(t, 250*time.Millisecond, func() { wantTimeout(t, readUntilError(conn), wait.Total) })
	})
}

// TestTotalHoldsAgainstAFlood: a peer that never lets us wait does not either.
func TestTotalHoldsAgainstAFlood(t *testing.T) {
	bothWays(t, func(t *testing.T, d *dialer) {
		conn, peer := pair(t, d)
		go func() {
			for piece := make([]byte, 1<<20); ; {
				if _, err := peer.Write(piece); err != nil {
					return
				}
			}
		}()
		conn.SetReadContext(wait.New(limits(wait.Total, 100*time.Millisecond), nil))
		within(t, 250*time.Millisecond, func() { wantTimeout(t, readUntilError(conn), wait.Total) })
	})
}

func readUntilError(conn net.Conn) error {
	for buffer := make([]byte, 4096); ; {
		if _, err := conn.Read(buffer); err != nil {
			return err
		}
	}
}

// TestSignalEndsAWait: a signal handler of the host that raised ends a read
// within 100 ms.
func TestSignalEndsAWait(t *testing.T) {
	bothWays(t, func(t *testing.T, d *dialer) {
		conn, _ := pair(t, d)
		promptly(t, func() {
			asked := 0
			conn.SetReadContext(wait.New(wait.Limits{}, func() bool { asked++; return asked > 1 }))
			if _, err := conn.Read(make([]byte, 1)); err != wait.ErrInterrupted {
				t.Errorf("got %v", err)
			}
		})
	})
}

// TestCancelEndsAWait: so does cancelling it from elsewhere.
func TestCancelEndsAWait(t *testing.T) {
	bothWays(t, func(t *testing.T, d *dialer) {
		conn, _ := pair(t, d)
		promptly(t, func() {
			waits := make(chan struct{})
			var once sync.Once
			ctx := wait.New(wait.Limits{}, func() bool { once.Do(func() { close(waits) }); return false })
			go func() { <-waits; ctx.Cancel(wait.ErrCancelled) }()
			conn.SetReadContext(ctx)
			if _, err := conn.Read(make([]byte, 1)); err != wait.ErrCancelled {
				t.Errorf("got %v", err)
			}
		})
	})
}

// TestNowTellsWhatIsThere: the look at an idle connection sees silence, bytes
// and the end, and never waits.
func TestNowTellsWhatIsThere(t *testing.T) {
	bothWays(t, func(t *testing.T, d *dialer) {
		conn, peer := pair(t, d)
		conn.SetReadContext(wait.Now)
		buffer := make([]byte, 10)
		look := func() (string, error) {
			n, err := conn.Read(buffer)
			return string(buffer[:n]), err
		}
		if got, err := look(); got != "" || err != wait.ErrWouldBlock {
			t.Errorf("silence: got %q, %v", got, err)
		}
		peer.Write([]byte("more"))
		if got, err := look(); got != "more" || err != nil {
			t.Errorf("bytes: got %q, %v", got, err)
		}
		peer.CloseWrite()
		if got, err := look(); got != "" || err != io.EOF {
			t.Errorf("end: got %q, %v", got, err)
		}
	})
}

// TestWriteGoesOnWhereItsWaitEnded: what a write that ran out of time had sent
// is counted, so that the rest can follow.
func TestWriteGoesOnWhereItsWaitEnded(t *testing.T) {
	bothWays(t, func(t *testing.T, d *dialer) {
		conn, peer := pair(t, d)
		content := make([]byte, 16<<20)
		rand.Read(content)
		conn.SetWriteContext(wait.New(limits(wait.Write, 50*time.Millisecond), nil))
		n, err := conn.Write(content)
		wantTimeout(t, err, wait.Write)
		if n == 0 || n >= len(content) {
			t.Fatalf("%d bytes fit in the buffers", n)
		}
		go func() {
			conn.SetWriteContext(nil)
			conn.Write(content[n:])
			conn.Close()
		}()
		if got, err := io.ReadAll(peer); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d of %d bytes came through, %v", len(got), len(content), err)
		}
	})
}

// TestWriteNowDoesNotWait: a farewell to a peer that does not read is dropped.
func TestWriteNowDoesNotWait(t *testing.T) {
	bothWays(t, func(t *testing.T, d *dialer) {
		conn, _ := pair(t, d)
		conn.SetWriteContext(wait.Now)
		content := make([]byte, 16<<20)
		within(t, 100*time.Millisecond, func() {
			if _, err := conn.Write(content); err != wait.ErrWouldBlock {
				t.Errorf("got %v", err)
			}
		})
	})
}

// TestResetIsNotAStop: a connection that the peer reset is lost, whatever the
// exchange would have liked.
func TestResetIsNotAStop(t *testing.T) {
	bothWays(t, func(t *testing.T, d *dialer) {
		conn, peer := pair(t, d)
		peer.SetLinger(0)
		peer.Close()
		_, err := conn.Read(make([]byte, 1))
		if !errors.Is(err, syscall.ECONNRESET) || wait.IsStop(err) {
			t.Errorf("got %v", err)
		}
	})
}

// TestCloseWakesWhoeverWaits: closing ends a read and a write under way, and
// closing again is harmless.
func TestCloseWakesWhoeverWaits(t *testing.T) {
	bothWays(t, func(t *testing.T, d *dialer) {
		conn, _ := pair(t, d)
		ended := make(chan error, 2)
		reads, writes := make(chan struct{}, 100), make(chan struct{}, 100)
		conn.SetReadContext(wait.New(wait.Limits{}, func() bool { reads <- struct{}{}; return false }))
		conn.SetWriteContext(wait.New(wait.Limits{}, func() bool { writes <- struct{}{}; return false }))
		go func() { _, err := conn.Read(make([]byte, 1)); ended <- err }()
		go func() { _, err := conn.Write(make([]byte, 64<<20)); ended <- err }()
		<-reads
		<-writes
		for range 2 {
			if err := conn.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}
		for range 2 {
			if err := <-ended; !errors.Is(err, net.ErrClosed) {
				t.Errorf("got %v", err)
			}
		}
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read after close: %v", err)
		}
	})
}

// TestCloseNeverHitsAnotherDescriptor: closing races with readers and writers
// while other connections take over the numbers that become free.
func TestCloseNeverHitsAnotherDescriptor(t *testing.T) {
	bothWays(t, func(t *testing.T, d *dialer) {
		listener := listen(t, "127.0.0.1:0")
		go echo(listener)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 30 {
					raceClose(t, d, portOf(listener))
				}
			})
		}
		all.Wait()
	})
}

func raceClose(t *testing.T, d *dialer, port uint16) {
	conn, _, err := d.dial(wait.Background(), "127.0.0.1", port)
	if err != nil {
		t.Error(err)
		return
	}
	var all sync.WaitGroup
	all.Go(func() { conn.Write([]byte("ping")) })
	all.Go(func() { readUntilError(conn) })
	all.Go(func() { conn.Close() })
	all.Go(func() { conn.Close() })
	all.Wait()
}

func echo(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			buffer := make([]byte, 4096) // io.Copy would keep the descriptors of a pipe
			for {
				n, err := conn.Read(buffer)
				if err != nil {
					return
				}
				conn.Write(buffer[:n])
			}
		}()
	}
}
