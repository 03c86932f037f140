package capture

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// exchange sends bytes as they are and returns the report they are answered with.
func exchange(t *testing.T, conn net.Conn, request string) Report {
	t.Helper()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return decode(t, resp.Body)
}

func dial(t *testing.T, server *Server) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// TestHeadIsReportedByteForByte keeps order, case, repeats and odd bytes.
func TestHeadIsReportedByteForByte(t *testing.T) {
	conn := dial(t, start(t, Config{}))
	head := "PROPFIND /a%zz HTTP/1.1\r\nX-B: 1\r\nx-a:2 \r\nX-B:  \xfc\r\n\r\n"
	request := exchange(t, conn, head).Request
	if string(request.Head) != head {
		t.Errorf("head %q", request.Head)
	}
	if want := "[[X-B 1] [x-a 2] [X-B ü]]"; fmt.Sprint(request.Fields) != want {
		t.Errorf("fields %v, want %s", request.Fields, want)
	}
	if request.Method != "PROPFIND" || request.Target != "/a%zz" || request.Version != "HTTP/1.1" {
		t.Errorf("request line %q %q %q", request.Method, request.Target, request.Version)
	}
}

// TestChunksAndTrailersAreReported shows the chunked coding's own framing.
func TestChunksAndTrailersAreReported(t *testing.T) {
	conn := dial(t, start(t, Config{}))
	request := exchange(t, conn, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"+
		"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n").Request
	if string(request.Body.Content) != "abcde" || fmt.Sprint(request.Body.Chunks) != "[3 2 0]" {
		t.Errorf("body %+v", request.Body)
	}
	if fmt.Sprint(request.Trailers) != "[[X-Sum 5]]" {
		t.Errorf("trailers %v", request.Trailers)
	}
	if next := exchange(t, conn, "GET /next HTTP/1.1\r\n\r\n"); next.Request.Target != "/next" || next.Connection.Requests != 2 {
		t.Errorf("next request %+v", next)
	}
}

// TestContinueIsSentWhenAskedFor: the body of a client that waits for it comes.
func TestContinueIsSentWhenAskedFor(t *testing.T) {
	conn := dial(t, start(t, Config{}))
	io.WriteString(conn, "PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
	interim := make([]byte, len("HTTP/1.1 100 Continue\r\n\r\n"))
	if _, err := io.ReadFull(conn, interim); err != nil || !bytes.HasPrefix(interim, []byte("HTTP/1.1 100 ")) {
		t.Fatalf("%q, %v", interim, err)
	}
	if body := exchange(t, conn, "hi").Request.Body; string(body.Content) != "hi" {
		t.Errorf("body %q", body.Content)
	}
}

// TestHeadHasNoBody: the reply to HEAD ends with its head.
func TestHeadHasNoBody(t *testing.T) {
	conn := dial(t, start(t, Config{}))
	io.WriteString(conn, "HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n")
	reply, err := io.ReadAll(conn)
	if err != nil || !bytes.HasSuffix(reply, []byte("\r\n\r\n")) {
		t.Errorf("%q, %v", reply, err)
	}
}

// TestMalformedRequestsAreRefused: 400, the connection ends, and Failures says why.
func TestMalformedRequestsAreRefused(t *testing.T) {
	for _, request := range []string{
		"GET /\r\n\r\n",
		"GET / HTTP/1.1\r\nno colon\r\n\r\n",
		"GET / HTTP/1.1\r\nA : b\r\n\r\n",
		"GET / HTTP/1.1\r\nX: " + strings.Repeat("x", maxHead) + "\r\n\r\n",
	} {
		server := start(t, Config{})
		conn := dial(t, server)
		go io.WriteString(conn, request)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != 400 {
			t.Fatalf("%.40q: %v, %v", request, resp, err)
		}
		end(conn)
		if failures := server.Failures(); len(failures) != 1 || !errors.Is(failures[0], errHead) {
			t.Errorf("%.40q: failures %v", request, failures)
		}
	}
}

// TestTruncatedBodyIsAFailure: a client that leaves in the middle is no polite one.
func TestTruncatedBodyIsAFailure(t *testing.T) {
	for _, request := range []string{
		"GET / HT",
		"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab",
		"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
	} {
		server := start(t, Config{})
		conn := dial(t, server)
		io.WriteString(conn, request)
		conn.(*net.TCPConn).CloseWrite()
		end(conn)
		if failures := server.Failures(); len(failures) != 1 || !errors.Is(failures[0], io.ErrUnexpectedEOF) {
			t.Errorf("%q: failures %v", request, failures)
		}
	}
}

// peer is a client whose bytes are all there already.
type peer struct {
	io.Reader
	io.Writer
}

// TestChunksAndTrailersAreBounded: the sizes that are remembered, and what ends
// the connection.
func TestChunksAndTrailersAreBounded(t *testing.T) {
	head := "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
	seen := &connection{log: newLog()}
	stream := head + strings.Repeat("1\r\na\r\n", maxChunks+10) + "0\r\n\r\n"
	(&conn1{conn: peer{strings.NewReader(stream), io.Discard}, seen: seen}).serve()
	if body := seen.requests[0].Body; len(body.Chunks) != maxChunks || body.Length != maxChunks+10 {
		t.Errorf("%d chunks of %d bytes", len(body.Chunks), body.Length)
	}
	stream = head + "0\r\n" + strings.Repeat("a: "+strings.Repeat("b", 997)+"\r\n", maxHead/1000+10) + "\r\n"
	err := (&conn1{conn: peer{strings.NewReader(stream), io.Discard}, seen: &connection{log: newLog()}}).serve()
	if !errors.Is(err, errHead) {
		t.Errorf("endless trailers: %v", err)
	}
}

// FuzzHTTP1: no bytes of a client do more than end its connection.
func FuzzHTTP1(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"))
	f.Add([]byte("POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\naGET"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		conn := &conn1{conn: peer{bytes.NewReader(stream), io.Discard}, seen: &connection{log: newLog()}}
		if err := conn.serve(); err == nil && !bytes.Contains(stream, []byte("\r\n\r\n")) {
			t.Error("ended without an error before any request ended")
		}
	})
}
