package coding

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/andybalholm/brotli"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

type flusher interface {
	io.WriteCloser
	Flush() error
}

// encoders by the format; "deflate" is zlib's, "raw" the bare stream under the
// same name.
var encoders = map[string]func(io.Writer) flusher{
	"gzip":    func(w io.Writer) flusher { return gzip.NewWriter(w) },
	"deflate": func(w io.Writer) flusher { return zlib.NewWriter(w) },
	"br":      func(w io.Writer) flusher { return brotli.NewWriter(w) },
	"raw": func(w io.Writer) flusher {
		f, _ := flate.NewWriter(w, 6)
		return f
	},
	"zstd": func(w io.Writer) flusher {
		z, _ := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
		return z
	},
}

func nameOf(format string) string {
	if format == "raw" {
		return "deflate"
	}
	return format
}

func encode(t testing.TB, format string, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := encoders[format](&b)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func decode(body io.Reader, limits Limits, codings ...string) ([]byte, error) {
	r := NewReader(body, codings, limits)
	defer r.Close()
	return io.ReadAll(r)
}

// content is text-like: it compresses, but not to nothing.
func content(size int) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, size)
	for i := range b {
		b[i] = "etaoin shrdlu\n"[random.IntN(14)]
	}
	return b
}

func TestEveryCodingIsUndone(t *testing.T) {
	for format := range encoders {
		for _, size := range []int{0, 1, 1000, 100_000} {
			want := content(size)
			for name, body := range map[string]io.Reader{
				"whole":         bytes.NewReader(encode(t, format, want)),
				"byte by byte":  iotest.OneByteReader(bytes.NewReader(encode(t, format, want))),
				"data with EOF": iotest.DataErrReader(bytes.NewReader(encode(t, format, want))),
			} {
				if got, err := decode(body, Limits{}, nameOf(format)); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s, %d bytes, %s: %d bytes, %v", format, size, name, len(got), err)
				}
			}
		}
	}
}

