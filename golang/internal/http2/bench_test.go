//go:build unix

package http2

import (
	"io"
	"net/http"
	"strconv"
	"testing"

	xhttp2 "golang.org/x/net/http2"

	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

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

// BenchmarkSequential is one thread on a warm connection; x/net's server takes
// most of the time.
func BenchmarkSequential(b *testing.B) {
	c := connect(b, serve(b, &xhttp2.Server{}, sized), chrome)
	buf, req := make([]byte, 64<<10), navigation("/1024")
	b.ReportAllocs()
	for b.Loop() {
		if n, err := once(c, wait.Background(), req, buf); n != 1024 || err != nil {
			b.Fatal(n, err)
		}
	}
}

// BenchmarkThreads is 32 threads on one connection.
func BenchmarkThreads(b *testing.B) {
	c := connect(b, serve(b, &xhttp2.Server{}, sized), chrome)
	b.SetParallelism(16)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		buf, req := make([]byte, 64<<10), navigation("/1024")
		for pb.Next() {
			if n, err := once(c, wait.Background(), req, buf); n != 1024 || err != nil {
				b.Error(n, err)
				return
			}
		}
	})
}

// BenchmarkDownload reads 64 MiB; the server sends from memory.
func BenchmarkDownload(b *testing.B) {
	const size = 64 << 20
	content := make([]byte, 1<<20)
	addr := serve(b, &xhttp2.Server{MaxReadFrameSize: 1 << 20}, func(w http.ResponseWriter, r *http.Request) {
		for range size / len(content) {
			_, _ = w.Write(content)
		}
	})
	c := connect(b, addr, chrome)
	buf := make([]byte, 256<<10)
	b.SetBytes(size)
	for b.Loop() {
		if n, err := once(c, wait.Background(), get("/"), buf); n != size || err != nil {
			b.Fatal(n, err)
		}
	}
}

// BenchmarkUpload sends 64 MiB in pieces of 64 KiB.
func BenchmarkUpload(b *testing.B) {
	const size = 64 << 20
	addr := serve(b, &xhttp2.Server{MaxUploadBufferPerConnection: 1 << 24, MaxUploadBufferPerStream: 1 << 23},
		func(w http.ResponseWriter, r *http.Request) {
			n, _ := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r.Body, make([]byte, 256<<10))
			w.Header().Set("X-Path", strconv.FormatInt(n, 10))
		})
	c := connect(b, addr, chrome)
	piece := make([]byte, 64<<10)
	b.SetBytes(size)
	for b.Loop() {
		s := open(b, c, wait.Background())
		if err := s.WriteHead(post("/", size)); err != nil {
			b.Fatal(err)
		}
		for range size / len(piece) {
			if _, err := s.Write(piece); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := s.ReadHead(); err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}
