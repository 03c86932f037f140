//go:build unix

package http2

import (
	"io"
	"net/http"
	"strconv"
	"testing"

	xhttp2 "golang.org/x/net/http2"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

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
