package http1

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

const chunkedHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

// TestMalformedChunksAreRefused (safety case 35).
func TestMalformedChunksAreRefused(t *testing.T) {
	for _, content := range []string{
		"0x5\r\nhello\r\n0\r\n\r\n",
		"+5\r\nhello\r\n0\r\n\r\n",
		"-5\r\nhello\r\n0\r\n\r\n",
		" 5\r\nhello\r\n0\r\n\r\n",
		"\r\nhello\r\n0\r\n\r\n",
		"g\r\nhello\r\n0\r\n\r\n",
		"5 5\r\nhello\r\n0\r\n\r\n",
		"5\nhello\r\n0\r\n\r\n",
		"50\nhello\r\n0\r\n\r\n",
		"5\r\nhello\n0\r\n\r\n",
		"5\r\nhello0\r\n\r\n",
		"5\r\nhelloXX0\r\n\r\n",
		"5\r\nhello\r\r0\r\n\r\n",
		"5\r\nhello\r\n0\n\n",
		"5\r\nhello\r\n0\r\n\n",
		"5;a\rb\r\nhello\r\n0\r\n\r\n",
		"5;a\nb\r\nhello\r\n0\r\n\r\n",
		"5;a\x00b\r\nhello\r\n0\r\n\r\n",
		"00000000000000005\r\nhello\r\n0\r\n\r\n", // 17 digits
		"FFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
		"8000000000000000\r\nhello\r\n0\r\n\r\n",
		"5\r\nhello\r\n0\r\nbad trailer\r\n\r\n",
		"5\r\nhello\r\n0\r\nA: b\r\n folded\r\n\r\n",
	} {
		refuses[protocolError](t, chunkedHead+content)
	}
}

// TestChunksAreReadAcrossAnySlice: where the caller's slices end changes
// nothing.
func TestChunksAreReadAcrossAnySlice(t *testing.T) {
	data := strings.Repeat("0123456789", 5000)
	encoded := encodeChunks(data, 1, 9, 10, 4096, 40000)
	for _, size := range []int{1, 2, 1000, direct, len(data), 2 * len(data)} {
		s := newSession(t)
		s.reply(chunkedHead + encoded)
		stream := s.start(get())
		_, err := stream.ReadHead()
		check(t, err)
		var content []byte
		for p := make([]byte, size); err == nil; {
			var n int
			n, err = stream.Read(p)
			content = append(content, p[:n]...)
		}
		equal(t, "error", err, io.EOF)
		if string(content) != data {
			t.Fatalf("slices of %d: %d bytes differ from the %d sent", size, len(content), len(data))
		}
		check(t, stream.Close())
		s.expectIdle(true)
	}
}

// TestReadingNowNeverWaitsAndLosesNothing: wherever what the server has sent so far
// ends, and however the body is framed.
func TestReadingNowNeverWaitsAndLosesNothing(t *testing.T) {
	data := strings.Repeat("0123456789", 300)
	for head, body := range map[string]string{
		chunkedHead: strings.TrimSuffix(encodeChunks(data, 1, 9, 10, 900), "\r\n") + "Trailer: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: " + strconv.Itoa(len(data)) + "\r\n\r\n": data,
	} {
		for step := 1; step < 1000; step += 7 {
			s := newSession(t)
			s.reply(head)
			stream := s.start(get())
			_, err := stream.ReadHead()
			check(t, err)
			var content []byte
			p := make([]byte, 700)
			for rest := body; rest != "" || err != io.EOF; {
				cut := min(step, len(rest))
				s.reply(rest[:cut])
				rest = rest[cut:]
				for err = nil; err == nil; {
					var n int
					n, err = stream.ReadNow(p)
					content = append(content, p[:n]...)
				}
				if rest == "" && err == wait.ErrWouldBlock {
					_, err = stream.Read(p) // the trailers
				}
				if err != wait.ErrWouldBlock && err != io.EOF {
					t.Fatal(err)
				}
			}
			equal(t, "content", string(content), data)
		}
	}
}

