package http1

import (
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

// TestHeadAndSmallBodyLeaveInOneWrite.
func TestHeadAndSmallBodyLeaveInOneWrite(t *testing.T) {
	s := newSession(t)
	stream := s.start(post(5))
	equal(t, "writes before the body", s.client.Writes(), 0)
	n, err := stream.Write([]byte("hello"))
	check(t, err)
	equal(t, "written", n, 5)
	check(t, stream.CloseWrite(nil))
	equal(t, "writes", s.client.Writes(), 1)
	equal(t, "request", s.received(), "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello")
}

// TestBodyLeavesApart where head and body are larger than a profile joins.
func TestBodyLeavesApart(t *testing.T) {
	const request = "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello"
	for limit, writes := range map[int]int{0: 1, len(request): 1, len(request) - 1: 2} {
		cfg := limited
		cfg.JoinedBody = limit
		s := newSessionWith(t, cfg)
		stream := s.start(post(5))
		_, err := stream.Write([]byte("hello"))
		check(t, err)
		check(t, stream.CloseWrite(nil))
		equal(t, "writes", s.client.Writes(), writes)
		equal(t, "request", s.received(), request)
	}
}

// TestPiecesReachTheWireAtOnce: who streams a body may wait for what the server
// makes of it.
func TestPiecesReachTheWireAtOnce(t *testing.T) {
	s := newSession(t)
	stream := s.start(post(message.UnknownLength))
	for _, piece := range []struct{ text, wire string }{
		{"a", "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"},
		{"", ""},
		{strings.Repeat("b", 26), "1a\r\n" + strings.Repeat("b", 26) + "\r\n"},
	} {
		_, err := stream.Write([]byte(piece.text))
		check(t, err)
		equal(t, "on the wire", s.received(), piece.wire)
	}
	check(t, stream.CloseWrite(message.Fields{{Name: "X-Sum", Value: "1"}}))
	equal(t, "end", s.received(), "0\r\nX-Sum: 1\r\n\r\n")
}

// TestLargePiecesAreNotCopied: with a counted length each is one write.
func TestLargePiecesAreNotCopied(t *testing.T) {
	const size, pieces = 100 << 10, 3
	s := newSession(t)
	stream := s.start(post(size * pieces))
	for range pieces {
		n, err := stream.Write([]byte(strings.Repeat("x", size)))
		check(t, err)
		equal(t, "written", n, size)
	}
	check(t, stream.CloseWrite(nil))
	equal(t, "writes", s.client.Writes(), 1+pieces) // the first fills up the head's
	head, body, _ := strings.Cut(s.received(), "\r\n\r\n")
	equal(t, "head", head, "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 307200")
	equal(t, "body", body, strings.Repeat("x", size*pieces))
}

// TestChunksOfAnySizeArriveWhole.
func TestChunksOfAnySizeArriveWhole(t *testing.T) {
	s := newSession(t)
	stream := s.start(post(message.UnknownLength))
	var want strings.Builder
	for _, size := range []int{1, bufferSize - 70, bufferSize, 3 * bufferSize, 5} {
		n, err := stream.Write([]byte(strings.Repeat("y", size)))
		check(t, err)
		equal(t, "written", n, size)
		want.Write(append(appendChunkHead(nil, size), strings.Repeat("y", size)+"\r\n"...))
	}
	check(t, stream.CloseWrite(nil))
	_, body, _ := strings.Cut(s.received(), "\r\n\r\n")
	equal(t, "body", body, want.String()+"0\r\n\r\n")
	s.reply(ok)
	_, err := stream.ReadHead()
	check(t, err)
	check(t, stream.Close())
	s.expectIdle(true)
}

// TestBodyMustHaveItsAnnouncedLength: the connection cannot go on otherwise.
func TestBodyMustHaveItsAnnouncedLength(t *testing.T) {
	var length *message.LengthError
	s := newSession(t)
	stream := s.start(post(3))
	_, err := stream.Write([]byte("four"))
	if !errors.As(err, &length) || length.Announced != 3 || length.Given != 4 {
		t.Errorf("too much: %v", err)
	}
	equal(t, "writes", s.client.Writes(), 0)
	_, err = stream.Write([]byte("12"))
	check(t, err)
	if err := stream.CloseWrite(nil); !errors.As(err, &length) || length.Given != 2 {
		t.Errorf("too little: %v", err)
	}
	check(t, stream.Close())
	s.expectIdle(false)
	bodyless := newSession(t).start(get())
	if _, err := bodyless.Write([]byte("x")); !errors.As(err, &length) {
		t.Errorf("a body where none was announced: %v", err)
	}
}

// TestTrailersAreValidated, as fields are, and need chunked coding.
func TestTrailersAreValidated(t *testing.T) {
	var wrong *InvalidError
	for _, name := range []string{"Content-Length", "transfer-encoding", "Host", "a b", ""} {
		stream := newSession(t).start(post(message.UnknownLength))
		if err := stream.CloseWrite(message.Fields{{Name: name, Value: "1"}}); !errors.As(err, &wrong) {
			t.Errorf("trailer %q: %v", name, err)
		}
	}
	stream := newSession(t).start(post(0))
	if err := stream.CloseWrite(message.Fields{{Name: "X", Value: "1"}}); !errors.As(err, &wrong) {
		t.Errorf("trailers behind a counted body: %v", err)
	}
}

// TestRefusalEndsAnUploadEarly and is the exchange's response.
func TestRefusalEndsAnUploadEarly(t *testing.T) {
	s := newSession(t)
	stream := s.start(post(10))
	_, err := stream.Write([]byte("hello"))
	check(t, err)
	s.reply("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig")
	for range 2 {
		if _, err := stream.Write([]byte("w")); err != message.ErrAnswered {
			t.Fatalf("got %v", err)
		}
	}
	check(t, stream.CloseWrite(nil))
	equal(t, "sent", strings.HasSuffix(s.received(), "\r\n\r\nhello"), true)
	head, err := stream.ReadHead()
	check(t, err)
	equal(t, "status", head.Status, 413)
	content, err := io.ReadAll(stream)
	check(t, err)
	equal(t, "content", string(content), "big")
	check(t, stream.Close())
	s.expectIdle(false)
}

// TestEarlySuccessDoesNotEndAnUpload: what was not sent was not stored.
func TestEarlySuccessDoesNotEndAnUpload(t *testing.T) {
	s := newSession(t)
	stream := s.start(post(10))
	_, err := stream.Write([]byte("hello"))
	check(t, err)
	s.reply(ok)
	_, err = stream.Write([]byte("w"))
	check(t, err)
	_, err = stream.Write([]byte("orld"))
	check(t, err)
	check(t, stream.CloseWrite(nil))
	equal(t, "sent", strings.HasSuffix(s.received(), "\r\n\r\nhelloworld"), true)
	head, err := stream.ReadHead()
	check(t, err)
	equal(t, "status", head.Status, 200)
	check(t, stream.Close())
	s.expectIdle(true)
}

// TestAnswerBeforeAResetIsRead: a server that refuses a body closes on it.
func TestAnswerBeforeAResetIsRead(t *testing.T) {
	for _, status := range []string{"200 OK", "401 Unauthorized"} {
		s := newSession(t)
		s.client.SetMaxRead(9)
		stream := s.start(post(bufferSize * 4))
		s.client.SetCapacity(bufferSize)
		go func() {
			io.ReadFull(s.server, make([]byte, 100))
			s.reply("HTTP/1.1 " + status + "\r\nContent-Length: 2\r\n\r\nno")
			s.server.Reset()
		}()
		if _, err := stream.Write(make([]byte, bufferSize*4)); err != message.ErrAnswered {
			t.Fatalf("got %v", err)
		}
		_, err := stream.ReadHead()
		check(t, err)
		content, err := io.ReadAll(stream)
		check(t, err)
		equal(t, "content", string(content), "no")
		check(t, stream.Close())
		s.expectIdle(false)
	}
}

// TestWriteToAClosedConnectionFails: nothing was answered, the request may have
// been seen.
func TestWriteToAClosedConnectionFails(t *testing.T) {
	s := newSession(t)
	stream := s.start(post(10))
	_, err := stream.Write([]byte("hello"))
	check(t, err)
	s.server.Reset()
	_, err = stream.Write([]byte("world"))
	if err == message.ErrAnswered { // the look met the reset first
		_, err = stream.ReadHead()
	}
	if !errors.As(err, new(closedError)) || !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("got %v", err)
	}
	equal(t, "delivery", stream.Delivery(), message.Sent)
	check(t, stream.Close())
	s.expectIdle(false)
}

// TestStalledUploadEndsWithTheWriteTimeout.
func TestStalledUploadEndsWithTheWriteTimeout(t *testing.T) {
	s := newSession(t)
	s.client.SetCapacity(100)
	stream := s.openWith(wait.New(wait.Limits{wait.Write: time.Millisecond}, nil))
	check(t, stream.WriteHead(post(1000)))
	_, err := stream.Write(make([]byte, 1000))
	var timeout *wait.TimeoutError
	if !errors.As(err, &timeout) || timeout.Phase != wait.Write {
		t.Fatalf("got %v", err)
	}
	equal(t, "delivery", stream.Delivery(), message.Sent)
	check(t, stream.Close())
	s.expectIdle(false)
}
