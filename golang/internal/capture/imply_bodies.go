package capture

import (
	"slices"
	"strings"

	"github.com/cycletls/cycletls/golang/internal/fingerprint"
	"github.com/cycletls/cycletls/golang/internal/http2"
	"github.com/cycletls/cycletls/golang/internal/message"
)

// dataSize is the most content that a DATA frame had, if any was so large that
// its body must have been cut; 0 is as much as every peer takes.
func dataSize(frames []Frame) (size int) {
	for _, frame := range frames {
		if frame.Type == "DATA" {
			size = max(size, int(frame.Length))
		}
	}
	if size < maxFrameSize/2 || size == maxFrameSize {
		return 0
	}
	return size
}

// geckoUpload is how Firefox cuts bodies (measured, Firefox 153).
var geckoUpload = http2.Upload{First: 2048, Turn: 32016, Buffer: 32768}

// impliedUpload recognises geckoUpload by all bodies of a connection, of which
// one is longer than a turn.
func impliedUpload(s *Seen, size int) *fingerprint.Upload {
	long := false
	for i := range s.Requests {
		r := &s.Requests[i]
		if r.Body.Length > 0 && !geckoUpload.Explains(asSent(r), size, dataFrames(s.Frames, r.Stream)) {
			return nil
		}
		long = long || r.Body.Length > int64(geckoUpload.First+geckoUpload.Turn)
	}
	if size == 0 || !long {
		return nil
	}
	upload := fingerprint.Upload(geckoUpload)
	return &upload
}

// dataFrames lists how much content the DATA frames of a stream had.
func dataFrames(frames []Frame, stream uint32) (sizes []int) {
	for _, frame := range frames {
		if frame.Type == "DATA" && frame.Stream == stream && frame.Length > 0 {
			sizes = append(sizes, int(frame.Length))
		}
	}
	return sizes
}

// asSent is a captured request as the client had it before HTTP/2 cut its
// cookies into crumbs.
func asSent(r *Request) *message.Request {
	sent := &message.Request{Method: r.Method, Authority: r.Authority, Path: r.Target, Length: r.Body.Length}
	var cookies []string
	for _, field := range r.Fields {
		switch {
		case field[0] == "cookie":
			cookies = append(cookies, field[1])
		case !strings.HasPrefix(field[0], ":"):
			sent.Fields = append(sent.Fields, message.Field{Name: field[0], Value: field[1]})
		}
	}
	if cookies != nil {
		sent.Fields = append(sent.Fields, message.Field{Name: "cookie", Value: strings.Join(cookies, "; ")})
	}
	return sent
}

// closesSilently reports whether a client ended connections without GOAWAY that
// the server had asked it to end.
func closesSilently(seen []Seen) (silent bool) {
	for _, s := range seen {
		if s.Connection.Protocol != "h2" || !slices.ContainsFunc(s.Requests, func(r Request) bool { found, _ := pageOf(r.Target); return found.ends }) {
			continue
		}
		if slices.ContainsFunc(s.Frames, func(f Frame) bool { return f.Type == "GOAWAY" }) {
			return false
		}
		silent = true
	}
	return silent
}

// sealed is what a record of TLS 1.3 has beside its content: the content's type
// and the tag that every cipher of it has (RFC 8446 section 5.2).
const sealed = 1 + 16

// chromiumJoins is up to how many bytes Chromium sends a head and its body
// together; a capture shows only that some body was above it.
const chromiumJoins = 1400

// joinedBody is that limit where the head of a request with a body had a record
// of its own.
func joinedBody(seen []Seen) int {
	if !slices.ContainsFunc(seen, func(s Seen) bool {
		return s.TLS != nil && s.Connection.Protocol != "h2" && slices.ContainsFunc(s.Requests, func(r Request) bool {
			return r.Body.Length > 0 && slices.ContainsFunc(s.TLS.Records, func(record Record) bool {
				return record.Type == recordData && record.Length == len(r.Head)+sealed
			})
		})
	}) {
		return 0
	}
	return chromiumJoins
}
