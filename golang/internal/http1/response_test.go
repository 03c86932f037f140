package http1

import (
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

type (
	protocolError   = *message.ProtocolError
	limitError      = *message.LimitError
	incompleteError = *message.IncompleteError
	closedError     = *message.ClosedError
)

// TestChunkedWinsOverContentLengthAndEndsTheConnection (safety case 33).
func TestChunkedWinsOverContentLengthAndEndsTheConnection(t *testing.T) {
	for _, fields := range []string{
		"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
		"Transfer-Encoding: Chunked\r\nContent-Length: 5\r\n",
	} {
		s := newSession(t)
		s.reply("HTTP/1.1 200 OK\r\n" + fields + "\r\n5\r\nhello\r\n0\r\n\r\n")
		_, content, err := s.exchange(get())
		check(t, err)
		equal(t, "content", content, "hello")
		s.expectIdle(false)
	}
}

// TestContentLengthMustBeOneNumber (safety case 34).
func TestContentLengthMustBeOneNumber(t *testing.T) {
	for _, value := range []string{"+5", "-5", "5,6", "5, 5", "5 5", "", "0x5", "5.0", "５", strings.Repeat("9", 30), "9223372036854775808"} {
		refuses[protocolError](t, "HTTP/1.1 200 OK\r\nContent-Length: "+value+"\r\n\r\nhello")
	}
	refuses[protocolError](t, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!")
}

// TestRepeatedEqualContentLengthIsOne (RFC 9110 section 8.6).
func TestRepeatedEqualContentLengthIsOne(t *testing.T) {
	_, content, err := fetch(t, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\ncontent-length: 05\r\n\r\nhello")
	check(t, err)
	equal(t, "content", content, "hello")
}

// TestTransferEncodingMustBeChunkedOnce (safety case 36).
func TestTransferEncodingMustBeChunkedOnce(t *testing.T) {
	for _, fields := range []string{
		"Transfer-Encoding: gzip", "Transfer-Encoding: identity", "Transfer-Encoding: ",
		"Transfer-Encoding: identity, chunked, chunked", "Transfer-Encoding: chunked, chunked",
		"Transfer-Encoding: gzip, chunked", "Transfer-Encoding: xchunked", "Transfer-Encoding: chunked;q=1",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
		"Transfer-Encoding: \x0bchunked",
	} {
		refuses[protocolError](t, "HTTP/1.1 200 OK\r\n"+fields+"\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
	}
}

// TestMalformedFieldLinesAreRefused (safety case 37).
func TestMalformedFieldLinesAreRefused(t *testing.T) {
	for _, line := range []string{
		"Name : v", "Name\t: v", " Name: v", "A: 1\r\n folded", "A: 1\r\n\tfolded", "A: x\ry", "A: x\x00y",
		"A: x\x08", "A: \x7f", "no colon", ": empty name", "A B: 1", "A\x00: 1", "(A): 1", "Ä: 1",
	} {
		refuses[protocolError](t, "HTTP/1.1 200 OK\r\n"+line+"\r\nContent-Length: 0\r\n\r\n")
	}
}

// TestBareLineFeedsAreRefused wherever they stand.
func TestBareLineFeedsAreRefused(t *testing.T) {
	for _, reply := range []string{
		"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\n",
		"HTTP/1.1 200 OK\n\n",
		"\nHTTP/1.1 200 OK\r\n\r\n",
	} {
		refuses[protocolError](t, reply)
	}
}

// TestMalformedStatusLinesAreRefused: other protocols and versions included.
func TestMalformedStatusLinesAreRefused(t *testing.T) {
	for _, line := range []string{
		"", "HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 20", "HTTP/1.1 2000", "HTTP/1.1  200 OK", "HTTP/1.1 +20 OK", "HTTP/1.1 099 Low",
		"HTTP/1.2 200 OK", "HTTP/2.0 200 OK", "HTTP/0.9 200 OK", "http/1.1 200 OK", "ICY 200 OK", "HTTP/1.1\t200 OK",
		"HTTP/1.1 200OK", "HTTP/1.1 200 O\x00K", "HTTP/1.1 200 O\rK", "HTTP/11 200 OK", "<html>", "SSH-2.0-OpenSSH_9.6",
	} {
		refuses[protocolError](t, line+"\r\nContent-Length: 0\r\n\r\n")
	}
}

// TestEndlessHeadIsBounded: status line, one line, many lines (safety case 40).
func TestEndlessHeadIsBounded(t *testing.T) {
	for _, endless := range []string{
		"HTTP/1.1 200 " + strings.Repeat("x", 1<<20),
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20),
		"HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 1<<18),
		strings.Repeat("x", 1<<20),
	} {
		s := newSession(t)
		s.reply(endless)
		_, _, err := s.exchange(get())
		var limit limitError
		if !errors.As(err, &limit) || limit.Limit != limited.MaxHeaderBytes {
			t.Fatalf("got %v", err)
		}
		if left := s.client.Buffered(); left < len(endless)-2*int(limited.MaxHeaderBytes) {
			t.Errorf("read %d bytes before giving up", len(endless)-left)
		}
		s.expectIdle(false)
	}
}

// TestHeaderLimitIsExact and the caller's to choose.
func TestHeaderLimitIsExact(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
	for _, limit := range []int{len(head), len(head) - 1} {
		s := newSessionWith(t, Config{MaxHeaderBytes: int64(limit)})
		s.reply(head + "ok")
		_, content, err := s.exchange(get())
		if fits := limit == len(head); fits != (err == nil && content == "ok") {
			t.Errorf("limit %d: %q, %v", limit, content, err)
		}
	}
}

// TestInformationalResponsesAreDropped and do not end the exchange.
func TestInformationalResponsesAreDropped(t *testing.T) {
	head, content, err := fetch(t, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 9\r\n\r\n"+
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	check(t, err)
	equal(t, "status", head.Status, 200)
	equal(t, "fields", len(head.Fields), 1)
	equal(t, "content", content, "ok")
}

// TestEndlessInformationalResponsesAreBounded (safety case 41).
func TestEndlessInformationalResponsesAreBounded(t *testing.T) {
	for _, count := range []int{limited.MaxInformational, limited.MaxInformational + 1} {
		s := newSession(t)
		s.reply(strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", count) + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		_, _, err := s.exchange(get())
		var limit limitError
		if refused := errors.As(err, &limit); refused != (count > limited.MaxInformational) {
			t.Errorf("%d informational responses: %v", count, err)
		}
	}
}

// TestSwitchingProtocolsMustHaveBeenAskedFor; then the stream is the new
// protocol's.
func TestSwitchingProtocolsMustHaveBeenAskedFor(t *testing.T) {
	const reply = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nraw"
	refuses[protocolError](t, reply)
	s := newSession(t)
	s.reply(reply)
	s.server.CloseWrite()
	head, content, err := s.exchange(get(message.Field{Name: "Upgrade", Value: "x"}))
	check(t, err)
	equal(t, "status", head.Status, 101)
	equal(t, "content", content, "raw")
	s.expectIdle(false)
}

// TestConnectIsATunnel once it succeeded, whatever its fields say.
func TestConnectIsATunnel(t *testing.T) {
	s := newSession(t)
	s.reply("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nraw bytes")
	s.server.CloseWrite()
	_, content, err := s.exchange(request("CONNECT"))
	check(t, err)
	equal(t, "content", content, "raw bytes")
	s.expectIdle(false)
}

// TestClosedBeforeAnyByte is distinct from a head cut short.
func TestClosedBeforeAnyByte(t *testing.T) {
	for reply, delivery := range map[string]message.Delivery{"": message.Sent, "HTTP/1.1 2": message.Answered} {
		s := newSession(t)
		s.reply(reply)
		s.server.CloseWrite()
		stream := s.start(get())
		_, err := stream.ReadHead()
		var closed closedError
		if !errors.As(err, &closed) {
			t.Fatalf("after %q: %v", reply, err)
		}
		equal(t, "delivery", stream.Delivery(), delivery)
		check(t, stream.Close())
		equal(t, "delivery once closed", stream.Delivery(), delivery)
	}
}

// TestDrippingHeadCannotOutliveTheTotal: there is always a byte more, so that no
// single wait is long (safety case 49).
func TestDrippingHeadCannotOutliveTheTotal(t *testing.T) {
	const total = 30 * time.Millisecond
	s := newSessionWith(t, Config{MaxHeaderBytes: 1 << 40})
	s.server.SetCapacity(1)
	go func() {
		_, err := io.WriteString(s.server, "HTTP/1.1 200 OK\r\n")
		for err == nil {
			_, err = io.WriteString(s.server, "X: y\r\n")
		}
	}()
	began := time.Now()
	stream := s.openWith(wait.New(wait.Limits{wait.Total: total}, nil))
	check(t, stream.WriteHead(get()))
	if _, err := stream.ReadHead(); !wait.IsTimeout(err) {
		t.Fatalf("got %v", err)
	}
	if took := time.Since(began); took < total || took > total+10*wait.Tick {
		t.Errorf("took %v", took)
	}
	check(t, stream.Close())
}

// TestServerThatNeverPausesCannotOutliveTheTotal: no read ever waits.
func TestServerThatNeverPausesCannotOutliveTheTotal(t *testing.T) {
	server := &endless{canned: canned{reply: []byte("HTTP/1.1 103 Early Hints\r\n\r\n")}}
	conn := NewConn(server, Config{MaxHeaderBytes: limited.MaxHeaderBytes, MaxInformational: math.MaxInt})
	stream, err := conn.Open(wait.New(wait.Limits{wait.Total: 10 * time.Millisecond}, nil))
	check(t, err)
	check(t, stream.WriteHead(get()))
	if _, err := stream.ReadHead(); !wait.IsTimeout(err) {
		t.Fatalf("got %v", err)
	}
}

// FuzzParseHead: whatever a server says, the parser neither panics nor accepts a
// field that could not be sent on.
func FuzzParseHead(f *testing.F) {
	for _, seed := range []string{
		smallReply, "HTTP/1.0 200 \r\n\r\n", "HTTP/1.1 200\r\nA:\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\nA: b\n\n", "\r\n\r\n", "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
	} {
		f.Add([]byte(seed), uint8(0))
		f.Add([]byte(seed), uint8(3))
	}
	f.Fuzz(func(t *testing.T, reply []byte, pieces uint8) {
		s := newSessionWith(t, Config{MaxHeaderBytes: 1 << 10})
		s.client.SetMaxRead(int(pieces))
		s.server.Write(reply)
		s.server.CloseWrite()
		stream := s.start(get())
		defer stream.Close()
		head, err := stream.ReadHead()
		if err != nil {
			return
		}
		out := []byte("HTTP/1.1 200 OK\r\n")
		for i := range head.Fields {
			if out, err = appendField(out, &head.Fields[i]); err != nil {
				t.Fatalf("accepted a field that cannot be sent: %v", err)
			}
		}
		var again message.Response
		check(t, parseHead(string(out)+"\r\n", len(head.Fields)+1, &again))
		for i := range again.Fields {
			equal(t, "field sent on", again.Fields[i], head.Fields[i])
		}
	})
}
