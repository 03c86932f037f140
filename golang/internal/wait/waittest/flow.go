package waittest

import "sync"

// flow is one direction of a Pipe.
type flow struct {
	mu       sync.Mutex
	data     []byte
	capacity int // 0: none
	readErr  error
	writeErr error
	changed  chan struct{} // closed and made anew at every change
}

func newFlow() *flow { return &flow{changed: make(chan struct{})} }

// take moves bytes into p; when there is nothing, changed tells when to try
// again.
func (f *flow) take(p []byte) (n int, changed <-chan struct{}, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.data) == 0 {
		return 0, f.changed, f.readErr
	}
	n = copy(p, f.data)
	f.data = f.data[n:]
	f.wake()
	return n, nil, nil
}

// put appends as much of p as there is room for.
func (f *flow) put(p []byte) (n int, changed <-chan struct{}, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.writeErr != nil {
		return 0, nil, f.writeErr
	}
	n = len(p)
	if f.capacity > 0 {
		n = min(n, max(0, f.capacity-len(f.data)))
	}
	f.data = append(f.data, p[:n]...)
	f.wake()
	return n, f.changed, nil
}

// end sets what readers (after the bytes that are there) and writers get from
// now on; the first call decides.
func (f *flow) end(readErr, writeErr error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.readErr == nil {
		f.readErr = readErr
	}
	if f.writeErr == nil {
		f.writeErr = writeErr
	}
	f.wake()
}

func (f *flow) resize(capacity int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.capacity = capacity
	f.wake()
}

func (f *flow) buffered() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.data)
}

// wake lets waiters look again; f.mu is held.
func (f *flow) wake() {
	close(f.changed)
	f.changed = make(chan struct{})
}
