package websocket

import (
	"bytes"
	"io"
	"math"
	"sync"

	"github.com/klauspost/compress/flate"

	"github.com/cycletls/cycletls/golang/internal/message"
)

// Deflate is what both sides agreed on about compression (RFC 7692 section 7).
type Deflate struct {
	// A side without takeover begins every message with an empty window.
	ServerNoTakeover, ClientNoTakeover bool
	// The windows that each side compresses with, as powers of two: 8 to 15.
	ServerBits, ClientBits int
}

const maxBits = 15

// sending returns what concerns the messages that a role sends.
func (d *Deflate) sending(server bool) (bits int, takeover bool) {
	if server {
		return d.ServerBits, !d.ServerNoTakeover
	}
	return d.ClientBits, !d.ClientNoTakeover
}

// syncTail ends a flushed block; it is not sent (RFC 7692 section 7.2.1).
// finalTail ends the stream after it, so that the end shows.
const (
	syncTail  = "\x00\x00\xff\xff"
	finalTail = "\x01\x00\x00\xff\xff"
)

// deflater compresses messages.
type deflater struct {
	w        *flate.Writer // nil until the first message, and without takeover between two
	out      bytes.Buffer
	bits     int
	takeover bool
}

// level is fast: what a better one saves on messages of a few kilobytes does not
// pay for its time.
const level = 1

// deflaters keeps compressors by their windows; one weighs hundreds of kilobytes.
var deflaters [maxBits + 1]sync.Pool

// compress returns p compressed, valid until the next call.
func (d *deflater) compress(p []byte) []byte {
	d.out.Reset()
	if d.w == nil {
		d.begin()
	}
	// Neither fails: memory takes everything.
	_, _ = d.w.Write(p)
	_ = d.w.Flush()
	if !d.takeover {
		deflaters[d.bits].Put(d.w)
		d.w = nil
	}
	return bytes.TrimSuffix(d.out.Bytes(), []byte(syncTail))
}

func (d *deflater) begin() {
	if w, ok := deflaters[d.bits].Get().(*flate.Writer); ok {
		w.Reset(&d.out)
		d.w = w
	} else if d.bits < maxBits {
		d.w, _ = flate.NewWriterWindow(&d.out, 1<<d.bits)
	} else {
		d.w, _ = flate.NewWriter(&d.out, level)
	}
}

// shrink gives up the memory of a large message.
func (d *deflater) shrink() {
	if d.out.Cap() > maxIdleBuffer {
		d.out = bytes.Buffer{}
	}
}

// inflater expands messages.
type inflater struct {
	r        io.ReadCloser // nil until the first message
	in       bytes.Reader
	window   []byte // the last that was expanded, with takeover
	size     int
	takeover bool
}

// maxExpanded returns how large a message may become that has this size while it is
// compressed; 0 is no limit.
func (c *Config) maxExpanded(size int) int64 {
	ratio := c.MaxExpansion * float64(size)
	if c.MaxExpansion <= 0 || ratio >= math.MaxInt64 {
		return c.MaxMessage
	}
	limit := max(c.ExpansionFloor, int64(ratio))
	if c.MaxMessage > 0 {
		limit = min(limit, c.MaxMessage)
	}
	return limit
}

// expand appends to dst what p expands to; p ends with both tails. A maxSize of 0
// means no limit.
func (i *inflater) expand(dst, p []byte, maxSize int64) ([]byte, error) {
	i.in.Reset(p)
	begin := len(dst)
	dict := i.window
	for {
		i.reset(dict)
		var err error
		if dst, err = i.read(dst, begin, maxSize); err != nil {
			return dst, err
		}
		if i.in.Len() == 0 {
			break
		}
		// A final block ends a stream in the middle of a message, and another
		// begins behind it with the same window (RFC 7692 section 7.2.3.4).
		dict = tail(append(bytes.Clone(i.window), dst[begin:]...), i.size)
	}
	if i.takeover {
		i.slide(dst[begin:])
	}
	return dst, nil
}

func (i *inflater) reset(dict []byte) {
	if i.r == nil {
		i.r = flate.NewReaderDict(&i.in, dict)
		return
	}
	_ = i.r.(flate.Resetter).Reset(&i.in, dict) // never fails
}

// read reads to the end of the stream.
func (i *inflater) read(dst []byte, begin int, maxSize int64) ([]byte, error) {
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, make([]byte, max(512, len(dst)))...)[:len(dst)]
		}
		n, err := i.r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		switch {
		case maxSize > 0 && int64(len(dst)-begin) > maxSize:
			return dst, tooBig(maxSize)
		case err == io.EOF:
			return dst, nil
		case err != nil:
			return dst, closing(InvalidData, &message.ProtocolError{
				Protocol: protocol, What: "message that cannot be expanded: " + err.Error(), Section: "RFC 7692 section 7.2.2",
			})
		}
	}
}

// slide remembers the end of what was expanded. The memory is twice the window,
// so that short messages move it seldom.
func (i *inflater) slide(p []byte) {
	if i.window == nil {
		i.window = make([]byte, 0, 2*i.size)
	}
	p = tail(p, i.size)
	if len(i.window)+len(p) > cap(i.window) {
		kept := tail(i.window, i.size-len(p))
		i.window = i.window[:copy(i.window, kept)]
	}
	i.window = append(i.window, p...)
}

func tail(p []byte, size int) []byte { return p[max(0, len(p)-size):] }
