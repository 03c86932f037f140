// Package coding undoes content codings (RFC 9110 section 8.4.1): gzip, deflate,
// br and zstd, one upon the other if need be. It decodes as the bytes come, in
// memory that does not depend on the body, and returns nothing short: a stream
// that is cut off, or goes on after its end, is an error.
package coding

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/cycletls/cycletls/golang/internal/message"
)

// maxCodings bounds a chain: nobody needs two, each costs memory and can
// multiply the size of a bomb (CVE-2025-66418).
const maxCodings = 5

// Error is a body that is not what its Content-Encoding says.
type Error struct {
	Coding string
	Cause  error
}

func (e *Error) Error() string {
	if errors.Is(e.Cause, io.ErrUnexpectedEOF) {
		return fmt.Sprintf("the %s body is cut off", e.Coding)
	}
	return fmt.Sprintf("the body is not valid %s: %v", e.Coding, e.Cause)
}

func (e *Error) Unwrap() error { return e.Cause }

var errTrailing = errors.New("data after its end")

// Of returns the codings of a body in the order in which they were applied. It
// is empty where there are none, or where one is unknown: then the body stays as
// it is, for the caller to decode.
func Of(fields message.Fields) ([]string, error) {
	var codings []string
	count, known := 0, true
	for i := range fields {
		if !strings.EqualFold(fields[i].Name, "Content-Encoding") {
			continue
		}
		for name := range strings.SplitSeq(fields[i].Value, ",") {
			name = strings.ToLower(strings.Trim(name, " \t"))
			if name == "" {
				continue
			}
			if count++; count > maxCodings {
				return nil, &message.LimitError{What: "list of content codings", Limit: maxCodings, Unit: "codings"}
			}
			if name == "identity" {
				continue
			}
			known = known && decoders[name] != nil
			codings = append(codings, name)
		}
	}
	if !known {
		return nil, nil
	}
	return codings, nil
}

// Limits bound what a body may decode to. A coding never needs more than a
// thousandfold, honest content rarely a hundredfold.
type Limits struct {
	Expansion float64 // decoded : received; 0 = no limit
	Floor     int64   // decoded bytes that are always allowed
}

// Reader decodes a body. It must be closed, which does not close the source.
type Reader struct {
	source source
	limits Limits
	layers []*layer
	top    io.Reader
	err    error
}

// source remembers how much came and how it ended, so that a failed connection
// is not taken for a broken coding.
type source struct {
	io.Reader
	received int64
	err      error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.received += int64(n)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// NewReader returns a reader of body without its codings, which Of returned.
func NewReader(body io.Reader, codings []string, limits Limits) *Reader {
	r := &Reader{source: source{Reader: body}, limits: limits}
	r.top = &r.source
	for i := len(codings) - 1; i >= 0; i-- {
		l := &layer{coding: codings[i], from: r.top, over: r}
		r.layers = append(r.layers, l)
		r.top = l
	}
	return r
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.top.Read(p)
	r.err = err
	return n, err
}

// Close gives the decoders back for the next body.
func (r *Reader) Close() {
	for _, l := range r.layers {
		l.close()
	}
	r.err = io.ErrClosedPipe
}

// layer undoes one coding.
type layer struct {
	coding   string
	from     io.Reader
	over     *Reader
	input    *bufio.Reader
	decoder  decoder
	produced int64
}

func (l *layer) Read(p []byte) (int, error) {
	if l.decoder == nil {
		if err := l.open(); err != nil {
			return 0, l.failure(err)
		}
	}
	n, err := l.decoder.Read(p)
	l.produced += int64(n)
	if err == nil || err == io.EOF {
		if limit := l.over.allowed(); l.produced > limit {
			return 0, &message.LimitError{What: "decoded body", Limit: limit, Unit: "bytes"}
		}
	}
	if err == io.EOF {
		err = l.end()
	}
	return n, l.failure(err)
}

// allowed is how much any layer may have produced by now. Every layer counts:
// one may expand into a stream that the next shrinks to nothing.
func (r *Reader) allowed() int64 {
	if r.limits.Expansion <= 0 {
		return 1<<63 - 1
	}
	return max(r.limits.Floor, int64(r.limits.Expansion*float64(r.source.received)))
}

// open starts the decoder at the first byte. A body without any is one without
// its coding, too: servers say gzip of nothing.
func (l *layer) open() error {
	l.input = buffers.get()
	l.input.Reset(l.from)
	if _, err := l.input.Peek(1); err != nil {
		return err
	}
	var err error
	l.decoder, err = decoders[l.coding](l.input)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// end makes sure that nothing follows, and that whatever carried the body has
// seen its end.
func (l *layer) end() error {
	if _, err := l.input.ReadByte(); err != nil {
		return err
	}
	return errTrailing
}

// failure says whose fault an error is.
func (l *layer) failure(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	if l.over.source.err != nil {
		return l.over.source.err
	}
	var inner *Error
	var limit *message.LimitError
	if errors.As(err, &inner) || errors.As(err, &limit) {
		return err
	}
	return &Error{l.coding, err}
}

func (l *layer) close() {
	if l.decoder != nil {
		l.decoder.release()
		l.decoder = nil
	}
	if l.input != nil {
		l.input.Reset(nil)
		buffers.put(l.input)
		l.input = nil
	}
}
