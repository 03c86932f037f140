package http2

import (
	"net"
	"testing"

	xhttp2 "golang.org/x/net/http2"

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
