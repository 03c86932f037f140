package http1

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// canned answers each write with the same bytes: what remains is our own cost.
type canned struct {
	reply  []byte
	unread []byte
}

func (c *canned) Read(p []byte) (int, error) {
	n := copy(p, c.unread)
	c.unread = c.unread[n:]
	if n == 0 {
		return 0, wait.ErrWouldBlock
	}
	return n, nil
}

func (c *canned) Write(p []byte) (int, error) {
	c.unread = c.reply
	return len(p), nil
}

func (*canned) Close() error                     { return nil }
func (*canned) LocalAddr() net.Addr              { return nil }
func (*canned) RemoteAddr() net.Addr             { return nil }
func (*canned) SetDeadline(time.Time) error      { return nil }
func (*canned) SetReadDeadline(time.Time) error  { return nil }
func (*canned) SetWriteDeadline(time.Time) error { return nil }
func (*canned) SetReadContext(*wait.Context)     {}
func (*canned) SetWriteContext(*wait.Context)    {}

// loopback is a TCP connection that waits for ever.
type loopback struct{ net.Conn }

func (loopback) SetReadContext(*wait.Context)  {}
func (loopback) SetWriteContext(*wait.Context) {}

const smallReply = "HTTP/1.1 200 OK\r\nServer: nginx/1.24.0\r\nDate: Sat, 21 Nov 2026 09:00:00 GMT\r\n" +
	"Content-Type: application/octet-stream\r\nContent-Length: 16\r\nLast-Modified: Sat, 21 Nov 2026 08:00:00 GMT\r\n" +
	"Connection: keep-alive\r\nETag: \"6520-400\"\r\nAccept-Ranges: bytes\r\n\r\n0123456789abcdef"

func browserGet() *message.Request {
	return get(
		message.Field{Name: "Connection", Value: "keep-alive"},
		message.Field{Name: "sec-ch-ua", Value: `"Chromium";v="156", "Google Chrome";v="156", "Not?A_Brand";v="24"`},
		message.Field{Name: "sec-ch-ua-mobile", Value: "?0"},
		message.Field{Name: "sec-ch-ua-platform", Value: `"Linux"`},
		message.Field{Name: "Upgrade-Insecure-Requests", Value: "1"},
		message.Field{Name: "User-Agent", Value: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"},
		message.Field{Name: "Accept", Value: "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"},
		message.Field{Name: "Accept-Encoding", Value: "gzip, deflate, br, zstd"},
		message.Field{Name: "Accept-Language", Value: "en-US,en;q=0.9"},
	)
}

func benchmark(b *testing.B, conn wait.Conn) {
	c := NewConn(conn, limited)
	ctx, req, p := wait.Background(), browserGet(), make([]byte, 1024)
	b.ReportAllocs()
	for b.Loop() {
		stream, err := c.Open(ctx)
		if err != nil {
			b.Fatal(err)
		}
		if err := stream.WriteHead(req); err != nil {
			b.Fatal(err)
		}
		if _, err := stream.ReadHead(); err != nil {
			b.Fatal(err)
		}
		if n, err := stream.Read(p); n != 16 || err != nil {
			b.Fatal(n, err)
		}
		stream.Close()
	}
}

// BenchmarkProtocol is the cost of an exchange without that of the network.
func BenchmarkProtocol(b *testing.B) { benchmark(b, &canned{reply: []byte(smallReply)}) }

// BenchmarkExchange runs over loopback, with Go's netpoller in the way.
func BenchmarkExchange(b *testing.B) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		p := make([]byte, 4096)
		for {
			if _, err := conn.Read(p); err != nil {
				return
			}
			io.WriteString(conn, smallReply)
		}
	}()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	benchmark(b, loopback{conn})
}

// endless sends the same chunks again and again.
type endless struct {
	canned
	at int
}

func (e *endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		m := copy(p[n:], e.reply[e.at:])
		n += m
		e.at = (e.at + m) % len(e.reply)
	}
	return n, nil
}

// BenchmarkChunked decodes chunks of 4 KiB, as Go's server sends them.
func BenchmarkChunked(b *testing.B) {
	data := string(make([]byte, 4096))
	conn := &endless{canned: canned{reply: []byte("1000\r\n" + data + "\r\n")}}
	in := &input{raw: conn, ctx: wait.Background(), buf: make([]byte, bufferSize)}
	body := newBody(in, chunked, message.UnknownLength, limited.MaxHeaderBytes)
	p := make([]byte, 64<<10)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		for n := 0; n < len(p); {
			m, err := body.read(p[n:])
			if err != nil {
				b.Fatal(err)
			}
			n += m
		}
	}
}
