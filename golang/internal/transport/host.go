package transport

import "slices"

// host is what the pool knows of an origin; it exists while there is a
// connection to it or somebody waits for one. Pool.mu guards it.
type host struct {
	origin Origin
	// shareable: a connection to it may serve many exchanges. It is hoped of
	// every https origin until a handshake shows otherwise.
	shareable bool
	open      int           // connections, those being made included
	making    int           // those being made, or looked at before being shared again
	idle      []*connection // the most recently used last
	shared    []*connection // HTTP/2 connections in use
	queue     []*waiter     // first come, first served
}

// available returns a shared connection with room for a stream.
func (h *host) available() *connection {
	for _, c := range h.shared {
		if c.mux.Available() {
			return c
		}
	}
	return nil
}

// leastUsed returns the shared connection whose turn for a stream comes first,
// or nil.
func (h *host) leastUsed() *connection {
	var least *connection
	count := 0
	for _, c := range h.shared {
		if n := c.opening + c.mux.Streams(); least == nil || n < count {
			least, count = c, n
		}
	}
	return least
}

func without[T comparable](items []T, item T) []T {
	if i := slices.Index(items, item); i >= 0 {
		return slices.Delete(items, i, i+1)
	}
	return items
}
