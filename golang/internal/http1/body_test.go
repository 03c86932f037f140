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

// TestBodyShorterThanItsFramingIsIncomplete, never a short success: half-closed
// and reset peers alike (safety cases 38 and 50).
func TestBodyShorterThanItsFramingIsIncomplete(t *testing.T) {
	for _, reply := range []string{
		"Content-Length: 10\r\n\r\nhello",
		"Content-Length: 10\r\n\r\n",
		"Transfer-Encoding: chunked\r\n\r\n",
		"Transfer-Encoding: chunked\r\n\r\n5",
		"Transfer-Encoding: chunked\r\n\r\n5\r\n",
		"Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
		"Transfer-Encoding: chunked\r\n\r\n5\r\nhello",
		"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
		"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n",
	} {
		reply = "HTTP/1.1 200 OK\r\n" + reply
		refuses[incompleteError](t, reply)
		s := newSession(t)
		stream := s.start(get())
		s.reply(reply)
		s.server.Reset()
		_, err := stream.ReadHead()
		check(t, err)
		_, err = io.ReadAll(stream)
		if !errors.As(err, new(incompleteError)) || !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s then a reset: %v", abridge(reply), err)
		}
	}
}

// TestIncompleteBodyCounts what came and what was due.
func TestIncompleteBodyCounts(t *testing.T) {
	for reply, expected := range map[string]int64{
		"Content-Length: 10\r\n\r\nhello":                       10,
		"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n8\r\nllo": message.UnknownLength,
	} {
		_, content, err := fetch(t, "HTTP/1.1 200 OK\r\n"+reply)
		var incomplete incompleteError
		if !errors.As(err, &incomplete) || errors.Is(err, io.EOF) {
			t.Fatalf("got %v", err)
		}
		equal(t, "content", content, "hello")
		equal(t, "received", incomplete.Received, 5)
		equal(t, "expected", incomplete.Expected, expected)
	}
}

// TestBodyUntilCloseEndsOnlyWithTheConnectionsEnd: an error, such as TLS has for
// an end without close_notify, is a truncation (safety case 50).
func TestBodyUntilCloseEndsOnlyWithTheConnectionsEnd(t *testing.T) {
	const reply = "HTTP/1.1 200 OK\r\n\r\nhello"
	head, content, err := fetch(t, reply)
	check(t, err)
	equal(t, "length", head.Length, message.UnknownLength)
	equal(t, "content", content, "hello")
	for _, fate := range []error{syscall.ECONNRESET, io.ErrUnexpectedEOF} {
		stream, err := NewConn(&doomed{canned{reply: []byte(reply)}, fate}, limited).Open(wait.Background())
		check(t, err)
		check(t, stream.WriteHead(get()))
		_, err = stream.ReadHead()
		check(t, err)
		got, err := io.ReadAll(stream)
		if string(got) != "hello" || !errors.As(err, new(incompleteError)) || !errors.Is(err, fate) {
			t.Errorf("%q, %v", got, err)
		}
		if _, again := stream.Read(got); again != err {
			t.Errorf("the error turned into %v", again)
		}
		check(t, stream.Close())
	}
}

// doomed answers like canned and then fails.
type doomed struct {
	canned
	fate error
}

func (d *doomed) Read(p []byte) (int, error) {
	if len(d.unread) == 0 {
		return 0, d.fate
	}
	return d.canned.Read(p)
}

// TestResponsesWithoutBodyReadNone, whatever they announce.
func TestResponsesWithoutBodyReadNone(t *testing.T) {
	for _, reply := range []struct{ method, head string }{
		{"HEAD", "200 OK\r\nContent-Length: 5\r\n"},
		{"HEAD", "200 OK\r\nTransfer-Encoding: chunked\r\n"},
		{"HEAD", "200 OK\r\n"},
		{"GET", "204 No Content\r\n"},
		{"GET", "304 Not Modified\r\nContent-Length: 5\r\n"},
		{"GET", "200 OK\r\nContent-Length: 0\r\n"},
	} {
		s := newSession(t)
		s.reply("HTTP/1.1 " + reply.head + "\r\n")
		head, content, err := s.exchange(request(reply.method))
		check(t, err)
		equal(t, "content", content, "")
		equal(t, "length", head.Length, 0)
		s.expectIdle(true)
	}
}

// TestCancelledBodyEndsTheExchange: the error is the exchange's, and the
// connection is closed.
func TestCancelledBodyEndsTheExchange(t *testing.T) {
	s := newSession(t)
	ctx := wait.Background()
	stream := s.openWith(ctx)
	check(t, stream.WriteHead(get()))
	s.reply("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
	_, err := stream.ReadHead()
	check(t, err)
	ctx.Cancel(wait.ErrCancelled)
	content, err := io.ReadAll(stream)
	if string(content) != "hello" || !errors.Is(err, wait.ErrCancelled) {
		t.Fatalf("got %q, %v", content, err)
	}
	check(t, stream.Close())
	s.expectIdle(false)
}

// TestTrailersAreRead and are there once the body has ended.
func TestTrailersAreRead(t *testing.T) {
	s := newSession(t)
	s.reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n")
	stream := s.start(get())
	_, err := stream.ReadHead()
	check(t, err)
	equal(t, "trailers before the end", len(stream.Trailers()), 0)
	_, err = io.ReadAll(stream)
	check(t, err)
	equal(t, "trailers", strings.Join(stream.Trailers().Values("X-Sum"), ","), "1,2")
	check(t, stream.Close())
	s.expectIdle(true)
}
