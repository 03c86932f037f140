package node

import (
	"encoding/binary"
	"fmt"
	"net/textproto"
	"strings"
	"unicode/utf8"

	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/message"
)

// Kinds of frames. Each frame is one binary message, in network byte order: the id
// of the request and the kind as texts, then what belongs to the kind. A text has
// its length in 16 bits before it, bytes have theirs in 32.
const (
	kindResponse  = "response"   // u16 status, text URL, u16 count, per name: text, u16 count, texts
	kindData      = "data"       // bytes
	kindError     = "error"      // u16 status, text
	kindEnd       = "end"        // nothing
	kindWSOpen    = "ws_open"    // bytes: JSON
	kindWSMessage = "ws_message" // u8 opcode, bytes
	kindWSClose   = "ws_close"   // bytes: JSON
	kindWSError   = "ws_error"   // u16 status, text
)

const (
	maxText = 1<<16 - 1 // what 16 bits count
	// maxChunk is how much of a body one frame carries.
	maxChunk = 8192
)

// tooLongError is a text that no frame can carry whole. Cut short it would be
// another one, so that its request fails.
type tooLongError struct {
	what string
	size int
}

func (e *tooLongError) Error() string {
	return fmt.Sprintf("%s of %d bytes, of which the protocol of the Node client carries %d", e.what, e.size, maxText)
}

// head begins a frame. An id that is too long is cut: it is the client's, and so is
// who it reaches.
func head(id, kind string) []byte { return appendText(appendText(nil, cut(id)), kind) }

func appendText(b []byte, text string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(text))), text...)
}

func appendBytes(b, p []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(p))), p...)
}

// cut shortens a text to what a frame carries, between two characters.
func cut(text string) string {
	if len(text) <= maxText {
		return text
	}
	end := maxText
	for end > maxText-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// failure is a frame of kind "error" or "ws_error".
func failure(id, kind string, status int, text string) []byte {
	return appendText(binary.BigEndian.AppendUint16(head(id, kind), uint16(status)), cut(text))
}

// response is the frame of a response's head.
func response(id string, r *envelope.Response, fields message.Fields) ([]byte, error) {
	if len(r.URL) > maxText {
		return nil, &tooLongError{"the response has a URL", len(r.URL)}
	}
	f := binary.BigEndian.AppendUint16(head(id, kindResponse), uint16(r.Status))
	return appendFields(appendText(f, r.URL), fields)
}

// appendFields appends fields by their names, which are in the order of their first
// appearance and in the one spelling that the client's users know.
func appendFields(f []byte, fields message.Fields) ([]byte, error) {
	var names []string
	values := make(map[string][]string)
	for _, field := range fields {
		name := textproto.CanonicalMIMEHeaderKey(field.Name)
		if values[name] == nil {
			names = append(names, name)
		}
		values[name] = append(values[name], readable(field.Value))
	}
	f = binary.BigEndian.AppendUint16(f, uint16(len(names))) // a head of so many is over every limit
	for _, name := range names {
		f = appendText(f, name)
		f = binary.BigEndian.AppendUint16(f, uint16(len(values[name])))
		for _, value := range values[name] {
			if size := max(len(name), len(value)); size > maxText {
				return nil, &tooLongError{"the response has a header", size}
			}
			f = appendText(f, value)
		}
	}
	return f, nil
}

// readable makes UTF-8, which is what the client takes texts for, of a value that is
// none: it is Latin-1 then (RFC 9110 section 5.5).
func readable(value string) string {
	if utf8.ValidString(value) {
		return value
	}
	var b strings.Builder
	for i := range len(value) {
		b.WriteRune(rune(value[i]))
	}
	return b.String()
}
