// Package sse parses event streams as the HTML standard says (section 9.2.6,
// "Interpreting an event stream"), piece by piece as they come.
package sse

import (
	"bytes"
	"math"
	"time"
	"unicode/utf8"

	"github.com/cycletls/cycletls/golang/internal/message"
)

// ContentType is what a response with an event stream has.
const ContentType = "text/event-stream"

// Event is one event.
type Event struct {
	Name string // "message" where the stream gives none
	Data string
	ID   string // the last that the stream gave, be it with an earlier event
}

// Parser holds what has come of a stream. The zero value is at its beginning.
type Parser struct {
	// MaxEvent bounds the bytes of an event, its comments included; 0: no limit.
	MaxEvent int64

	started bool // the byte order mark is behind us
	cr      bool // the last byte ended a line; a LF belongs to it
	line    []byte
	size    int64 // of the event so far
	name    []byte
	data    []byte
	id      []byte // becomes lastID with the event
	lastID  string

	retry    time.Duration
	hasRetry bool
}

// NewParser begins a stream that continues one whose last event had an id.
func NewParser(lastID string, maxEvent int64) *Parser {
	return &Parser{MaxEvent: maxEvent, lastID: lastID, id: []byte(lastID)}
}

// Resume begins the next connection of the stream: what was not complete is lost,
// the id and the time to wait stay.
func (p *Parser) Resume() *Parser {
	next := NewParser(p.lastID, p.MaxEvent)
	next.retry, next.hasRetry = p.retry, p.hasRetry
	return next
}

// LastID is the id to ask the server to go on after.
func (p *Parser) LastID() string { return p.lastID }

// Retry is how long the stream asks to wait before connecting again, if it does.
func (p *Parser) Retry() (time.Duration, bool) { return p.retry, p.hasRetry }

// Feed takes in bytes up to the end of one event and returns that, with the bytes
// behind it; or nil when all are taken in and no event is complete.
func (p *Parser) Feed(b []byte) (event *Event, rest []byte, err error) {
	for len(b) > 0 {
		if p.cr && b[0] == '\n' {
			b = b[1:]
		}
		p.cr = false
		end := bytes.IndexAny(b, "\r\n")
		if end < 0 {
			p.line = append(p.line, b...)
			return nil, nil, p.grow(len(b))
		}
		p.line = append(p.line, b[:end]...)
		p.cr = b[end] == '\r'
		b = b[end+1:]
		if err := p.grow(end + 1); err != nil {
			return nil, nil, err
		}
		if event := p.endLine(); event != nil {
			return event, b, nil
		}
	}
	return nil, nil, nil
}

func (p *Parser) grow(n int) error {
	if p.size += int64(n); p.MaxEvent > 0 && p.size > p.MaxEvent {
		return &message.LimitError{What: "event", Limit: p.MaxEvent, Unit: "bytes"}
	}
	return nil
}

var byteOrderMark = []byte("\ufeff")

func (p *Parser) endLine() *Event {
	line := p.line
	p.line = p.line[:0]
	if !p.started {
		p.started = true
		line = bytes.TrimPrefix(line, byteOrderMark)
	}
	if len(line) == 0 {
		return p.dispatch()
	}
	name, value, _ := bytes.Cut(line, []byte(":"))
	p.field(string(name), bytes.TrimPrefix(value, []byte(" ")))
	return nil
}

// field processes a field; a comment has an empty name.
func (p *Parser) field(name string, value []byte) {
	switch name {
	case "event":
		p.name = append(p.name[:0], value...)
	case "data":
		p.data = append(append(p.data, value...), '\n')
	case "id":
		if bytes.IndexByte(value, 0) < 0 {
			p.id = append(p.id[:0], value...)
		}
	case "retry":
		if milliseconds, ok := digits(value); ok {
			p.retry, p.hasRetry = milliseconds, true
		}
	}
}

// digits reads a number of milliseconds.
func digits(value []byte) (time.Duration, bool) {
	const most = math.MaxInt64 / int64(time.Millisecond)
	n := int64(0)
	for _, c := range value {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n = n*10 + int64(c-'0'); n > most {
			n = most / 10
		}
	}
	return time.Duration(n) * time.Millisecond, len(value) > 0
}

// dispatch ends an event. One without data only sets the id.
func (p *Parser) dispatch() *Event {
	p.size = 0
	if string(p.id) != p.lastID {
		p.lastID = decode(p.id)
		p.id = append(p.id[:0], p.lastID...)
	}
	name, data := p.name, p.data
	p.name, p.data = p.name[:0], p.data[:0]
	if len(data) == 0 {
		return nil
	}
	event := &Event{Name: "message", Data: decode(data[:len(data)-1]), ID: p.lastID}
	if len(name) > 0 {
		event.Name = decode(name)
	}
	return event
}

// decode replaces what is not UTF-8, as the Encoding standard's decoder does: each
// beginning of a character that does not go on becomes one U+FFFD.
func decode(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	out := make([]byte, 0, len(b)+8)
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size == 1 {
			for size < len(b) && !utf8.FullRune(b[:size+1]) {
				size++
			}
		}
		out = utf8.AppendRune(out, r)
		b = b[size:]
	}
	return string(out)
}
