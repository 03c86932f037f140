package target

import (
	"hash/maphash"
	"sync/atomic"
)

// Cache remembers URLs that were parsed of late: programs ask the same ones
// again and again. The zero value is empty; it may be used by many at a time and
// never grows.
type Cache struct {
	slots [cached]atomic.Pointer[remembered]
}

const (
	cached    = 64
	maxCached = 1 << 10 // bytes of a URL that is worth its memory
)

type remembered struct {
	text string
	url  *URL
}

var seed = maphash.MakeSeed()

// Parse is the package's Parse.
func (c *Cache) Parse(text string) (*URL, error) {
	if len(text) > maxCached {
		return Parse(text)
	}
	slot := &c.slots[maphash.String(seed, text)%cached]
	if known := slot.Load(); known != nil && known.text == text {
		return known.url, nil
	}
	u, err := Parse(text)
	if err == nil {
		slot.Store(&remembered{text, u})
	}
	return u, err
}
