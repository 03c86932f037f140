package wait

import (
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// watcher watches sockets for a hall (epoll(7)). A socket stays watched between
// exchanges, and is told of only when something new has come: that takes no system
// call of a request's own.
type watcher struct {
	fd int

	mu     sync.Mutex // guards what follows
	seats  []*Seat
	free   []int32 // places in seats
	closed bool
	events [128]unix.EpollEvent // as many as the host takes completions at a time
}

// Seat is a socket's place in a hall.
type Seat struct {
	hall   *Hall
	socket int
	place  int32
	ctx    atomic.Pointer[Context]
}

// notified is the place of the hall's notifier.
const notified = -1

func (w *watcher) open(notifier int) error {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	w.fd = fd
	err = unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, notifier, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: notified})
	if err != nil {
		_ = unix.Close(fd)
	}
	return os.NewSyscallError("epoll_ctl", err)
}

// Watches reports whether sockets can wait here.
func (w *watcher) Watches() bool { return true }

func (w *watcher) descriptor() int { return w.fd }

// Watch has a socket watched until Leave; nil where that cannot be.
func (h *Hall) Watch(socket int) *Seat {
	w := &h.watcher
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	s := &Seat{hall: h, socket: socket, place: int32(len(w.seats))}
	if last := len(w.free) - 1; last >= 0 {
		s.place, w.free = w.free[last], w.free[:last]
		w.seats[s.place] = s
	} else {
		w.seats = append(w.seats, s)
	}
	event := &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET, Fd: s.place}
	if unix.EpollCtl(w.fd, unix.EPOLL_CTL_ADD, socket, event) != nil {
		w.free = append(w.free, s.place)
		return nil
	}
	return s
}

// Hall returns where the seat is.
func (s *Seat) Hall() *Hall { return s.hall }

// Wakes has a context woken when something comes that has not come yet.
func (s *Seat) Wakes(c *Context) { s.ctx.Store(c) }

// Leave has the socket watched no more. It must be open still.
func (s *Seat) Leave() {
	w := &s.hall.watcher
	w.mu.Lock()
	defer w.mu.Unlock()
	s.ctx.Store(nil)
	if w.closed || w.seats[s.place] != s {
		return
	}
	_ = unix.EpollCtl(w.fd, unix.EPOLL_CTL_DEL, s.socket, nil)
	w.free = append(w.free, s.place)
}

// arrived adds those for whom something has come.
func (w *watcher) arrived(due []*Context) []*Context {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return due
	}
	n, err := unix.EpollWait(w.fd, w.events[:], 0)
	if err != nil {
		return due
	}
	for _, event := range w.events[:n] {
		if event.Fd == notified {
			continue
		}
		if c := w.seats[event.Fd].ctx.Load(); c != nil {
			due = append(due, c)
		}
	}
	return due
}

func (w *watcher) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	_ = unix.Close(w.fd)
}
