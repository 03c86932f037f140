package http1

import (
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// TestPersistenceIsAgreed by both sides (RFC 9112 section 9.3).
func TestPersistenceIsAgreed(t *testing.T) {
	const length = "Content-Length: 0\r\n"
	for _, c := range []struct {
		request, reply string
		reusable       bool
	}{
		{"", "HTTP/1.1 200 OK\r\n" + length, true},
		{"", "HTTP/1.1 200 OK\r\nConnection: close\r\n" + length, false},
		{"", "HTTP/1.1 200 OK\r\nConnection: x, CLOSE ,y\r\n" + length, false},
		{"", "HTTP/1.1 200 OK\r\nConnection: closed\r\n" + length, true},
		{"", "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nConnection: close\r\n" + length, false},
		{"close", "HTTP/1.1 200 OK\r\n" + length, false},
		{"keep-alive", "HTTP/1.1 200 OK\r\n" + length, true},
		{"", "HTTP/1.0 200 OK\r\n" + length, false},
		{"", "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n" + length, true},
		{"", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", false},
	} {
		s := newSession(t)
		s.reply(c.reply + "\r\n")
		req := get()
		if c.request != "" {
			req = get(message.Field{Name: "Connection", Value: c.request})
		}
		_, _, err := s.exchange(req)
		check(t, err)
		if len(s.idle) != 1 || s.idle[0] != c.reusable {
			t.Errorf("%q, %s: OnIdle was told %v", c.request, abridge(c.reply), s.idle)
		}
	}
}

// TestBytesBehindTheResponseAreNeverRead: neither a second response nor a body
// where none may be (safety case 43).
func TestBytesBehindTheResponseAreNeverRead(t *testing.T) {
	const evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
	for _, c := range []struct{ method, reply string }{
		{"GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
		{"GET", chunkedHead + "2\r\nok\r\n0\r\n\r\n"},
		{"GET", "HTTP/1.1 204 No Content\r\nContent-Length: 43\r\n\r\n"},
		{"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 43\r\n\r\n"},
		{"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 43\r\n\r\n"},
	} {
		s := newSession(t)
		s.reply(c.reply + evil)
		_, content, err := s.exchange(request(c.method))
		check(t, err)
		if strings.Contains(content, "evil") {
			t.Errorf("%s: got %q", abridge(c.reply), content)
		}
		s.expectIdle(false)
		if _, err := s.conn.Open(wait.Background()); err == nil {
			t.Error("the connection was opened again")
		}
	}
}

// TestUnsolicitedBytesAreFoundBeforeReuse: they came when nobody read (safety
// case 43).
func TestUnsolicitedBytesAreFoundBeforeReuse(t *testing.T) {
	for _, event := range []func(*session){
		func(s *session) { s.reply("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil") },
		func(s *session) { s.reply("\r\n") },
		func(s *session) { s.server.CloseWrite() },
		func(s *session) { s.server.Reset() },
		func(s *session) { s.conn.Close() },
	} {
		s := newSession(t)
		s.reply(ok)
		_, _, err := s.exchange(get())
		check(t, err)
		equal(t, "alive", s.conn.Alive(), true)
		event(s)
		equal(t, "alive after the event", s.conn.Alive(), false)
	}
}

// TestDeliveryDecidesWhetherToSendAgain: what never left, what may have arrived,
// what was answered (safety case 48).
func TestDeliveryDecidesWhetherToSendAgain(t *testing.T) {
	dead := newSession(t)
	dead.server.Reset()
	stream := dead.open()
	if err := stream.WriteHead(get()); !errors.Is(err, syscall.ECONNRESET) || !errors.As(err, new(closedError)) {
		t.Fatalf("got %v", err)
	}
	equal(t, "after a failed write", stream.Delivery(), message.Unsent)
	check(t, stream.Close())
	dead.expectIdle(false)

	s := newSession(t)
	stream = s.open()
	equal(t, "before", stream.Delivery(), message.Unsent)
	check(t, stream.WriteHead(post(5)))
	equal(t, "with a held head", stream.Delivery(), message.Unsent)
	_, err := stream.Write([]byte("hello"))
	check(t, err)
	equal(t, "after the body", stream.Delivery(), message.Sent)
	check(t, stream.CloseWrite(nil))
	s.reply("H")
	s.server.CloseWrite()
	_, err = stream.ReadHead()
	if !errors.As(err, new(closedError)) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("got %v", err)
	}
	equal(t, "after a byte", stream.Delivery(), message.Answered)
}

// TestAnswerOfNobodyIsNotTaken: on a connection that died before anything was
// sent, what it left behind belongs to no request.
func TestAnswerOfNobodyIsNotTaken(t *testing.T) {
	s := newSession(t)
	s.reply("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
	s.server.Reset()
	stream := s.open()
	if err := stream.WriteHead(get()); !errors.As(err, new(closedError)) {
		t.Fatalf("got %v", err)
	}
	equal(t, "delivery", stream.Delivery(), message.Unsent)
}

// TestUntouchedStreamGivesItsConnectionBack: nothing was sent on it.
func TestUntouchedStreamGivesItsConnectionBack(t *testing.T) {
	s := newSession(t)
	check(t, s.open().Close())
	check(t, s.start(post(5)).Close())
	s.expectIdle(true, true)
	equal(t, "writes", s.client.Writes(), 0)
}

// TestCancelledRequestIsNotSent, nor is any of it later.
func TestCancelledRequestIsNotSent(t *testing.T) {
	s := newSession(t)
	ctx := wait.Background()
	stream := s.openWith(ctx)
	check(t, stream.WriteHead(post(5)))
	ctx.Cancel(wait.ErrCancelled)
	for range 2 {
		if n, err := stream.Write([]byte("hello")); n != 0 || err != wait.ErrCancelled {
			t.Errorf("Write: %d, %v", n, err)
		}
	}
	equal(t, "CloseWrite", stream.CloseWrite(nil), wait.ErrCancelled)
	_, err := stream.ReadHead()
	equal(t, "ReadHead", err, wait.ErrCancelled)
	equal(t, "writes", s.client.Writes(), 0)
	equal(t, "delivery", stream.Delivery(), message.Unsent)
}

// TestUnreadBodyThatIsThereIsDiscarded and one that is not costs the connection:
// Close does not wait.
func TestUnreadBodyThatIsThereIsDiscarded(t *testing.T) {
	for reply, reusable := range map[string]bool{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello":                                              true,
		chunkedHead + "5\r\nhello\r\n0\r\n\r\n":                                                          true,
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell":                                               false,
		chunkedHead + "5\r\nhello\r\n":                                                                   false,
		"HTTP/1.1 200 OK\r\n\r\nhello":                                                                   false,
		"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n" + strings.Repeat("x", 10000000):            false,
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n": false,
	} {
		s := newSession(t)
		s.reply(reply)
		stream := s.start(get())
		_, err := stream.ReadHead()
		check(t, err)
		check(t, stream.Close())
		check(t, stream.Close())
		if len(s.idle) != 1 || s.idle[0] != reusable {
			t.Errorf("%s: OnIdle was told %v", abridge(reply), s.idle)
		}
	}
}

// TestUnansweredExchangeClosesTheConnection.
func TestUnansweredExchangeClosesTheConnection(t *testing.T) {
	s := newSession(t)
	check(t, s.start(get()).Close())
	s.expectIdle(false)
	if _, err := s.server.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("the server can still write: %v", err)
	}
}

// TestUnfinishedRequestClosesTheConnection though its response is complete.
func TestUnfinishedRequestClosesTheConnection(t *testing.T) {
	s := newSession(t)
	stream := s.start(post(5))
	_, err := stream.Write([]byte("hel"))
	check(t, err)
	s.reply(ok)
	_, err = stream.ReadHead()
	check(t, err)
	check(t, stream.Close())
	s.expectIdle(false)
}

// TestConnectionClosedMeanwhileIsNotReusable though the exchange is complete.
func TestConnectionClosedMeanwhileIsNotReusable(t *testing.T) {
	s := newSession(t)
	s.reply(ok)
	stream := s.start(get())
	_, err := stream.ReadHead()
	check(t, err)
	check(t, s.conn.Close())
	check(t, stream.Close())
	s.expectIdle(false)
}

// TestOneExchangeAtATime.
func TestOneExchangeAtATime(t *testing.T) {
	s := newSession(t)
	s.open()
	if _, err := s.conn.Open(wait.Background()); err == nil {
		t.Error("opened twice")
	}
	equal(t, "alive while busy", s.conn.Alive(), false)
}

// TestCloseFromElsewhereWakesAReader: the session was closed under an exchange.
func TestCloseFromElsewhereWakesAReader(t *testing.T) {
	s := newSession(t)
	stream := s.start(get())
	go s.conn.Close()
	_, err := stream.ReadHead()
	if !errors.As(err, new(closedError)) {
		t.Fatalf("got %v", err)
	}
	check(t, stream.Close())
	s.expectIdle(false)
}
