package http2

import (
	"io"
	"sync"
)

const (
	// minBuffer holds a frame of the default size and some more.
	minBuffer = 32 << 10
	// maxBuffer is what a bulk transfer gets: enough that system calls no
	// longer count, little enough to stay in the processor's cache.
	maxBuffer = 256 << 10
)

// Idle connections share their memory, or ten thousand of them would hold
// 320 MB for nothing.
var (
	minMemory = sync.Pool{New: func() any { return new([minBuffer]byte) }}
	maxMemory = sync.Pool{New: func() any { return new([maxBuffer]byte) }}
)

func acquire(size int) []byte {
	switch {
	case size <= minBuffer:
		return minMemory.Get().(*[minBuffer]byte)[:]
	case size <= maxBuffer:
		return maxMemory.Get().(*[maxBuffer]byte)[:]
	}
	return make([]byte, size)
}

func release(data []byte) {
	switch len(data) {
	case minBuffer:
		minMemory.Put((*[minBuffer]byte)(data))
	case maxBuffer:
		maxMemory.Put((*[maxBuffer]byte)(data))
	}
}

// buffer holds what came from the connection and is not digested yet. A wait
// may end in the middle of a frame; the frame goes on here with whoever reads
// next.
type buffer struct {
	data []byte
	r, w int
	full bool // the last read left no room: there is more than we ask for
}

func (b *buffer) len() int { return b.w - b.r }

// peek returns the next n bytes, which must be there.
func (b *buffer) peek(n int) []byte { return b.data[b.r : b.r+n] }

func (b *buffer) discard(n int) { b.r += n }

// Read serves http2.Framer, which asks only for what is there.
func (b *buffer) Read(p []byte) (int, error) {
	if b.len() == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n := copy(p, b.data[b.r:b.w])
	b.r += n
	return n, nil
}

// fill reads once. There will be room for size bytes in all.
func (b *buffer) fill(from io.Reader, size int) error {
	b.makeRoom(size)
	n, err := from.Read(b.data[b.w:])
	b.w += n
	b.full = b.w == len(b.data)
	if n > 0 {
		return nil // an error comes again with the next read
	}
	return err
}

func (b *buffer) makeRoom(size int) {
	want := max(size, len(b.data))
	if b.full {
		want = max(want, maxBuffer)
	}
	switch {
	case want > len(b.data):
		data := acquire(want)
		b.w = copy(data, b.data[b.r:b.w])
		release(b.data)
		b.r, b.data = 0, data
	case b.r > 0:
		b.w = copy(b.data, b.data[b.r:b.w])
		b.r = 0
	}
}

// rest gives the memory back while nothing is under way.
func (b *buffer) rest() {
	if b.len() == 0 {
		release(b.data)
		*b = buffer{}
	}
}

// queue holds what came of a body before anybody asked for it. The window that
// the stream was granted bounds it.
type queue struct {
	data []byte
	r    int
}

func (q *queue) len() int { return len(q.data) - q.r }

func (q *queue) push(p []byte) {
	if q.r > 0 && len(q.data)+len(p) > cap(q.data) {
		q.data = q.data[:copy(q.data, q.data[q.r:])]
		q.r = 0
	}
	q.data = append(q.data, p...)
}

func (q *queue) pop(p []byte) int {
	n := copy(p, q.data[q.r:])
	q.r += n
	if q.len() == 0 {
		q.data, q.r = q.data[:0], 0
	}
	return n
}
