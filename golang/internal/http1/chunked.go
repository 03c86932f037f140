package http1

import (
	"bytes"
	"strconv"

	"github.com/cycletls/cycletls/golang/internal/message"
)

const (
	// maxChunkLine bounds a chunk's size with its extensions.
	maxChunkLine = 4 << 10
	// maxExcess bounds the bytes of chunk extensions that no data makes up for:
	// a server must not keep a client busy with chunks of one byte and
	// kilobytes of extensions.
	maxExcess = 16 << 10
	// maxSizeDigits of a chunk size fit an int64 when the first is below 8.
	maxSizeDigits = 16
)

// readChunked returns as many chunks as are there; it waits only for the first
// byte.
func (b *body) readChunked(p []byte) (n int, err error) {
	for {
		if b.left == 0 {
			if err := b.nextChunk(); err != nil {
				return n, err
			}
		}
		m, err := b.in.read(p[n:min(int64(len(p)), int64(n)+b.left)])
		n += m
		b.left -= int64(m)
		if err != nil || n == len(p) || b.left > 0 || !b.chunkBuffered() {
			return n, err
		}
	}
}

// chunkBuffered reports whether the next chunk can begin without a read. The
// last one is left to the next call: its trailers may be late.
func (b *body) chunkBuffered() bool {
	data := b.in.buf[b.in.r:b.in.w]
	return len(data) > 2 && data[2] != '0' && bytes.IndexByte(data[2:], '\n') >= 0
}

// chunksBuffered reports whether all chunks to come are there, and the trailers.
func (b *body) chunksBuffered() bool {
	data, left, begun := b.in.buf[b.in.r:b.in.w], b.left, b.begun
	for {
		if int64(len(data)) < left {
			return false
		}
		data = data[left:]
		if begun {
			data = data[min(len(data), len("\r\n")):]
		}
		line, rest, ended := bytes.Cut(data, []byte("\n"))
		if !ended {
			return false
		}
		size, _, err := parseChunkLine(bytes.TrimSuffix(line, []byte("\r")))
		if err != nil {
			return true // Read will not wait to find that
		}
		if size == 0 {
			return sectionEnds(rest)
		}
		data, left, begun = rest, size, true
	}
}

// nextBuffered reports whether nextChunk need not read: the next chunk can begin, or
// the message end with all its trailers, or it is too long to be one.
func (b *body) nextBuffered() bool {
	data := b.in.buf[b.in.r:b.in.w]
	if b.begun {
		data = data[min(len(data), len("\r\n")):]
	}
	line, rest, ended := bytes.Cut(data, []byte("\n"))
	if !ended {
		return len(line) > maxChunkLine
	}
	size, _, err := parseChunkLine(bytes.TrimSuffix(line, []byte("\r")))
	return err != nil || size > 0 || int64(len(rest)) > b.limit || sectionEnds(rest)
}

// sectionEnds reports whether a trailer section is there as a whole, or so much of it
// that what is wrong with it shows.
func sectionEnds(data []byte) bool {
	for {
		line, rest, ended := bytes.Cut(data, []byte("\n"))
		switch {
		case !ended:
			return false
		case len(line) <= 1 || line[len(line)-1] != '\r':
			return true
		}
		data = rest
	}
}

// nextChunk reads up to the data of a chunk. After the last one it reads the
// trailers and returns errEnd.
func (b *body) nextChunk() error {
	if b.begun {
		if err := b.in.crlf(); err != nil {
			return err
		}
		b.begun = false
	}
	line, err := b.in.line("chunk extension", maxChunkLine)
	if err != nil {
		return err
	}
	size, extension, err := parseChunkLine(line)
	if err != nil {
		return err
	}
	if b.excess = max(0, b.excess+int64(extension)-size); b.excess > maxExcess {
		return &message.LimitError{What: "chunk extensions", Limit: maxExcess, Unit: "bytes"}
	}
	if size == 0 {
		return b.readTrailers()
	}
	b.left, b.begun = size, true
	return nil
}

// parseChunkLine parses `chunk-size [ chunk-ext ]` (RFC 9112 section 7.1) and
// returns how long the extension is, which nobody uses. Blanks behind the size
// are sent by old servers.
func parseChunkLine(line []byte) (size int64, extension int, err error) {
	digits := 0
	for digits < len(line) && hexValue[line[digits]] >= 0 {
		size = size<<4 | int64(hexValue[line[digits]])
		digits++
	}
	rest := bytes.Trim(line[digits:], " \t")
	switch {
	case digits == 0 || digits > maxSizeDigits || size < 0:
		return 0, 0, violation("7.1", "invalid chunk size "+excerpt(string(line)))
	case len(rest) > 0 && rest[0] != ';' || !textBytes.spans(string(rest)):
		return 0, 0, violation("7.1.1", "malformed chunk extension "+excerpt(string(line)))
	}
	return size, len(line) - digits, nil
}

// hexValue is the value of a hexadecimal digit, -1 of any other byte.
var hexValue = func() (values [256]int8) {
	for c := range values {
		values[c] = -1
	}
	for value, c := range []byte("0123456789abcdef") {
		values[c] = int8(value)
		values[bytes.ToUpper([]byte{c})[0]] = int8(value)
	}
	return values
}()

// readTrailers ends the message with its trailer section.
func (b *body) readTrailers() error {
	block, err := b.in.section("trailer section", b.limit)
	if err != nil {
		return err
	}
	lines := b.in.lines
	b.trailers, err = parseFields(string(block), lines)
	if err != nil {
		return err
	}
	b.in.consume(len(block))
	return errEnd
}

// appendChunkHead begins a chunk of size bytes.
func appendChunkHead(out []byte, size int) []byte {
	out = strconv.AppendUint(out, uint64(size), 16)
	return append(out, "\r\n"...)
}

// appendLastChunk ends a chunked body. Fields that steer the message or the
// connection have no business behind it (RFC 9110 section 6.5.1).
func appendLastChunk(out []byte, trailers message.Fields) ([]byte, error) {
	out = append(out, "0\r\n"...)
	for i := range trailers {
		var err error
		if steers(trailers[i].Name) {
			return out, invalid("field", "%s cannot be a trailer", trailers[i].Name)
		}
		if out, err = appendField(out, &trailers[i]); err != nil {
			return out, err
		}
	}
	return append(out, "\r\n"...), nil
}

func steers(name string) bool {
	for _, field := range []string{"Content-Length", "Transfer-Encoding", "Host", "Trailer", "Connection",
		"TE", "Expect", "Upgrade", "Content-Encoding", "Content-Type", "Authorization", "Set-Cookie", "Cookie"} {
		if is(name, field) {
			return true
		}
	}
	return false
}
