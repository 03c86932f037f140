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

// secured returns both ends of a TLS connection.
func secured(t testing.TB, name string) (*tlsConn, *waittest.Conn, *tls.Conn, *waittest.Conn) {
	t.Helper()
	root := newAuthority(t)
	client, server := waittest.Pipe()
	t.Cleanup(func() { client.Close() })
	peer := tls.Server(server, &tls.Config{Certificates: []tls.Certificate{root.issue(t, nil)}})
	done := make(chan error, 1)
	go func() { done <- peer.Handshake() }()
	conn, _, err := newHandshaker(profile(t, name), root.trusting(), false).handshake(patient(), client, "localhost", 443)
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
	conn, client, peer, server := secured(t, "chrome-156-linux")
	want := bytes.Repeat([]byte("0123456789abcdef"), 4096)
	go func() {
		server.SetMaxRead(0)
		peer.Write(want)
	}()
	client.SetMaxRead(7)
	var got []byte
	buffer := make([]byte, 10000)
	stops := 0
	for len(got) < len(want) {
		conn.SetReadContext(wait.Now)
		if stops%2 == 1 {
			conn.SetReadContext(wait.New(wait.Limits{wait.Read: 100 * time.Microsecond}, nil))
		}
		n, err := conn.Read(buffer)
		got = append(got, buffer[:n]...)
		if err != nil && !wait.IsStop(err) {
			t.Fatal(err)
		}
		if err != nil {
			stops++
		}
	}
	if !bytes.Equal(got, want) {
		t.Error("the bytes have changed")
	}
	if stops == 0 {
		t.Error("no read was stopped")
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
	server.SetCapacity(0)
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
