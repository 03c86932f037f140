package websocket

import (
	"encoding/binary"
	"math"
)

// Opcode says what a frame carries (RFC 6455 section 5.2).
type Opcode byte

// The opcodes that are defined.
const (
	Continuation Opcode = 0x0
	Text         Opcode = 0x1
	Binary       Opcode = 0x2
	Close        Opcode = 0x8
	Ping         Opcode = 0x9
	Pong         Opcode = 0xa
)

// control reports whether frames of this kind stand between those of messages.
func (o Opcode) control() bool { return o&0x8 != 0 }

func (o Opcode) known() bool { return o <= Binary || o >= Close && o <= Pong }

const (
	flagFin    = 0x80
	flagRSV1   = 0x40
	flagRSV23  = 0x30
	opcodeMask = 0x0f

	flagMasked = 0x80
	length16   = 126
	length64   = 127

	// maxControl is how much a control frame can carry (RFC 6455 section 5.5).
	maxControl = 125
	// maxHeader is the longest frame header: two bytes, a length, a mask.
	maxHeader = 2 + 8 + 4
)

// header is what stands before the payload of a frame.
type header struct {
	fin    bool
	rsv1   bool // first frame of a compressed message (RFC 7692 section 6)
	rsv23  bool
	opcode Opcode
	masked bool
	mask   [4]byte
	length int64 // negative: beyond what the protocol allows
	short  bool  // the length could have been written in fewer bytes
}

// parseHeader reads the header at the beginning of p; size is 0 while it is not
// all there.
func parseHeader(p []byte) (h header, size int) {
	if len(p) < 2 {
		return h, 0
	}
	h.fin, h.rsv1, h.rsv23 = p[0]&flagFin != 0, p[0]&flagRSV1 != 0, p[0]&flagRSV23 != 0
	h.opcode, h.masked = Opcode(p[0]&opcodeMask), p[1]&flagMasked != 0
	h.length, size = int64(p[1]&^flagMasked), 2
	switch {
	case h.length == length16 && len(p) >= 4:
		h.length, size = int64(binary.BigEndian.Uint16(p[2:])), 4
		h.short = h.length < length16
	case h.length == length64 && len(p) >= 10:
		h.length, size = int64(binary.BigEndian.Uint64(p[2:])), 10
		h.short = h.length >= 0 && h.length <= math.MaxUint16
	case h.length >= length16:
		return h, 0
	}
	if h.masked {
		if len(p) < size+len(h.mask) {
			return h, 0
		}
		size += copy(h.mask[:], p[size:])
	}
	return h, size
}

// appendHeader appends h in its shortest form.
func appendHeader(out []byte, h *header) []byte {
	first := byte(h.opcode)
	if h.fin {
		first |= flagFin
	}
	if h.rsv1 {
		first |= flagRSV1
	}
	var masked byte
	if h.masked {
		masked = flagMasked
	}
	switch {
	case h.length < length16:
		out = append(out, first, masked|byte(h.length))
	case h.length <= math.MaxUint16:
		out = binary.BigEndian.AppendUint16(append(out, first, masked|length16), uint16(h.length))
	default:
		out = binary.BigEndian.AppendUint64(append(out, first, masked|length64), uint64(h.length))
	}
	if h.masked {
		out = append(out, h.mask[:]...)
	}
	return out
}
