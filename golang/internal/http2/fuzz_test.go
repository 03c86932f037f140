package http2

import (
	"bytes"
	"io"
	"testing"

	xhttp2 "golang.org/x/net/http2"

	"github.com/cycletls/cycletls/golang/internal/message"
)

// Whatever a server sends, in whatever pieces: the exchanges end, with an error
// or a response that keeps the rules, and nobody is left behind.
func FuzzServer(f *testing.F) {
	f.Add(seed(func(p *peer) {
		p.respond(1, false, ":status", "200", "content-length", "4")
		p.data(1, true, "body")
		p.respond(3, true, ":status", "204")
	}), uint16(0))
	f.Add(seed(func(p *peer) {
		p.respond(1, false, ":status", "103")
		p.respond(1, false, ":status", "200")
		p.must(p.WriteDataPadded(1, false, []byte("x"), make([]byte, 3)))
		p.respond(1, true, "x-trailer", "1")
		p.must(p.WritePing(false, [8]byte{}))
		p.must(p.WriteWindowUpdate(3, 5))
		p.must(p.WriteRSTStream(3, 7))
		p.must(p.WriteGoAway(3, 0, []byte("bye")))
	}), uint16(7))
	f.Add([]byte("HTTP/1.1 200 OK\r\n\r\n"), uint16(1))
	f.Fuzz(func(t *testing.T, sent []byte, piece uint16) {
		client, server := pipe(t)
		client.SetMaxRead(int(piece))
		if _, err := server.Write(sent); err != nil {
			t.Fatal(err)
		}
		if err := server.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		c := NewConn(client, small)
		upload := send(t, c, limited(), post("/", 100000))
		_, _ = upload.Write(make([]byte, 100000))
		if head, body, err := exchange(c, get("/")); err == nil {
			checkResponse(t, head, body)
		}
		if head, err := upload.ReadHead(); err == nil {
			if body, err := io.ReadAll(upload); err == nil {
				checkResponse(t, head, body)
			}
		}
		upload.Close()
		if c.Streams() != 0 || c.taken != 0 || len(c.streams) != 0 || c.leading {
			t.Errorf("%d streams, %d taken, %d known", c.Streams(), c.taken, len(c.streams))
		}
	})
}

// seed is what a server would send.
func seed(script func(*peer)) []byte {
	var sent bytes.Buffer
	p := &peer{Framer: xhttp2.NewFramer(&sent, nil)}
	p.enc = newEncoder(p)
	p.must(p.WriteSettings())
	script(p)
	return sent.Bytes()
}

func checkResponse(t *testing.T, head *message.Response, body []byte) {
	if head.Status < 200 || head.Status > 999 {
		t.Errorf("status %d", head.Status)
	}
	if head.Length != message.UnknownLength && head.Length != int64(len(body)) {
		t.Errorf("%d bytes where %d were announced", len(body), head.Length)
	}
}
