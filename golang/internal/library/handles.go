package library

import "sync"

// handles gives out the numbers by which the host names what lives here. A
// number is index and generation: one that was closed never names its
// successor, and one that was made up names nothing (safety: a stale handle is
// an error, not a crash).
type handles struct {
	mu    sync.RWMutex
	slots []slot
	free  []uint32 // indices of empty slots
}

type slot struct {
	generation uint32
	value      any // nil: empty
}

// add returns a new number for value; 0 is never one.
func (h *handles) add(value any) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if last := len(h.free) - 1; last >= 0 {
		index := h.free[last]
		h.free = h.free[:last]
		h.slots[index].value = value
		return h.number(index)
	}
	h.slots = append(h.slots, slot{generation: 1, value: value})
	return h.number(uint32(len(h.slots) - 1))
}

func (h *handles) number(index uint32) uint64 {
	return uint64(h.slots[index].generation)<<32 | uint64(index)
}

// get returns what the number names, or nil.
func (h *handles) get(number uint64) any {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if s := h.at(number); s != nil {
		return s.value
	}
	return nil
}

// remove takes the number back and returns what it named, or nil.
func (h *handles) remove(number uint64) any {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.at(number)
	if s == nil || s.value == nil {
		return nil
	}
	value := s.value
	s.value = nil
	// A slot whose generations are used up is never given out again.
	if s.generation++; s.generation != 0 {
		h.free = append(h.free, uint32(number))
	}
	return value
}

func (h *handles) at(number uint64) *slot {
	index, generation := uint32(number), uint32(number>>32)
	if int64(index) >= int64(len(h.slots)) || h.slots[index].generation != generation {
		return nil
	}
	return &h.slots[index]
}

// all returns the numbers of everything that is alive.
func (h *handles) all() (numbers []uint64) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for i := range h.slots {
		if h.slots[i].value != nil {
			numbers = append(numbers, h.number(uint32(i)))
		}
	}
	return numbers
}

// each calls visit for everything that is alive.
func (h *handles) each(visit func(any)) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for i := range h.slots {
		if value := h.slots[i].value; value != nil {
			visit(value)
		}
	}
}
