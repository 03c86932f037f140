package transport

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/cycletls/cycletls/golang/internal/wait"
	"github.com/cycletls/cycletls/golang/internal/wait/waittest"
)

// holder keeps what the server writes, when asked to.
type holder struct {
	*waittest.Conn
	holds bool
	held  []byte
}

func (h *holder) Write(p []byte) (int, error) {
	if !h.holds {
		return h.Conn.Write(p)
	}
	h.held = append(h.held, p...)
	return len(p), nil
}

// secured returns both ends of a TLS connection.
func secured(t testing.TB, name string) (*tlsConn, *waittest.Conn, *tls.Conn, *holder) {
	t.Helper()
	root := newAuthority(t)
	client, end := waittest.Pipe()
	t.Cleanup(func() { client.Close() })
	server := &holder{Conn: end}
	peer := tls.Server(server, &tls.Config{Certificates: []tls.Certificate{root.issue(t, nil)}})
	done := make(chan error, 1)
	go func() { done <- peer.Handshake() }()
	conn, _, err := newHandshaker(profile(t, name), root.trusting(), false).handshake(patient(), client, Origin{Host: "localhost", Port: 443})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return conn, client, peer, server
}

// A read that ends by its context loses nothing: the next one goes on in the
// middle of the record.
func TestStoppedReadLosesNothing(t *testing.T) {
	conn, _, peer, server := secured(t, "chrome-156-linux")
	want := bytes.Repeat([]byte("0123456789abcdef"), 4096)
	server.holds = true
	if _, err := peer.Write(want); err != nil {
		t.Fatal(err)
	}
	conn.SetReadContext(wait.Now)
	var got []byte
	buffer := make([]byte, 10000)
	for len(server.held) > 0 {
		n := min(777, len(server.held))
		if _, err := server.Conn.Write(server.held[:n]); err != nil {
			t.Fatal(err)
		}
		server.held = server.held[n:]
		for {
			n, err := conn.Read(buffer)
			got = append(got, buffer[:n]...)
			if errors.Is(err, wait.ErrWouldBlock) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d of %d bytes, or others", len(got), len(want))
	}
}

// A write that ends by its context says how much is on its way, and the stream
// stays whole for whoever writes next.
func TestStoppedWriteKeepsTheStreamWhole(t *testing.T) {
	conn, client, peer, _ := secured(t, "chrome-156-linux")
	client.SetCapacity(5000) // less than a record
	conn.SetWriteContext(wait.Now)
	want := bytes.Repeat([]byte("0123456789abcdef"), 10000)
	n, err := conn.Write(want)
	if !errors.Is(err, wait.ErrWouldBlock) || n == 0 || n == len(want) {
		t.Fatalf("%d, %v", n, err)
	}
	if m, err := conn.Write(want[n:]); m != 0 || !errors.Is(err, wait.ErrWouldBlock) {
		t.Fatalf("beyond a full connection: %d, %v", m, err)
	}
	got := make(chan []byte)
	go func() {
		all, _ := io.ReadAll(peer)
		got <- all
	}()
	conn.SetWriteContext(patient())
	if m, err := conn.Write(want[n:]); err != nil || n+m != len(want) {
		t.Fatalf("%d, %v", m, err)
	}
	conn.Close()
	if !bytes.Equal(<-got, want) {
		t.Error("the peer got other bytes")
	}
}

// A connection that ends without close_notify is an end that can be told from a
// proper one only by the record it breaks.
func TestEndInTheMiddleOfARecordIsAnError(t *testing.T) {
	conn, _, peer, server := secured(t, "plain")
	go func() {
		peer.Write(make([]byte, 100))
		server.Write([]byte{23, 3, 3, 1, 0, 1, 2, 3}) // the head of a record and three bytes of 256
		server.CloseWrite()
	}()
	n, err := io.ReadFull(conn, make([]byte, 200))
	if n != 100 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%d, %v", n, err)
	}
}

// A request and its head leave in one record and one write, large bodies in full
// records, as browsers send them.
func TestRecordsAreFull(t *testing.T) {
	conn, client, _, server := secured(t, "chrome-156-linux")
	before, buffered := client.Writes(), server.Buffered()
	if _, err := conn.Write(make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	if n := client.Writes() - before; n != 1 {
		t.Errorf("%d writes for a small request", n)
	}
	if n := server.Buffered() - buffered; n != 1000+5+1+16 {
		t.Errorf("%d bytes for a small request", n)
	}
	before = client.Writes()
	if _, err := conn.Write(make([]byte, 4*recordSize)); err != nil {
		t.Fatal(err)
	}
	if n := client.Writes() - before; n != 4 {
		t.Errorf("%d writes for four records", n)
	}
}

// Closing waits for nobody, though the peer does not read and the exchange would
// have waited for ever.
func TestCloseDoesNotWait(t *testing.T) {
	conn, client, _, _ := secured(t, "plain")
	client.SetCapacity(1)
	conn.SetWriteContext(wait.Background())
	within(t, time.Second, func() { conn.Close() })
	if _, err := conn.Write([]byte("x")); err == nil {
		t.Error("a closed connection can be written to")
	}
}

// One goroutine reads, and answers KeyUpdates, while another writes.
func TestReaderAndWriterDoNotDisturbEachOther(t *testing.T) {
	root := newAuthority(t)
	const rounds = 200
	s := script{certificate: root.issue(t, nil), after: func(c *scriptConn) error {
		for range rounds {
			c.sendAs(22, []byte{24, 0, 0, 1, 1}) // update_requested
			c.out.rekey(expand(c.out.secret, "traffic upd", nil, 32))
			c.sendAs(23, []byte("data"))
		}
		for total := 0; total < 4*rounds; {
			content, err := c.receive()
			if err != nil {
				return err
			}
			if content[0] == 24 {
				c.in.rekey(expand(c.in.secret, "traffic upd", nil, 32))
				continue
			}
			total += len(content)
		}
		return nil
	}}
	conn, done, err := s.meet(t, firefox(t, root))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for range rounds {
			conn.Write([]byte("data"))
		}
	}()
	if _, err := io.ReadFull(conn, make([]byte, 4*rounds)); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Writing nothing sends nothing.
func TestEmptyWriteSendsNothing(t *testing.T) {
	conn, client, _, _ := secured(t, "plain")
	before := client.Writes()
	if n, err := conn.Write(nil); n != 0 || err != nil || client.Writes() != before {
		t.Errorf("%d, %v, %d writes", n, err, client.Writes()-before)
	}
}

// BenchmarkRead is the way of 1 MiB from the records to the caller.
func BenchmarkRead(b *testing.B) {
	conn, client, peer, server := secured(b, "chrome-156-linux")
	server.SetCapacity(1 << 20)
	go func() {
		piece := make([]byte, 1<<16)
		for {
			if _, err := peer.Write(piece); err != nil {
				return
			}
		}
	}()
	buffer := make([]byte, 1<<20)
	b.SetBytes(1 << 20)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := io.ReadFull(conn, buffer); err != nil {
			b.Fatal(err)
		}
	}
	client.Close()
}
