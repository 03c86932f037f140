package http2

import (
	"cmp"
	"strings"

	"github.com/cycletls/cycletls/golang/internal/message"
)

// Browsers hand a body to their connection in pieces, and each becomes a DATA
// frame (or more, where a window or the peer's limit cuts it).
//
// Chromium reads bodies into a buffer of one size, whatever becomes of the
// pieces: one that a window has cut goes on where it was cut. Firefox hands over
// the text of a request, HTTP/1.1's head and the body behind it, in turns: each
// ends after so many bytes, and where a window ends; within a turn the text comes
// from a buffer, at whose end a piece ends, too (measured, Chromium 156 and
// Firefox 153).

// Upload is Firefox' way: the sizes of its first turn, of all others, and of its
// buffer.
type Upload struct{ First, Turn, Buffer int }

// pieces says where the pieces of one request end. Places are counted from the
// beginning of its text where there is an Upload, else of its body.
type pieces struct {
	size   int // the most of one
	upload *Upload
	at     int64 // where the next one begins
	turn   int64 // where its turn began
}

func newPieces(c *Config, req *message.Request) pieces {
	p := pieces{size: cmp.Or(c.DataSize, dataSize), upload: c.Upload}
	if p.upload != nil {
		p.at = headLength(req)
	}
	return p
}

// next returns how long the next piece is, if nothing cuts it.
func (p *pieces) next() int {
	if p.upload == nil {
		return p.size - int(p.at%int64(p.size))
	}
	length := int64(p.upload.Turn)
	if p.turn == 0 {
		length = int64(p.upload.First)
	}
	for p.at >= p.turn+length {
		p.turn += length
		length = int64(p.upload.Turn)
	}
	buffered := int64(p.upload.Buffer) - p.at%int64(p.upload.Buffer)
	return int(min(p.turn+length-p.at, buffered, int64(p.size)))
}

// stall notes that the next piece has to wait.
func (p *pieces) stall() { p.turn = p.at }

// Explains reports whether the content of these DATA frames, of at most size
// bytes each, is the body of a request cut this way and by nothing else.
func (u *Upload) Explains(req *message.Request, size int, frames []int) bool {
	p := newPieces(&Config{DataSize: size, Upload: u}, req)
	left := req.Length
	for _, frame := range frames {
		if int64(frame) != min(left, int64(p.next())) {
			return false
		}
		left -= int64(frame)
		p.at += int64(frame)
	}
	return left == 0
}

// headLength is how long the head of a request is in HTTP/1.1, which has Host
// and Connection in place of TE.
func headLength(req *message.Request) int64 {
	n := len(req.Method) + len(req.Path) + len(req.Authority) + len("  HTTP/1.1\r\nHost: \r\nConnection: keep-alive\r\n\r\n")
	for _, f := range req.Fields {
		if !strings.EqualFold(f.Name, "te") {
			n += len(f.Name) + len(": ") + len(f.Value) + len("\r\n")
		}
	}
	return int64(n)
}
