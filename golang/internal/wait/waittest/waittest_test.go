package waittest

import (
	"errors"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

// TestBytesCrossInOrder sends through a small window in both goroutines.
func TestBytesCrossInOrder(t *testing.T) {
	client, server := Pipe()
	client.SetCapacity(3)
	go func() {
		client.Write([]byte("hello, world"))
		client.CloseWrite()
	}()
	got, err := io.ReadAll(server)
	if string(got) != "hello, world" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
}

// TestNowDoesNotWait finds nothing and says so at once.
func TestNowDoesNotWait(t *testing.T) {
	client, _ := Pipe()
	client.SetReadContext(wait.Now)
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, wait.ErrWouldBlock) {
		t.Fatalf("got %v", err)
	}
}

// TestWaitsEndWithTheirContext: limits of a phase and cancellation reach a wait.
func TestWaitsEndWithTheirContext(t *testing.T) {
	client, _ := Pipe()
	client.SetReadContext(wait.New(wait.Limits{wait.Read: time.Millisecond}, nil))
	if _, err := client.Read(make([]byte, 1)); !wait.IsTimeout(err) {
		t.Fatalf("read: %v", err)
	}
	ctx := wait.Background()
	ctx.Cancel(wait.ErrCancelled)
	client.SetCapacity(1)
	client.SetWriteContext(ctx)
	if n, err := client.Write([]byte("ab")); n != 1 || !errors.Is(err, wait.ErrCancelled) {
		t.Fatalf("write: %d, %v", n, err)
	}
}

// TestResetLetsTheRestBeRead: bytes before an RST stay readable.
func TestResetLetsTheRestBeRead(t *testing.T) {
	client, server := Pipe()
	server.Write([]byte("x"))
	server.Reset()
	if n, err := client.Read(make([]byte, 9)); n != 1 || err != nil {
		t.Fatalf("first read: %d, %v", n, err)
	}
	if _, err := client.Read(make([]byte, 9)); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("second read: %v", err)
	}
	if _, err := client.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("write: %v", err)
	}
}