// encodeChunks cuts data into chunks of the sizes; the last takes the rest.
func encodeChunks(data string, sizes ...int) string {
	var out []byte
	for _, size := range append(sizes, len(data)) {
		if size = min(size, len(data)); size > 0 {
			out = append(appendChunkHead(out, size), data[:size]+"\r\n"...)
			data = data[size:]
		}
	}
	return string(out) + "0\r\n\r\n"
}

// TestChunkIsDeliveredBeforeTheNextOneComes: a stream of events must not wait.
func TestChunkIsDeliveredBeforeTheNextOneComes(t *testing.T) {
	for _, more := range []string{"", "\r", "\r\n", "\r\n5", "\r\n5\r", "\r\n0\r\n"} {
		s := newSession(t)
		s.reply(chunkedHead + "5\r\nhello" + more)
		stream := s.start(get())
		_, err := stream.ReadHead()
		check(t, err)
		p := make([]byte, 64)
		n, err := stream.Read(p)
		check(t, err)
		equal(t, "content", string(p[:n]), "hello")
	}
}

// TestBufferedChunksComeInOneRead: small chunks cost no call each.
func TestBufferedChunksComeInOneRead(t *testing.T) {
	s := newSession(t)
	s.reply(chunkedHead + "2\r\nab\r\n1;x\r\nc\r\n3\r\ndef\r\n0\r\n\r\n")
	stream := s.start(get())
	_, err := stream.ReadHead()
	check(t, err)
	p := make([]byte, 64)
	n, err := stream.Read(p)
	check(t, err)
	equal(t, "content", string(p[:n]), "abcdef")
}

// TestEndlessChunkExtensionsAreBounded: a long one, and many with little data
// (safety case 42).
func TestEndlessChunkExtensionsAreBounded(t *testing.T) {
	for _, content := range []string{
		"5;" + strings.Repeat("x", 1<<20),
		"5" + strings.Repeat(" ", 1<<20),
		strings.Repeat("1;"+strings.Repeat("x", 1000)+"\r\na\r\n", 1<<10),
	} {
		s := newSession(t)
		s.reply(chunkedHead + content)
		_, got, err := s.exchange(get())
		if !errors.As(err, new(limitError)) {
			t.Fatalf("got %v", err)
		}
		if len(got) > 100 || s.client.Buffered() < 900<<10 {
			t.Errorf("read %d bytes of content, left %d of the rest", len(got), s.client.Buffered())
		}
		s.expectIdle(false)
	}
}

// TestExtensionsBesideDataAreFree however long the body is.
func TestExtensionsBesideDataAreFree(t *testing.T) {
	_, content, err := fetch(t, chunkedHead+strings.Repeat("40;sig="+strings.Repeat("x", 50)+"\r\n"+strings.Repeat("y", 64)+"\r\n", 5000)+"0\r\n\r\n")
	check(t, err)
	equal(t, "length", len(content), 64*5000)
}

// TestEndlessTrailersAreBounded (safety case 42).
func TestEndlessTrailersAreBounded(t *testing.T) {
	for _, trailers := range []string{strings.Repeat("X: y\r\n", 1<<18), "X: " + strings.Repeat("y", 1<<20)} {
		s := newSession(t)
		s.reply(chunkedHead + "0\r\n" + trailers)
		_, _, err := s.exchange(get())
		var limit limitError
		if !errors.As(err, &limit) || limit.Limit != limited.MaxHeaderBytes {
			t.Fatalf("got %v", err)
		}
	}
}

// reference decodes chunked coding as slowly and plainly as the grammar of RFC
// 9112 section 7.1 can be written down. It reports whether data is a complete
// and well-formed body, bounds aside.
func reference(data []byte) (content []byte, rest []byte, ok bool) {
	for {
		line := chunkLine.FindSubmatch(data)
		if line == nil {
			return content, nil, false
		}
		data = data[len(line[0]):]
		size, err := strconv.ParseInt(string(line[1]), 16, 64)
		if err != nil {
			return content, nil, false
		}
		if size == 0 {
			break
		}
		if int64(len(data)) < size {
			return append(content, data...), nil, false
		}
		content = append(content, data[:size]...)
		data = data[size:]
		if !bytes.HasPrefix(data, []byte("\r\n")) {
			return content, nil, false
		}
		data = data[2:]
	}
	trailers := trailerSection.Find(data)
	if trailers == nil {
		return content, nil, false
	}
	return content, data[len(trailers):], true
}

