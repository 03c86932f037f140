package sse

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cycletls/cycletls/golang/internal/message"
)

// parse feeds a stream in pieces of a size.
func parse(t *testing.T, p *Parser, stream string, size int) []Event {
	t.Helper()
	var events []Event
	for b := []byte(stream); len(b) > 0; {
		piece := b[:min(size, len(b))]
		b = b[len(piece):]
		for len(piece) > 0 {
			event, rest, err := p.Feed(piece)
			if err != nil {
				t.Fatal(err)
			}
			if event != nil {
				events = append(events, *event)
			}
			piece = rest
		}
	}
	return events
}

var streams = map[string]struct {
	stream string
	events []Event
}{
	"lines of data are joined": {"data: YHOO\ndata: +2\ndata: 10\n\n", []Event{{"message", "YHOO\n+2\n10", ""}}},
	"comments, ids and an id without data": {
		": test\n\ndata: first\nid: 1\n\ndata:second\nid\n\ndata:  third\n\n",
		[]Event{{"message", "first", "1"}, {"message", "second", ""}, {"message", " third", ""}},
	},
	"empty data is an event, an unfinished one is none": {
		"data\n\ndata\ndata\n\ndata:", []Event{{"message", "", ""}, {"message", "\n", ""}},
	},
	"a space behind the colon is optional": {"data:test\n\ndata: test\n\n", []Event{{"message", "test", ""}, {"message", "test", ""}}},
	"the three ends of a line":             {"data:a\rdata:b\r\ndata:c\n\r\ndata:d\r\r", []Event{{"message", "a\nb\nc", ""}, {"message", "d", ""}}},
	"one byte order mark, at the beginning": {
		"\ufeffdata:a\n\n\ufeffdata:b\n\n\ndata:c\n\n", []Event{{"message", "a", ""}, {"message", "c", ""}},
	},
	"an id with NUL is ignored":           {"id:1\ndata:a\n\nid:2\x00\ndata:b\n\n", []Event{{"message", "a", "1"}, {"message", "b", "1"}}},
	"an id without data counts later":     {"id:7\n\ndata:a\n\n", []Event{{"message", "a", "7"}}},
	"an event's name does not last":       {"event:x\ndata:a\n\nevent:y\n\ndata:b\n\n", []Event{{"x", "a", ""}, {"message", "b", ""}}},
	"an empty name is message":            {"event:x\nevent:\ndata:a\n\n", []Event{{"message", "a", ""}}},
	"unknown fields and case are ignored": {"Data:no\nfoo:bar\n data:no\ndata:yes\n\n", []Event{{"message", "yes", ""}}},
	"what is not UTF-8 is replaced as browsers do": {
		"data:\xe2\x82a\xff\xf0\x9f\x98\x80\n\n", []Event{{"message", "\ufffda\ufffd\U0001f600", ""}},
	},
}

// Events do not depend on how the network cuts the stream.
func TestStreams(t *testing.T) {
	for name, c := range streams {
		for _, size := range []int{1, 2, 3, 1 << 20} {
			if got := parse(t, &Parser{}, c.stream, size); !reflect.DeepEqual(got, c.events) {
				t.Errorf("%s, %d at a time: %q, want %q", name, size, got, c.events)
			}
		}
	}
}

// Only digits are a time to wait.
func TestRetry(t *testing.T) {
	for stream, want := range map[string]time.Duration{
		"retry:1500\n": 1500 * time.Millisecond, "retry: 0\n": 0, "retry:1.5\nretry:-1\nretry:\nretry: x\n": -1,
		"retry:20\nretry:a\n": 20 * time.Millisecond,
	} {
		p := &Parser{}
		parse(t, p, stream, 1)
		got, has := p.Retry()
		if !has {
			got = -1
		}
		if got != want {
			t.Errorf("%q: %v, want %v", stream, got, want)
		}
	}
	p := &Parser{}
	parse(t, p, "retry:"+strings.Repeat("9", 40)+"\n", 7)
	if got, _ := p.Retry(); got <= 0 {
		t.Errorf("an endless wait became %v", got)
	}
}

// A stream that continues another begins with the id of that.
func TestLastID(t *testing.T) {
	p := NewParser("41", 0)
	if events := parse(t, p, "data:a\n\nid:42\ndata:b\n", 5); events[0].ID != "41" || p.LastID() != "41" {
		t.Errorf("%q, last id %q", events, p.LastID())
	}
	parse(t, p, "\n", 1)
	if p.LastID() != "42" {
		t.Errorf("last id %q", p.LastID())
	}
}

// A line or an event without end, or a comment, cannot fill the memory; many
// events of an allowed size can come.
func TestLimit(t *testing.T) {
	for _, endless := range []string{"data:x", ":\n", "data:\n", "event: y\r"} {
		p := &Parser{MaxEvent: 1000}
		var limit *message.LimitError
		var err error
		for range 1000 {
			if _, _, err = p.Feed([]byte(endless)); err != nil {
				break
			}
		}
		if !errors.As(err, &limit) || len(p.line)+len(p.data) > 1100 {
			t.Errorf("%q: %v", endless, err)
		}
	}
	parse(t, &Parser{MaxEvent: 20}, strings.Repeat("data: 0123456789\n\n", 50), 7)
}

// Whatever comes: it ends, and pieces of any size give the same events.
func FuzzParser(f *testing.F) {
	for _, c := range streams {
		f.Add([]byte(c.stream), uint8(3))
	}
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
		whole, cut := NewParser("", 0), NewParser("", 0)
		want := parse(t, whole, string(stream), len(stream)+1)
		if got := parse(t, cut, string(stream), int(size)+1); !reflect.DeepEqual(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		if whole.LastID() != cut.LastID() {
			t.Errorf("last id %q, want %q", cut.LastID(), whole.LastID())
		}
	})
}
