package capture

import "slices"

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
