package http1

import (
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

func formatLength(n int64) string { return strconv.FormatInt(n, 10) }

// TestOrderCaseAndRepeatsOfFieldsReachTheWire byte for byte.
func TestOrderCaseAndRepeatsOfFieldsReachTheWire(t *testing.T) {
	s := newSession(t)
	s.reply("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	_, _, err := s.exchange(get(message.Field{Name: "X-B", Value: "1"}, message.Field{Name: "x-a", Value: ""},
		message.Field{Name: "X-B", Value: "ü\t3"}))
	check(t, err)
	equal(t, "request", s.received(), "GET / HTTP/1.1\r\nHost: a.test\r\nX-B: 1\r\nx-a: \r\nX-B: ü\t3\r\n\r\n")
}

// TestResponseKeepsOrderCaseAndRepeats and trims only the space around values.
func TestResponseKeepsOrderCaseAndRepeats(t *testing.T) {
	head, content, err := fetch(t, "HTTP/1.1 404 Not  Found\r\nB: 1\r\na:\t x y \r\nB:\r\nContent-Length: 3\r\n\r\nabc")
	check(t, err)
	equal(t, "content", content, "abc")
	equal(t, "status", head.Status, 404)
	equal(t, "reason", head.Reason, "Not  Found")
	equal(t, "version", head.Version, "HTTP/1.1")
	equal(t, "length", head.Length, 3)
	want := message.Fields{{Name: "B", Value: "1"}, {Name: "a", Value: "x y"}, {Name: "B", Value: ""}, {Name: "Content-Length", Value: "3"}}
	if !slices.Equal(head.Fields, want) {
		t.Fatalf("fields: %q", head.Fields)
	}
}

// TestStatusLineWithoutReason is taken with and without the space behind the
// code.
func TestStatusLineWithoutReason(t *testing.T) {
	for _, line := range []string{"HTTP/1.1 200 ", "HTTP/1.1 200"} {
		head, _, err := fetch(t, line+"\r\nContent-Length: 0\r\n\r\n")
		check(t, err)
		equal(t, "reason", head.Reason, "")
	}
}

// TestWarmGetIsOneWriteAndOneRead when the reply is there.
func TestWarmGetIsOneWriteAndOneRead(t *testing.T) {
	s := newSession(t)
	for range 3 {
		s.reply("HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n" + strings.Repeat("x", 1024))
		_, content, err := s.exchange(get())
		check(t, err)
		equal(t, "length", len(content), 1024)
	}
	equal(t, "writes", s.client.Writes(), 3)
	equal(t, "reads", s.client.Reads(), 3)
	s.expectIdle(true, true, true)
}

// TestLargeBodyGoesIntoTheCallersSlice: one read for the head and what came
// with it, one for all the rest.
func TestLargeBodyGoesIntoTheCallersSlice(t *testing.T) {
	const size = 1 << 20
	s := newSession(t)
	s.reply("HTTP/1.1 200 OK\r\nContent-Length: " + formatLength(size) + "\r\n\r\n" + strings.Repeat("x", size))
	stream := s.start(get())
	_, err := stream.ReadHead()
	check(t, err)
	_, err = io.ReadFull(stream, make([]byte, size))
	check(t, err)
	equal(t, "reads", s.client.Reads(), 2)
	check(t, stream.Close())
	s.expectIdle(true)
}

// TestExchangeAllocatesLittle: the stream with its response, the text of the
// head and the slice of its fields.
func TestExchangeAllocatesLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("sync.Pool drops items under the race detector")
	}
	conn := NewConn(&canned{reply: []byte("HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 5\r\n\r\nhello")}, limited)
	ctx, req, p := wait.Background(), get(), make([]byte, 64)
	allocations := testing.AllocsPerRun(100, func() {
		stream, err := conn.Open(ctx)
		check(t, err)
		check(t, stream.WriteHead(req))
		_, err = stream.ReadHead()
		check(t, err)
		n, err := stream.Read(p)
		check(t, err)
		equal(t, "length", n, 5)
		check(t, stream.Close())
	})
	if allocations > 3 {
		t.Fatalf("%v allocations", allocations)
	}
}

// TestHeadInPieces: where packets end changes nothing.
func TestHeadInPieces(t *testing.T) {
	for size := 1; size < 40; size++ {
		s := newSession(t)
		s.client.SetMaxRead(size)
		s.reply("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
			"4\r\nwiki\r\n005;x=\"y\"\r\npedia\r\n0\r\nT: 1\r\n\r\n")
		head, content, err := s.exchange(get())
		check(t, err)
		equal(t, "status", head.Status, 200)
		equal(t, "content", content, "wikipedia")
		s.expectIdle(true)
	}
}

// TestHeadLargerThanTheBuffer grows it, and the next exchange is not disturbed.
func TestHeadLargerThanTheBuffer(t *testing.T) {
	s := newSession(t)
	value := strings.Repeat("v", 100<<10)
	for range 2 {
		s.reply("HTTP/1.1 200 OK\r\nX: " + value + "\r\nContent-Length: 2\r\n\r\nok")
		head, content, err := s.exchange(get(message.Field{Name: "X", Value: value}))
		check(t, err)
		equal(t, "content", content, "ok")
		equal(t, "value", head.Fields[0].Value, value)
		equal(t, "request", len(s.received()), len("GET / HTTP/1.1\r\nHost: a.test\r\nX: \r\n\r\n")+len(value))
	}
	s.expectIdle(true, true)
}

// TestStreamIsInertOnceClosed: a handle kept too long cannot touch the next
// exchange.
func TestStreamIsInertOnceClosed(t *testing.T) {
	s := newSession(t)
	s.reply("HTTP/1.1 204 No Content\r\n\r\n")
	old := s.start(get())
	_, err := old.ReadHead()
	check(t, err)
	check(t, old.Close())
	s.reply("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	next := s.start(get())
	check(t, old.Close())
	if old.WriteHead(get()) == nil || old.CloseWrite(nil) == nil {
		t.Error("a closed stream writes")
	}
	if _, err := old.Write([]byte("x")); err == nil {
		t.Error("a closed stream writes a body")
	}
	if _, err := old.ReadHead(); err == nil {
		t.Error("a closed stream reads a head")
	}
	if _, err := old.Read(make([]byte, 1)); err == nil {
		t.Error("a closed stream reads")
	}
	_, err = next.ReadHead()
	check(t, err)
	content, err := io.ReadAll(next)
	check(t, err)
	equal(t, "content", string(content), "ok")
	equal(t, "delivery of the old one", old.Delivery(), message.Answered)
}
