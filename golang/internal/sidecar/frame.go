package sidecar

import (
	"encoding/binary"
	"errors"

	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/library"
)

// A message to the sidecar is one verb: a header of fixed length, numbers in little
// endian, then the msgpack of a message where the verb takes one, then bytes of a
// body. What came of it has the same form and the same ticket, and otherwise what
// golang/cycletls.h calls a completion. cycletls/_wire.py is the other half.

// Verbs beside those of package library, which have the numbers below. Those with a
// target are answered: what comes after them must find it done.
const (
	verbCancel = 256 // what the target names, or where that is 0 the ticket's work
	verbClose  = 257 // what the target names
	verbMore   = 258 // a part of the body of the ticket's verb, which follows
)

// partly is the status of a reply that is not the last under its ticket: a read goes
// on as long as there is credit.
const partly = -1

const (
	orderSize = 8 + 8 + 8 + 4 + 4
	replySize = 8 + 8 + 8 + 8 + 4 + 4
)

// order is a message to the sidecar.
type order struct {
	ticket  uint64 // chosen by the client
	target  uint64
	size    uint64 // credit: as many bytes of a body may be sent back
	verb    int32
	message []byte
	body    []byte
}

var errMalformed = errors.New("malformed message")

// parseOrder reads one; the result has views of p.
func parseOrder(p []byte) (o order, err error) {
	if len(p) < orderSize {
		return o, errMalformed
	}
	o.ticket = binary.LittleEndian.Uint64(p)
	o.target = binary.LittleEndian.Uint64(p[8:])
	o.size = binary.LittleEndian.Uint64(p[16:])
	o.verb = int32(binary.LittleEndian.Uint32(p[24:]))
	message := int64(binary.LittleEndian.Uint32(p[28:]))
	rest := p[orderSize:]
	if message > int64(len(rest)) {
		return o, errMalformed
	}
	o.message, o.body = rest[:message:message], rest[message:]
	return o, nil
}

// appendReply appends what came of a verb, up to where the body begins.
func appendReply(out []byte, ticket uint64, reply *library.Reply) []byte {
	start := len(out)
	out = binary.LittleEndian.AppendUint64(out, ticket)
	out = binary.LittleEndian.AppendUint64(out, reply.Handle)
	out = binary.LittleEndian.AppendUint64(out, uint64(reply.Length))
	out = binary.LittleEndian.AppendUint64(out, uint64(reply.Filled))
	out = binary.LittleEndian.AppendUint32(out, uint32(reply.Status))
	out = binary.LittleEndian.AppendUint32(out, 0)
	if reply.Message != nil {
		out = envelope.Append(out, reply.Message)
		binary.LittleEndian.PutUint32(out[start+replySize-4:], uint32(len(out)-start-replySize))
	}
	return out
}