// Bytes above ASCII are code points above it to regexp, or broken UTF-8; the
// negated class matches both.
const (
	token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
	text  = `(?:[\t\x20-\x7e]|[^\x00-\x7f])*`
)

var (
	chunkLine      = regexp.MustCompile(`^([0-9A-Fa-f]{1,16})[ \t]*(?:;` + text + `)?\r\n`)
	trailerSection = regexp.MustCompile(`^(?:` + token + `:` + text + `\r\n)*\r\n`)
)

// FuzzChunkedReader holds the reader against the reference, in pieces of any
// size. It must not panic, not read on behind the body, and agree.
func FuzzChunkedReader(f *testing.F) {
	for _, seed := range []string{
		"4\r\nwiki\r\n005;x=\"y\"\r\npedia\r\n0\r\nT: 1\r\n\r\n", "0\r\n\r\n", "1\r\na\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n",
		"5\nhello\r\n0\r\n\r\n", "a \t;x\r\n0123456789\r\n00\r\nA:\xff\r\n\r\n", "FFFFFFFFFFFFFFFFF\r\n", "7fffffffffffffff\r\nx",
		"1\r\nab\r\n0\r\n\r\n", "1;\xc3\xbc\r\na\r\n0\r\n\r\n",
	} {
		f.Add([]byte(seed), uint8(0), uint8(1))
		f.Add([]byte(seed), uint8(1), uint8(200))
	}
	f.Fuzz(func(t *testing.T, data []byte, pieces, slice uint8) {
		s := newSession(t)
		s.client.SetMaxRead(int(pieces))
		s.reply(chunkedHead)
		s.server.Write(data)
		s.server.CloseWrite()
		stream := s.start(get())
		defer stream.Close()
		_, err := stream.ReadHead()
		check(t, err)
		content, err := readBy(stream, 1+int(slice))
		if errors.As(err, new(limitError)) {
			return // the reference knows no bounds
		}
		want, rest, ok := reference(data)
		if ok != (err == nil) {
			t.Fatalf("%q: the reference says %v, the reader %v", data, ok, err)
		}
		if !bytes.Equal(content, want) {
			t.Fatalf("%q: got %q, the reference %q", data, content, want)
		}
		if left := s.conn.in.buffered() + s.client.Buffered(); ok && left != len(rest) {
			t.Fatalf("%q: %d bytes left behind the body, want %d", data, left, len(rest))
		}
	})
}

func readBy(stream message.Stream, size int) (content []byte, err error) {
	p := make([]byte, size)
	for {
		n, err := stream.Read(p)
		content = append(content, p[:n]...)
		if err == io.EOF {
			return content, nil
		}
		if err != nil {
			return content, err
		}
	}
}

// TestChunkedBodyIsWholeWithItsLastByte: a decoder that began sooner would wait.
func TestChunkedBodyIsWholeWithItsLastByte(t *testing.T) {
	data := strings.Repeat("0123456789\r\n0\r\n\r\n", 20)
	plain := encodeChunks(data, 1, 9, 30, 90)
	for _, sent := range []string{plain, strings.TrimSuffix(plain, "\r\n") + "Trailer: x\r\nOther: y\r\n\r\n", encodeChunks("")} {
		for size := range len(sent) + 1 {
			in := input{buf: []byte(sent), w: size}
			b := newBody(&in, chunked, message.UnknownLength, 1<<16)
			if whole := b.chunksBuffered(); whole != (size == len(sent)) {
				t.Fatalf("%d of %d bytes: whole is %t", size, len(sent), whole)
			}
		}
	}
}
