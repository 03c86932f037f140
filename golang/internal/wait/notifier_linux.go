package wait

import (
	"os"

	"golang.org/x/sys/unix"
)

// notifier is a descriptor that becomes readable when it is raised (eventfd(2)).
type notifier struct{ fd int }

func newNotifier() (notifier, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	return notifier{fd}, os.NewSyscallError("eventfd", err)
}

func (n notifier) descriptor() int { return n.fd }

var one = [8]byte{1} // in the byte order of any machine: what counts is that it is not 0

func (n notifier) raise() { _, _ = unix.Write(n.fd, one[:]) }

func (n notifier) lower() {
	var count [8]byte
	_, _ = unix.Read(n.fd, count[:])
}

func (n notifier) close() { _ = unix.Close(n.fd) }
