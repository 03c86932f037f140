package wait

import (
	"sync"
	"sync/atomic"

	"github.com/cycletls/cycletls/golang/internal/fault"
)

// Hall is where exchanges wait that belong to an event loop of the host. The loop
// watches one descriptor and, when that is readable, visits: whoever can go on does,
// on the loop's own thread, until it would have to wait again. Between a response
// and the loop there is no other thread to be woken.
type Hall struct {
	notifier // tells the loop what others have done
	watcher  // tells it what has come

	visiting sync.Mutex // held by Visit, Hold and Close
	visits   atomic.Uint64

	mu     sync.Mutex // guards what follows
	woken  []*Context // whose guests are to go on
	later  []*Context // at the next visit
	raised bool       // the notifier is readable
	inside bool       // somebody visits, and sees what is woken
	closed bool
}

// Guest is what goes on when its context is woken.
type Guest interface{ Awake() }

// NewHall opens one.
func NewHall() (*Hall, error) {
	notifier, err := newNotifier()
	if err != nil {
		return nil, err
	}
	h := &Hall{notifier: notifier}
	if err := h.watcher.open(notifier.descriptor()); err != nil {
		notifier.close()
		return nil, err
	}
	return h, nil
}

// Descriptor is readable while there is something to visit for.
func (h *Hall) Descriptor() int {
	if h.Watches() {
		return h.watcher.descriptor()
	}
	return h.notifier.descriptor()
}

// Raise has the loop visit; from any thread.
func (h *Hall) Raise() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.inside { // else the visit is followed by a look at what is done
		h.raise()
	}
}

func (h *Hall) raise() {
	if !h.raised && !h.closed {
		h.raised = true
		h.notifier.raise()
	}
}

// wake has the guest of a context go on at the next visit, or, unless that is too
// soon, at the one under way.
func (h *Hall) wake(c *Context, later bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.called {
		return
	}
	c.called = true
	if later && h.inside {
		h.later = append(h.later, c)
		return
	}
	h.woken = append(h.woken, c)
	if !h.inside {
		h.raise()
	}
}

// rounds bounds a visit: a connection wakes the streams that it has read for, and one
// that leaves wakes who is to look next. Who is woken later goes on with the next
// visit: the loop has more to do.
const rounds = 4

// Visit lets those go on who can. The host calls it on the thread of its loop.
func (h *Hall) Visit() {
	h.visiting.Lock()
	defer h.visiting.Unlock()
	h.visits.Add(1)
	h.enter()
	defer h.leave()
	due := h.arrived(nil)
	for range rounds {
		due = h.called(due)
		if len(due) == 0 {
			return
		}
		for _, c := range due {
			c.awake()
		}
		due = due[:0]
	}
}

// awake has the guest go on. A fault of one is not the others': what woke them is told
// only once.
func (c *Context) awake() {
	defer fault.Survive()
	c.guest.Awake()
}

// Visits counts them: what has come is told of by the next one.
func (h *Hall) Visits() uint64 { return h.visits.Load() }

// Hold has nobody go on until Release: who holds it may be a guest for the first time.
func (h *Hall) Hold() { h.visiting.Lock() }

// Release ends Hold.
func (h *Hall) Release() { h.visiting.Unlock() }

func (h *Hall) enter() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.inside = true
	if h.raised {
		h.raised = false
		h.lower()
	}
}

func (h *Hall) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.inside = false
	h.woken = append(h.woken, h.later...)
	clear(h.later)
	h.later = h.later[:0]
	if len(h.woken) > 0 {
		h.raise()
	}
}

// called adds those who were woken.
func (h *Hall) called(due []*Context) []*Context {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.woken {
		c.called = false
	}
	due = append(due, h.woken...)
	clear(h.woken)
	h.woken = h.woken[:0]
	return due
}

// Closed reports whether it is.
func (h *Hall) Closed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.closed
}

// Close gives the descriptors back. Nobody may visit any more.
func (h *Hall) Close() {
	h.visiting.Lock()
	defer h.visiting.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	h.watcher.close()
	h.notifier.close()
}
