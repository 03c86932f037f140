package transport

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

type guest struct{}

func (guest) Awake() {}

// Who cannot be watched (epoll_ctl fails: EEXIST here, ENOSPC and ENOMEM in life) is
// told that it must wait by itself.
func TestGuestsThatCannotBeWatchedMustStay(t *testing.T) {
	resolver, err := newResolver(nil, false)
	if err != nil {
		t.Fatal(err)
	}
	conn, _ := pair(t, &dialer{resolver: resolver, async: true})
	hall, err := wait.NewHall()
	if err != nil {
		t.Fatal(err)
	}
	defer hall.Close()
	s := conn.(*socket)
	if err := unix.EpollCtl(hall.Descriptor(), unix.EPOLL_CTL_ADD, s.fd, &unix.EpollEvent{Fd: -1}); err != nil {
		t.Fatal(err)
	}
	ctx := wait.NewGuest(wait.Limits{}, hall, guest{})
	conn.SetReadContext(ctx)
	var p [4]byte
	if _, err = conn.Read(p[:]); err != wait.ErrMustStay {
		t.Errorf("Read = %v", err)
	}
}
