package http1

import (
	"bytes"
	"io"

	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// input is what has come and is not consumed yet: buf[r:w].
type input struct {
	raw   wait.Conn
	ctx   *wait.Context
	buf   []byte
	r, w  int
	heard bool // a byte has come in this exchange

	// How far section has looked, so that a head that drips in is not searched
	// from its beginning for every byte.
	scanned int // from r
	lines   int
}

func (in *input) reset(buf []byte) {
	in.buf, in.r, in.w, in.heard = buf, 0, 0, false
	in.scanned, in.lines = 0, 0
}

func (in *input) buffered() int { return in.w - in.r }

func (in *input) consume(n int) {
	in.r += n
	in.scanned, in.lines = 0, 0
}

// receive is a read of the connection. A peer that always has a few bytes ready
// never makes a read wait, so the limits are asked here as well.
func (in *input) receive(p []byte) (int, error) {
	if err := in.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := in.raw.Read(p)
	switch {
	case n > 0:
		in.heard = true
		return n, nil // an error with bytes is there next time, too
	case err == nil:
		return 0, io.ErrNoProgress
	}
	return 0, err
}

// fill reads once into the buffer, which grows when it is full: the callers
// bound it.
func (in *input) fill() error {
	if in.r > 0 && (in.r == in.w || in.w == len(in.buf)) {
		in.w = copy(in.buf, in.buf[in.r:in.w])
		in.r = 0
	}
	if in.w == len(in.buf) {
		in.buf = append(in.buf, make([]byte, len(in.buf))...)
	}
	n, err := in.receive(in.buf[in.w:])
	in.w += n
	return err
}

// direct is the size from which a read goes past the buffer: below, reading
// ahead saves more than the copy costs.
const direct = 8 << 10

// read is io.Reader's, of what is buffered first.
func (in *input) read(p []byte) (int, error) {
	if in.r == in.w {
		if len(p) >= direct {
			return in.receive(p)
		}
		if err := in.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, in.buf[in.r:in.w])
	in.consume(n)
	return n, nil
}

// section waits for the lines up to an empty one, at most limit bytes. They stay
// in the buffer, so that a caller that fails on them fails again.
func (in *input) section(what string, limit int64) ([]byte, error) {
	for {
		size, ended, err := in.scan()
		switch {
		case err != nil:
			return nil, err
		case int64(size) > limit:
			return nil, &message.LimitError{What: what, Limit: limit, Unit: "bytes"}
		case ended:
			return in.buf[in.r : in.r+size], nil
		}
		if err := in.fill(); err != nil {
			return nil, err
		}
	}
}

// scan returns how long the section is so far and whether its end is there. It
// counts the lines before the empty one.
func (in *input) scan() (size int, ended bool, err error) {
	data := in.buf[in.r:in.w]
	for {
		i := bytes.IndexByte(data[in.scanned:], '\n')
		if i < 0 {
			in.scanned = len(data)
			return len(data), false, nil
		}
		in.scanned += i
		if in.scanned == 0 || data[in.scanned-1] != '\r' {
			return 0, false, errBareLF
		}
		if in.scanned == 1 || data[in.scanned-2] == '\n' {
			return in.scanned + 1, true, nil
		}
		in.scanned++
		in.lines++
	}
}

// line consumes a line of at most limit bytes and returns it without its CRLF;
// it is valid until the next read.
func (in *input) line(what string, limit int) ([]byte, error) {
	for {
		data := in.buf[in.r:in.w]
		end := bytes.IndexByte(data, '\n')
		switch {
		case end > limit || end < 0 && len(data) > limit:
			return nil, &message.LimitError{What: what, Limit: int64(limit), Unit: "bytes"}
		case end == 0 || end > 0 && data[end-1] != '\r':
			return nil, errBareLF
		case end > 0:
			in.consume(end + 1)
			return data[:end-1], nil
		}
		if err := in.fill(); err != nil {
			return nil, err
		}
	}
}

// crlf consumes the end of a chunk's data.
func (in *input) crlf() error {
	for in.buffered() < 2 {
		if err := in.fill(); err != nil {
			return err
		}
	}
	if in.buf[in.r] != '\r' || in.buf[in.r+1] != '\n' {
		return violation("7.1", "no CRLF behind the data of a chunk")
	}
	in.consume(2)
	return nil
}

var errBareLF = violation("2.2", "a line ends with a bare LF")

// violation is a rule of RFC 9112 that the server broke.
func violation(section, what string) error {
	return &message.ProtocolError{Protocol: "HTTP/1.1", What: what, Section: "RFC 9112 section " + section}
}

// decided reports whether err is a judgement of ours, or of the exchange's
// context, rather than the fate of the connection.
func decided(err error) bool {
	switch err.(type) {
	case *message.ProtocolError, *message.LimitError:
		return true
	}
	return wait.IsStop(err)
}

// cause is err as the cause of another error. The end of the stream is none:
// nobody may take a lost message for a complete one because errors.Is finds
// io.EOF in it.
func cause(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}
