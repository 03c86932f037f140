package http1

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

func expecting(length int64) *message.Request {
	return post(length, message.Field{Name: "Expect", Value: "100-continue"})
}

// TestBodyGoesAfterContinue and the connection goes on.
func TestBodyGoesAfterContinue(t *testing.T) {
	s := newSession(t)
	stream := s.start(expecting(5))
	s.reply("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
	proceed, err := stream.AwaitContinue(time.Hour)
	check(t, err)
	equal(t, "proceed", proceed, true)
	equal(t, "head", strings.HasSuffix(s.received(), "\r\n\r\n"), true)
	_, err = stream.Write([]byte("hello"))
	check(t, err)
	check(t, stream.CloseWrite(nil))
	equal(t, "body", s.received(), "hello")
	s.reply(ok)
	_, err = stream.ReadHead()
	check(t, err)
	check(t, stream.Close())
	s.expectIdle(true)
}

// TestFinalStatusBeforeTheBodyKeepsItHome: not a byte of it is sent, and the
// connection, which owes it, is closed (safety case 47).
func TestFinalStatusBeforeTheBodyKeepsItHome(t *testing.T) {
	for _, status := range []string{"200 OK", "401 Unauthorized", "417 Expectation Failed"} {
		s := newSession(t)
		stream := s.start(expecting(5))
		s.reply("HTTP/1.1 " + status + "\r\nContent-Length: 2\r\n\r\nno")
		proceed, err := stream.AwaitContinue(time.Hour)
		check(t, err)
		equal(t, "proceed", proceed, false)
		if _, err := stream.Write([]byte("hello")); err != message.ErrAnswered {
			t.Errorf("Write: %v", err)
		}
		check(t, stream.CloseWrite(nil))
		_, err = stream.ReadHead()
		check(t, err)
		content, err := io.ReadAll(stream)
		check(t, err)
		equal(t, "content", string(content), "no")
		equal(t, "head alone", strings.HasSuffix(s.received(), "\r\n\r\n"), true)
		check(t, stream.Close())
		s.expectIdle(false)
	}
}

// TestSilenceLetsTheBodyGo: a server need not know of expectations. What never
// answers then ends by the exchange's own limits, and the connection with it
// (safety case 47).
func TestSilenceLetsTheBodyGo(t *testing.T) {
	s := newSession(t)
	stream := s.openWith(wait.New(wait.Limits{wait.Read: time.Millisecond}, nil))
	check(t, stream.WriteHead(expecting(5)))
	proceed, err := stream.AwaitContinue(time.Millisecond)
	check(t, err)
	equal(t, "proceed", proceed, true)
	_, err = stream.Write([]byte("hello"))
	check(t, err)
	check(t, stream.CloseWrite(nil))
	if _, err = stream.ReadHead(); !wait.IsTimeout(err) {
		t.Fatalf("got %v", err)
	}
	check(t, stream.Close())
	s.expectIdle(false)
}

// TestLateContinueIsDropped.
func TestLateContinueIsDropped(t *testing.T) {
	s := newSession(t)
	stream := s.start(expecting(5))
	_, err := stream.AwaitContinue(0)
	check(t, err)
	_, err = stream.Write([]byte("hel"))
	check(t, err)
	s.reply("HTTP/1.1 100 Continue\r\n\r\n" + ok)
	_, err = stream.Write([]byte("lo"))
	check(t, err)
	check(t, stream.CloseWrite(nil))
	head, err := stream.ReadHead()
	check(t, err)
	equal(t, "status", head.Status, 200)
}

// TestExpectationEndsWithTheExchange: its total, its cancellation and the fate
// of the connection are errors, not leave to send the body.
func TestExpectationEndsWithTheExchange(t *testing.T) {
	total := wait.New(wait.Limits{wait.Total: 10 * time.Millisecond}, nil)
	for _, ctx := range []*wait.Context{total, interruptedWhileWaiting()} {
		stream := newSession(t).openWith(ctx)
		check(t, stream.WriteHead(expecting(5)))
		if proceed, err := stream.AwaitContinue(time.Hour); proceed || !wait.IsStop(err) || err != ctx.Err() {
			t.Errorf("got %v, %v", proceed, err)
		}
	}
	s := newSession(t)
	stream := s.start(expecting(5))
	s.server.CloseWrite()
	if proceed, err := stream.AwaitContinue(time.Hour); proceed || !errors.As(err, new(closedError)) {
		t.Errorf("got %v, %v", proceed, err)
	}
}

// interruptedWhileWaiting is a context whose host has a signal to handle at the
// first slice of a wait.
func interruptedWhileWaiting() *wait.Context {
	return wait.New(wait.Limits{}, func() bool { return true })
}
