//go:build !linux

package wait

import "os"

// notifier is a descriptor that becomes readable when it is raised: a pipe.
type notifier struct{ read, write *os.File }

func newNotifier() (n notifier, err error) {
	n.read, n.write, err = os.Pipe()
	return n, err
}

func (n notifier) descriptor() int { return int(n.read.Fd()) }

func (n notifier) raise() { _, _ = n.write.Write([]byte{1}) }

func (n notifier) lower() {
	var mark [1]byte
	_, _ = n.read.Read(mark[:])
}

func (n notifier) close() {
	_ = n.read.Close()
	_ = n.write.Close()
}
