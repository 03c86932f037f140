package capture

import (
	"bytes"
	"encoding/binary"
	"net"
)

const (
	recordHandshake = 22
	recordData      = 23
	messageHello    = 1
	maxRecords      = 64      // of a connection's opening, for the report
	maxHello        = 1 << 17 // twice what a ClientHello of a browser could ever need
)

// Record is the header of one TLS record (RFC 8446 section 5.1).
type Record struct {
	Type    byte `json:"type"`
	Version Hex  `json:"version"`
	Length  int  `json:"length"`
}

// tap reads a client's TLS records on their way to crypto/tls, which keeps
// neither the ClientHello's bytes nor the records' sizes.
type tap struct {
	net.Conn
	records []Record
	opening []byte // the payload of handshake records, as long as it may hold hellos
	header  []byte // of the record that is being read, up to five bytes
	left    int    // bytes of its payload still to come
}

func (t *tap) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.observe(p[:n])
	return n, err
}

func (t *tap) observe(p []byte) {
	for len(p) > 0 {
		if t.left == 0 {
			p = t.readHeader(p)
			continue
		}
		n := min(t.left, len(p))
		if t.header[0] == recordHandshake && len(t.opening)+n <= maxHello {
			t.opening = append(t.opening, p[:n]...)
		}
		p, t.left = p[n:], t.left-n
	}
}

// readHeader takes what p has of the next record's header and returns the rest.
func (t *tap) readHeader(p []byte) []byte {
	if len(t.header) == 5 {
		t.header = t.header[:0]
	}
	n := min(5-len(t.header), len(p))
	t.header = append(t.header, p[:n]...)
	if len(t.header) == 5 {
		t.left = int(binary.BigEndian.Uint16(t.header[3:]))
		if len(t.records) < maxRecords {
			t.records = append(t.records, Record{t.header[0], bytes.Clone(t.header[1:3]), t.left})
		}
	}
	return p[n:]
}

// hellos splits the opening into its ClientHello messages, headers included:
// one, or two where the server asked for a retry (RFC 8446 section 4.1.4).
// Anything else ends them.
func hellos(opening []byte) []Hex {
	var found []Hex
	for len(opening) >= 4 && opening[0] == messageHello {
		end := 4 + int(opening[1])<<16 + int(opening[2])<<8 + int(opening[3])
		if end > len(opening) {
			break
		}
		found = append(found, Hex(opening[:end]))
		opening = opening[end:]
	}
	return found
}
