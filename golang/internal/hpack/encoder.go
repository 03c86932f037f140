// Package hpack writes HTTP/2 header blocks (RFC 7541) the way a chosen client
// writes them. The format leaves the sender free in what it puts into the
// dynamic table, which of several equal names it refers to and when it uses
// Huffman codes, and each browser chooses otherwise: that is a Policy. Reading
// leaves no such freedom; x/net's decoder serves there.
package hpack

import (
	"strings"

	"golang.org/x/net/http2/hpack"
)

const (
	// defaultTableSize holds until the peer says otherwise (RFC 9113 section 6.5.2).
	defaultTableSize = 4096
	// maxTableSize bounds what a peer can make us remember. No browser
	// announces more to servers.
	maxTableSize = 65536
)

// Encoder is the sending side of one connection: blocks must reach the peer in
// the order in which they were encoded. It is not safe for concurrent use.
type Encoder struct {
	policy Policy
	table  table

	// resized says that the next block must begin with a table size update;
	// lowest is the smallest size since the last one (RFC 7541 section 4.2).
	resized bool
	lowest  uint32
}

// NewEncoder returns an encoder with an empty table of the default size.
func NewEncoder(policy Policy) *Encoder {
	return &Encoder{policy: policy, table: table{limit: defaultTableSize}}
}

// SetTableSize obeys a SETTINGS_HEADER_TABLE_SIZE of the peer.
func (e *Encoder) SetTableSize(size uint32) {
	size = min(size, maxTableSize)
	if size == e.table.limit && !e.policy.rules().repeatsSize {
		return
	}
	if !e.resized || size < e.lowest {
		e.lowest = size
	}
	e.resized = true
	e.table.resize(size)
}

// Begin opens a header block: it appends the table size updates that are due.
func (e *Encoder) Begin(dst []byte) []byte {
	if !e.resized {
		return dst
	}
	e.resized = false
	if e.lowest < e.table.limit {
		dst = appendInteger(dst, sizeUpdate, 5, uint64(e.lowest))
	}
	return appendInteger(dst, sizeUpdate, 5, uint64(e.table.limit))
}

// Changes counts those of the table: as long as it stays the same, fields are
// encoded the same.
func (e *Encoder) Changes() uint64 { return e.table.changes }

// Append encodes one field; name is in lower case. A cookie field becomes as
// many as the policy makes of it (RFC 9113 section 8.2.3).
func (e *Encoder) Append(dst []byte, name, value string) []byte {
	if separator := e.policy.rules().crumbs; name == "cookie" && separator != "" {
		return e.appendCrumbs(dst, value, separator)
	}
	return e.appendField(dst, name, value)
}

func (e *Encoder) appendCrumbs(dst []byte, cookies, separator string) []byte {
	for {
		crumb, rest, more := strings.Cut(cookies, separator)
		dst = e.appendField(dst, "cookie", crumb)
		if !more {
			return dst
		}
		if separator == ";" {
			rest = strings.TrimPrefix(rest, " ")
		}
		cookies = rest
	}
}

func (e *Encoder) appendField(dst []byte, name, value string) []byte {
	rules := e.policy.rules()
	found := e.table.find(name, value, rules.lastName)
	how := rules.represent(name, value, e.table.limit)
	if found.exact && !how.literally {
		return appendInteger(dst, indexed, 7, uint64(found.index))
	}
	dst = appendInteger(dst, how.pattern, how.prefix, uint64(found.index))
	if found.index == 0 {
		dst = appendString(dst, name, rules.alwaysHuffman)
	}
	dst = appendString(dst, value, rules.alwaysHuffman)
	if how.pattern == incremental {
		e.table.add(name, value)
	}
	return dst
}

// The bit patterns that open a representation (RFC 7541 section 6).
const (
	indexed      = 0x80
	incremental  = 0x40
	sizeUpdate   = 0x20
	neverIndexed = 0x10
	notIndexed   = 0x00
	huffmanCoded = 0x80
)

// appendInteger appends value with a prefix of that many bits beneath pattern
// (RFC 7541 section 5.1).
func appendInteger(dst []byte, pattern byte, prefix uint, value uint64) []byte {
	full := uint64(1)<<prefix - 1
	if value < full {
		return append(dst, pattern|byte(value))
	}
	dst = append(dst, pattern|byte(full))
	for value -= full; value >= 0x80; value >>= 7 {
		dst = append(dst, byte(value)|0x80)
	}
	return append(dst, byte(value))
}

// appendString appends a string literal (RFC 7541 section 5.2).
func appendString(dst []byte, s string, alwaysHuffman bool) []byte {
	size := hpack.HuffmanEncodeLength(s)
	if alwaysHuffman || size < uint64(len(s)) {
		dst = appendInteger(dst, huffmanCoded, 7, size)
		return hpack.AppendHuffmanString(dst, s)
	}
	dst = appendInteger(dst, 0, 7, uint64(len(s)))
	return append(dst, s...)
}
