package capture

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/cycletls/cycletls/golang/internal/websocket"
)

// maxGoodbye bounds what a client may send after the server's Close frame.
const maxGoodbye = 1 << 16

// isWebSocket recognises the handshake (RFC 6455 section 4.1).
func isWebSocket(r *Request) bool {
	return r.Method == "GET" && strings.EqualFold(value(r.Fields, "upgrade"), "websocket") && value(r.Fields, "sec-websocket-key") != ""
}

// upgrade accepts a WebSocket and closes it at once, politely: the handshake is
// all that is to be seen.
func (c *conn1) upgrade(r *Request) error {
	r.Kind = kindOf(r)
	if _, err := c.seen.report(r); err != nil {
		return err
	}
	accept := websocket.AcceptKey(value(r.Fields, "sec-websocket-key"))
	_, err := fmt.Fprintf(c.conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: %s\r\n\r\n\x88\x02\x03\xe8", accept) // a Close frame: normal closure (section 7.4.1)
	if err != nil {
		return err
	}
	return c.awaitClose()
}

// awaitClose reads frames up to the client's Close frame (RFC 6455 section 5.2):
// the server is the one to end the connection then (section 7.1.1).
func (c *conn1) awaitClose() error {
	in := io.LimitReader(c.in, maxGoodbye)
	for {
		var header [2]byte
		if _, err := io.ReadFull(in, header[:]); err != nil {
			return err
		}
		size := int64(header[1] & 0x7f)
		if extended := map[int64]int{126: 2, 127: 8}[size]; extended > 0 {
			var length [8]byte
			if _, err := io.ReadFull(in, length[8-extended:]); err != nil {
				return err
			}
			size = int64(binary.BigEndian.Uint64(length[:]) & (1<<63 - 1))
		}
		if header[1]&0x80 != 0 {
			size = min(size, maxGoodbye) + 4 // the mask
		}
		if _, err := io.CopyN(io.Discard, in, size); err != nil || header[0]&0x0f == 8 {
			return err
		}
	}
}
