package transport

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

// watchedPair returns a watched connection, its descriptor and the server's end.
func watchedPair(t *testing.T) (*socket, int, *net.TCPConn) {
	t.Helper()
	resolver, err := newResolver(nil, false)
	if err != nil {
		t.Fatal(err)
	}
	conn, peer := pair(t, &dialer{resolver: resolver, async: true})
	descriptor, err := conn.(*socket).Watch()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(descriptor) })
	conn.SetReadContext(wait.Now)
	conn.SetWriteContext(wait.Now)
	return conn.(*socket), descriptor, peer
}

func readable(descriptor int, limit time.Duration) bool {
	fds := [1]unix.PollFd{{Fd: int32(descriptor), Events: unix.POLLIN}}
	n, err := unix.Poll(fds[:], milliseconds(limit))
	return n == 1 && err == nil
}

func TestWatchedIsReadWithoutWaiting(t *testing.T) {
	conn, descriptor, peer := watchedPair(t)
	var p [4]byte
	if n, err := conn.Read(p[:]); n != 0 || err != wait.ErrWouldBlock {
		t.Errorf("Read of nothing = %d, %v", n, err)
	}
	if readable(descriptor, 0) {
		t.Error("the descriptor is readable before anything came")
	}
	if _, err := conn.Write([]byte("ping")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(peer, p[:]); err != nil || string(p[:]) != "ping" {
		t.Errorf("the peer read %q, %v", p, err)
	}
	peer.Write([]byte("pong"))
	if !readable(descriptor, 5*time.Second) {
		t.Error("the descriptor is not readable")
	}
	if n, err := conn.Read(p[:]); string(p[:n]) != "pong" || err != nil {
		t.Errorf("Read = %q, %v", p[:n], err)
	}
	peer.Close()
	if !readable(descriptor, 5*time.Second) {
		t.Error("the descriptor does not tell the end")
	}
	if _, err := conn.Read(p[:]); err != io.EOF {
		t.Errorf("Read at the end = %v", err)
	}
}

func TestWatchedTakesWhatThereIsRoomFor(t *testing.T) {
	conn, _, peer := watchedPair(t)
	data := bytes.Repeat([]byte("x"), 64<<20)
	sent, err := conn.Write(data)
	if err != wait.ErrWouldBlock || sent == 0 || sent == len(data) {
		t.Fatalf("Write = %d, %v", sent, err)
	}
	got := make(chan int)
	go func() {
		n, _ := io.Copy(io.Discard, peer)
		got <- int(n)
	}()
	conn.SetWriteContext(wait.NewPrompt(wait.Limits{})) // it goes back to the poller
	if n, err := conn.Write(data[sent:]); n != len(data)-sent || err != nil {
		t.Errorf("Write of the rest = %d, %v", n, err)
	}
	conn.Close()
	if n := <-got; n != len(data) {
		t.Errorf("the peer read %d of %d bytes", n, len(data))
	}
}

func TestWatchedCanBeWaitedFor(t *testing.T) {
	conn, descriptor, peer := watchedPair(t)
	ctx := wait.NewPrompt(wait.Limits{})
	conn.SetReadContext(ctx)
	come := make(chan error)
	var p [4]byte
	read := func() {
		_, err := conn.Read(p[:])
		come <- err
	}
	go read()
	peer.Write([]byte("late"))
	if err := <-come; err != nil || string(p[:]) != "late" {
		t.Errorf("Read = %q, %v", p, err)
	}
	go read()
	ctx.Cancel(wait.ErrCancelled)
	if err := <-come; err != wait.ErrCancelled {
		t.Errorf("a cancelled Read = %v", err)
	}
	peer.Write([]byte("more"))
	if !readable(descriptor, 5*time.Second) {
		t.Error("the descriptor is not readable any more")
	}
	if _, err := conn.Watch(); err == nil {
		t.Error("it could be watched twice")
	}
}

func TestWatchedTellsThatItWasClosed(t *testing.T) {
	conn, descriptor, peer := watchedPair(t)
	conn.Close()
	if !readable(descriptor, 5*time.Second) {
		t.Error("the descriptor does not tell that the connection was closed")
	}
	var p [1]byte
	if _, err := peer.Read(p[:]); err != io.EOF {
		t.Errorf("the peer reads %v", err)
	}
	if _, err := conn.Read(p[:]); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read = %v", err)
	}
	if _, err := conn.Write(p[:]); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write = %v", err)
	}
	if err := conn.Close(); err != nil {
		t.Errorf("closing again = %v", err)
	}
}
