package hpack

import "strings"

type entry struct{ name, value string }

// entrySize is what an entry counts in the table (RFC 7541 section 4.1).
func entrySize(name, value string) uint32 { return uint32(len(name) + len(value) + 32) }

// table is the dynamic table, oldest entry first, behind the static one. It is
// searched in line: a table of 4 KiB holds about forty entries, and a client
// that repeats itself finds its fields among the newest.
type table struct {
	entries []entry
	size    uint32
	limit   uint32
	changes uint64
}

// match is where a field, or at least its name, is found: index 0 is nowhere.
type match struct {
	index int
	exact bool
}

// find looks for a field. Without the value the name's first entry is referred
// to, or its last (static entries come before dynamic ones, newer ones before
// older).
func (t *table) find(name, value string, last bool) match {
	found := findStatic(name, value, last)
	if found.exact {
		return found
	}
	for i := len(t.entries) - 1; i >= 0; i-- {
		if t.entries[i].name != name {
			continue
		}
		index := len(staticTable) + len(t.entries) - i
		if t.entries[i].value == value {
			return match{index, true}
		}
		if last || found.index == 0 {
			found.index = index
		}
	}
	return found
}

func findStatic(name, value string, last bool) match {
	span, ok := staticNames[name]
	if !ok {
		return match{}
	}
	for i := span.first; i <= span.last; i++ {
		if staticTable[i-1].value == value {
			return match{i, true}
		}
	}
	if last {
		return match{span.last, false}
	}
	return match{span.first, false}
}

// add inserts a field, evicting what it takes; one larger than the whole table
// empties it (RFC 7541 section 4.4). The strings are copied: they may be pieces
// of something large.
func (t *table) add(name, value string) {
	t.changes++
	size := entrySize(name, value)
	if size > t.limit {
		t.evict(0)
		return
	}
	t.evict(t.limit - size)
	t.size += size
	t.entries = append(t.entries, entry{strings.Clone(name), strings.Clone(value)})
}

func (t *table) resize(limit uint32) {
	t.changes++
	t.limit = limit
	t.evict(limit)
}

// evict drops the oldest entries until at most size remains.
func (t *table) evict(size uint32) {
	n := 0
	for ; t.size > size; n++ {
		t.size -= entrySize(t.entries[n].name, t.entries[n].value)
	}
	if n > 0 {
		kept := copy(t.entries, t.entries[n:])
		clear(t.entries[kept:])
		t.entries = t.entries[:kept]
	}
}
