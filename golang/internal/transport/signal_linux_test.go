package transport

import (
	"errors"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

// TestInterruptedSystemCallAsksAtOnce: a signal that reaches the waiting thread
// has the host's handlers run at once, not only when the slice has passed; one
// whose handlers do not raise lets the wait go on.
func TestInterruptedSystemCallAsksAtOnce(t *testing.T) {
	caught := make(chan os.Signal, 100)
	signal.Notify(caught, syscall.SIGUSR2)
	defer signal.Stop(caught)
	conn, peer := pair(t, onThread(t))

	asked := make(chan time.Time, 100)
	thread := make(chan int)
	read := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		thread <- unix.Gettid()
		conn.SetReadContext(wait.New(wait.Limits{}, func() bool { asked <- time.Now(); return false }))
		_, err := conn.Read(make([]byte, 1))
		read <- err
	}()
	id := <-thread
	<-asked // the first, before it sleeps
	began := time.Now()
	const signals = 20
	for range signals {
		if err := unix.Tgkill(os.Getpid(), id, unix.SIGUSR2); err != nil {
			t.Fatal(err)
		}
		<-asked
	}
	if took := time.Since(began); took > signals*beat*9/10 {
		t.Errorf("%d signals were noticed after %v", signals, took)
	}
	peer.Write([]byte("x"))
	if err := <-read; err != nil {
		t.Errorf("read: %v", err)
	}
}

func onThread(t *testing.T) *dialer {
	resolver, err := newResolver(nil, false)
	if err != nil {
		t.Fatal(err)
	}
	return &dialer{resolver: resolver}
}

// TestSelfConnectIsRefused: a connection that TCP's simultaneous open made from
// a socket to itself counts as nobody listening.
func TestSelfConnectIsRefused(t *testing.T) {
	listener := listen(t, "127.0.0.1:0")
	target := addrOf(listener)
	listener.Close()
	fd, err := openSocket(target.Addr(), onThread(t).local)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, sockaddr(target)); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Connect(fd, sockaddr(target)); err != nil && err != unix.EINPROGRESS {
		t.Fatal(err)
	}
	if err := connected(fd, target); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("got %v", err)
	}
}
