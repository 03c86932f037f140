package http1

import (
	"errors"
	"io"

	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// body reads the body of a response as it is on the wire.
type body struct {
	in       *input
	framing  framing
	limit    int64 // of the trailer section
	left     int64 // of the body when counted, of the chunk when chunked
	received int64
	expected int64 // UnknownLength unless counted
	excess   int64 // of chunk extensions over data
	begun    bool  // the CRLF of a chunk is due before the next one
	trailers message.Fields
	err      error // what every further read returns
}

func newBody(in *input, how framing, length, limit int64) body {
	b := body{in: in, framing: how, limit: limit, expected: length}
	switch how {
	case empty:
		b.err = io.EOF
	case counted:
		b.left = length
	}
	return b
}

// complete reports whether nothing of the message is still to come.
func (b *body) complete() bool { return b.err == io.EOF }

// whole reports whether all that is left of the body is in the buffer, and whether
// it would have room there.
func (b *body) whole() (whole, room bool) {
	here := int64(b.in.buffered())
	switch {
	case b.err != nil:
		return true, true
	case b.framing == counted:
		return b.left <= here, b.left <= bufferSize
	case b.framing == chunked:
		return b.chunksBuffered(), here < bufferSize
	}
	return false, false
}

// read is io.Reader's. io.EOF means that the framing says so.
func (b *body) read(p []byte) (int, error) {
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	n, err := b.next(p)
	b.received += int64(n)
	b.err = b.verdict(err)
	if n > 0 {
		return n, nil // the error is for the next read
	}
	return 0, b.err
}

// readNow is read where nothing is waited for. What is between two chunks is begun
// only when it is there whole: what was parsed of a line is not kept.
func (b *body) readNow(p []byte) (int, error) {
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	for b.framing == chunked && b.left == 0 && !b.nextBuffered() {
		if err := b.in.fill(); wait.IsLater(err) {
			return 0, err
		} else if err != nil {
			break // what it means, next tells
		}
	}
	n, err := b.next(p)
	b.received += int64(n)
	switch {
	case !wait.IsLater(err):
		b.err = b.verdict(err)
	case n == 0:
		return 0, err
	}
	if n > 0 {
		return n, nil
	}
	return 0, b.err
}

func (b *body) next(p []byte) (int, error) {
	switch b.framing {
	case counted:
		return b.readCounted(p)
	case chunked:
		return b.readChunked(p)
	}
	n, err := b.in.read(p)
	if err == io.EOF {
		return n, errEnd
	}
	return n, err
}

func (b *body) readCounted(p []byte) (int, error) {
	n, err := b.in.read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if b.left == 0 {
		return n, errEnd
	}
	return n, err
}

// errEnd is the end of the message; io.EOF here is that of the connection.
var errEnd = errors.New("end of the message")

// verdict tells what err means for the message.
func (b *body) verdict(err error) error {
	switch {
	case err == errEnd:
		return io.EOF
	case err == nil || decided(err):
		return err
	}
	return &message.IncompleteError{Received: b.received, Expected: b.expected, Cause: cause(err)}
}
