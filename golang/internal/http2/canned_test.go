package http2

import (
	"io"
	"net"
	"testing"

	xhttp2 "golang.org/x/net/http2"

	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// canned is a connection that answers every request at once, so that a
// benchmark sees what the client alone costs.
type canned struct {
	net.Conn
	started  bool
	requests uint32
	answers  []byte
}

func (*canned) SetReadContext(*wait.Context)  {}
func (*canned) SetWriteContext(*wait.Context) {}
func (*canned) Close() error                  { return nil }

func (c *canned) Write(p []byte) (int, error) {
	if !c.started {
		c.started = true
		c.answers = appendFrameHeader(c.answers, 0, xhttp2.FrameSettings, 0, 0)
		c.answers = append(c.answers, appendSettingsAck(nil)...)
	} else if xhttp2.FrameType(p[3]) != xhttp2.FrameHeaders {
		return len(p), nil
	}
	stream := c.requests*2 + 1
	c.requests++
	head := []byte("\x88\x0f\x0d\x041024") // :status 200, content-length 1024
	c.answers = appendHeaders(c.answers, stream, head, false, nil, dataSize)
	c.answers = appendData(c.answers, stream, make([]byte, 1024), true)
	return len(p), nil
}

func (c *canned) Read(p []byte) (int, error) {
	n := copy(p, c.answers)
	c.answers = append(c.answers[:0], c.answers[n:]...)
	return n, nil
}

// navigation is a request with a browser's usual fields.
func navigation(path string) *message.Request {
	return get(path,
		message.Field{Name: "sec-ch-ua", Value: `"Not:A-Brand";v="8", "Chromium";v="156"`},
		message.Field{Name: "user-agent", Value: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"},
		message.Field{Name: "accept", Value: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
		message.Field{Name: "sec-fetch-mode", Value: "navigate"},
		message.Field{Name: "accept-encoding", Value: "gzip, deflate, br, zstd"},
		message.Field{Name: "accept-language", Value: "en-US,en;q=0.9"},
		message.Field{Name: "priority", Value: "u=0, i"})
}

// once runs an exchange and throws its body away.
func once(c *Conn, ctx *wait.Context, req *message.Request, buf []byte) (total int64, err error) {
	s, err := c.Open(ctx)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	if err := s.WriteHead(req); err != nil {
		return 0, err
	}
	if _, err := s.ReadHead(); err != nil {
		return 0, err
	}
	for {
		n, err := s.Read(buf)
		total += int64(n)
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// BenchmarkClientAlone is what an exchange costs without network and server.
func BenchmarkClientAlone(b *testing.B) {
	c := NewConn(&canned{}, chrome)
	buf, req := make([]byte, 64<<10), navigation("/1024")
	ctx := wait.Background()
	b.ReportAllocs()
	for b.Loop() {
		if n, err := once(c, ctx, req, buf); n != 1024 || err != nil {
			b.Fatal(n, err)
		}
	}
}