func TestChainsAreUndoneFromTheOutside(t *testing.T) {
	want := content(1000)
	body := encode(t, "zstd", encode(t, "br", encode(t, "gzip", want)))
	codings, err := Of(message.Fields{{Name: "content-encoding", Value: "GZip , br"}, {Name: "Content-Encoding", Value: "identity,,zstd"}})
	if err != nil || !slices.Equal(codings, []string{"gzip", "br", "zstd"}) {
		t.Fatal(codings, err)
	}
	if got, err := decode(bytes.NewReader(body), Limits{}, codings...); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// Safety 45: no more than five codings.
func TestLongChainsOfCodingsAreRefused(t *testing.T) {
	five := message.Fields{{Name: "Content-Encoding", Value: strings.Repeat("gzip,", 5)}}
	if codings, err := Of(five); err != nil || len(codings) != 5 {
		t.Error(codings, err)
	}
	for _, list := range []string{strings.Repeat("gzip,", 200), strings.Repeat("identity,", 6)} {
		_, err := Of(message.Fields{{Name: "Content-Encoding", Value: list}})
		var limit *message.LimitError
		if !errors.As(err, &limit) {
			t.Errorf("%.20s: %v", list, err)
		}
	}
}

func TestUnknownCodingsAreLeftToTheCaller(t *testing.T) {
	for _, value := range []string{"", "identity", "aws-chunked", "gzip, compress", "exi, gzip"} {
		if codings, err := Of(message.Fields{{Name: "Content-Encoding", Value: value}}); err != nil || len(codings) != 0 {
			t.Errorf("%q: %q, %v", value, codings, err)
		}
	}
}

// Safety 39: a stream that is cut off anywhere is an error, never a short body.
func TestTruncatedStreamsAreErrors(t *testing.T) {
	for format := range encoders {
		whole := encode(t, format, content(300))
		for size := 1; size < len(whole); size++ {
			got, err := decode(bytes.NewReader(whole[:size]), Limits{}, nameOf(format))
			var broken *Error
			if !errors.As(err, &broken) || broken.Coding != nameOf(format) {
				t.Errorf("%s, %d of %d bytes: %d bytes, %v", format, size, len(whole), len(got), err)
			}
		}
	}
}

// A body without a byte has no coding to break.
func TestEmptyBodiesAreEmpty(t *testing.T) {
	for format := range encoders {
		if got, err := decode(strings.NewReader(""), Limits{}, nameOf(format)); err != nil || len(got) != 0 {
			t.Errorf("%s: %q, %v", format, got, err)
		}
	}
}

func TestCorruptStreamsAreErrors(t *testing.T) {
	for format := range encoders {
		for _, body := range []string{"plain text, no stream at all", "\x00\x00\x00\x00\x00\x00", strings.Repeat("\xff", 100)} {
			got, err := decode(strings.NewReader(body), Limits{}, nameOf(format))
			var broken *Error
			if !errors.As(err, &broken) {
				t.Errorf("%s of %.10q: %q, %v", format, body, got, err)
			}
		}
	}
	sum := encode(t, "gzip", content(300))
	sum[len(sum)-5] ^= 1
	if _, err := decode(bytes.NewReader(sum), Limits{}, "gzip"); err == nil {
		t.Error("a wrong checksum is no error")
	}
}

func TestDataAfterTheEndIsAnError(t *testing.T) {
	for format := range encoders {
		for _, tail := range []string{"x", "\x00", strings.Repeat("garbage", 10)} {
			body := append(encode(t, format, content(300)), tail...)
			if _, err := decode(bytes.NewReader(body), Limits{}, nameOf(format)); err == nil {
				t.Errorf("%s with %.10q after its end: no error", format, tail)
			}
		}
	}
}

func TestSeveralMembersAreOneBody(t *testing.T) {
	for _, format := range []string{"gzip", "zstd"} {
		body := append(encode(t, format, []byte("a")), encode(t, format, []byte("b"))...)
		if got, err := decode(bytes.NewReader(body), Limits{}, format); err != nil || string(got) != "ab" {
			t.Errorf("%s: %q, %v", format, got, err)
		}
	}
}

// Safety 44: a bomb is an error once it passes the ratio, and costs no memory
// before.
func TestBombsStopAtTheRatio(t *testing.T) {
	limits := Limits{Expansion: 100, Floor: 1 << 20}
	zeros := make([]byte, 32<<20)
	bombs := map[string][]byte{}
	for format := range encoders {
		bombs[format] = encode(t, format, zeros)
	}
	twice := encode(t, "gzip", bombs["gzip"])
	// Expands to 4 MiB of empty members, which in turn are nothing.
	empty := encode(t, "gzip", bytes.Repeat(encode(t, "gzip", nil), 4<<20/23))
	zeros = nil
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	check := func(name string, body []byte, codings ...string) {
		r := NewReader(bytes.NewReader(body), codings, limits)
		defer r.Close()
		size, err := io.Copy(io.Discard, r)
		var limit *message.LimitError
		if !errors.As(err, &limit) || size > 2<<20 {
			t.Errorf("%s: %d bytes, %v", name, size, err)
		}
	}
	for format, bomb := range bombs {
		check(format, bomb, nameOf(format))
	}
	check("gzip twice", twice, "gzip", "gzip")
	check("empty members", empty, "gzip", "gzip")
	runtime.ReadMemStats(&after)
	if grown := int64(after.TotalAlloc - before.TotalAlloc); grown > 32<<20 {
		t.Errorf("%d bytes allocated", grown)
	}
}

func TestHonestBodiesPassTheRatio(t *testing.T) {
	limits := Limits{Expansion: 100, Floor: 1 << 20}
	for _, body := range [][]byte{make([]byte, 1<<20), content(3 << 20)} {
		if got, err := decode(bytes.NewReader(encode(t, "gzip", body)), limits, "gzip"); err != nil || len(got) != len(body) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	}
}

// RFC 9659: a window of more than 8 MiB is refused.
func TestZstdWindowIsCapped(t *testing.T) {
	for window, ok := range map[int]bool{8 << 20: true, 16 << 20: false} {
		var b bytes.Buffer
		w, err := zstd.NewWriter(&b, zstd.WithWindowSize(window), zstd.WithSingleSegment(false))
		if err != nil {
			t.Fatal(err)
		}
		w.Write(content(1000))
		w.Flush()
		w.Write(content(1000))
		w.Close()
		if _, err := decode(&b, Limits{}, "zstd"); (err == nil) != ok {
			t.Errorf("window of %d: %v", window, err)
		}
	}
}

// What the server has flushed can be read before more comes.
func TestDecodingIsIncremental(t *testing.T) {
	for format := range encoders {
		in, out := io.Pipe()
		w := encoders[format](out)
		go func() {
			for i := range 3 {
				fmt.Fprintf(w, "event %d\n", i)
				w.Flush()
			}
			// The writer stays open: a reader that wants more would hang.
		}()
		r := NewReader(in, []string{nameOf(format)}, Limits{})
		got := make([]byte, len("event 0\nevent 1\nevent 2\n"))
		if n, err := io.ReadFull(r, got); err != nil {
			t.Errorf("%s: %q, %v", format, got[:n], err)
		}
		out.Close()
		r.Close()
	}
}

// A connection that fails is not mistaken for a broken coding.
func TestErrorsOfTheConnectionPass(t *testing.T) {
	lost := &message.IncompleteError{Received: 10, Expected: 20}
	for format := range encoders {
		whole := encode(t, format, content(3000))
		body := io.MultiReader(bytes.NewReader(whole[:len(whole)/2]), iotest.ErrReader(lost))
		if _, err := decode(body, Limits{}, nameOf(format)); !errors.Is(err, lost) {
			t.Errorf("%s: %v", format, err)
		}
	}
}

// A decoder that failed serves the next body as if nothing had been.
func TestDecodersAreReused(t *testing.T) {
	for format := range encoders {
		whole := encode(t, format, content(3000))
		for range 10 {
			decode(bytes.NewReader(whole[:len(whole)/2]), Limits{}, nameOf(format))
			if got, err := decode(bytes.NewReader(whole), Limits{}, nameOf(format)); err != nil || len(got) != 3000 {
				t.Fatalf("%s: %d bytes, %v", format, len(got), err)
			}
		}
	}
}

func TestReadAfterClose(t *testing.T) {
	r := NewReader(bytes.NewReader(encode(t, "gzip", content(10))), []string{"gzip"}, Limits{})
	r.Close()
	r.Close()
	if _, err := r.Read(make([]byte, 1)); err == nil {
		t.Error("no error")
	}
}

// FuzzDecode: no body crashes a decoder or grows past the limit, and each ends
// the same way however its bytes arrive.
func FuzzDecode(f *testing.F) {
	formats := []string{"gzip", "deflate", "br", "zstd", "raw"}
	for i, format := range formats {
		f.Add(uint8(i), encode(f, format, content(100)))
		f.Add(uint8(i), encode(f, format, nil))
	}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		coding := nameOf(formats[int(which)%len(formats)])
		limits := Limits{Expansion: 100, Floor: 1 << 16}
		whole, err := decode(bytes.NewReader(body), limits, coding)
		pieces, another := decode(iotest.OneByteReader(bytes.NewReader(body)), limits, coding)
		if (err == nil) != (another == nil) && !isLimit(err) && !isLimit(another) {
			t.Fatalf("%s: %v, in pieces: %v", coding, err, another)
		}
		if err == nil && another == nil && !bytes.Equal(whole, pieces) {
			t.Fatalf("%s: %d bytes, in pieces %d", coding, len(whole), len(pieces))
		}
		if len(whole) > max(1<<16, 100*len(body)) {
			t.Fatalf("%s: %d bytes from %d", coding, len(whole), len(body))
		}
	})
}

func isLimit(err error) bool {
	var limit *message.LimitError
	return errors.As(err, &limit)
}

func BenchmarkSmallGzip(b *testing.B) {
	body := encode(b, "gzip", content(1024))
	buffer := make([]byte, 2048)
	b.ReportAllocs()
	for b.Loop() {
		r := NewReader(bytes.NewReader(body), []string{"gzip"}, Limits{Expansion: 100})
		io.ReadFull(r, buffer)
		r.Close()
	}
}
