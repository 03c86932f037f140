package coding

import (
	"bufio"
	"errors"
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// decoder undoes one coding; release ends its use.
type decoder interface {
	io.Reader
	release()
}

// decoders by the names of the registry. Each returns an error or a decoder that
// begins at input.
var decoders = map[string]func(input *bufio.Reader) (decoder, error){
	"gzip":    newGzip,
	"x-gzip":  newGzip, // RFC 9110 section 8.4.1.3
	"deflate": newDeflate,
	"br":      newBrotli,
	"zstd":    newZstd,
}

// pool keeps what is expensive to make: a decoder of any coding weighs tens of
// kilobytes, more than most bodies.
type pool[T any] struct{ sync.Pool }

func newPool[T any](make func() T) *pool[T] {
	return &pool[T]{sync.Pool{New: func() any { return make() }}}
}

func (p *pool[T]) get() T  { return p.Get().(T) }
func (p *pool[T]) put(t T) { p.Put(t) }

var (
	buffers  = newPool(func() *bufio.Reader { return bufio.NewReaderSize(nil, 16<<10) })
	gzips    = newPool(func() *gzip.Reader { return new(gzip.Reader) })
	inflates = newPool(func() io.Reader { return flate.NewReader(nil) })
	brotlis  = newPool(func() *brotli.Reader { return new(brotli.Reader) })
	zstds    = newPool(newZstdDecoder)
	// A zlib.Reader cannot be made without the head of a stream.
	zlibs sync.Pool
)

type gzipDecoder struct{ *gzip.Reader }

func newGzip(input *bufio.Reader) (decoder, error) {
	d := gzipDecoder{gzips.get()}
	return d, d.Reset(input)
}

// Read takes several members as one body (RFC 1952 section 2.2); what follows
// the last is none.
func (d gzipDecoder) Read(p []byte) (int, error) {
	n, err := d.Reader.Read(p)
	if errors.Is(err, gzip.ErrHeader) {
		err = errTrailing
	}
	return n, err
}

func (d gzipDecoder) release() { gzips.put(d.Reader) }

type zlibDecoder struct{ io.ReadCloser }

// newDeflate reads zlib's format, as RFC 9110 section 8.4.1.2 says, and the bare
// deflate stream that servers send instead. The two bytes of zlib's head (RFC
// 1950 section 2.2) are no beginning that a compressor gives the other.
func newDeflate(input *bufio.Reader) (decoder, error) {
	head, _ := input.Peek(2)
	if len(head) < 2 || head[0]&0x0f != 8 || (int(head[0])<<8|int(head[1]))%31 != 0 {
		return newInflate(input)
	}
	if used, ok := zlibs.Get().(io.ReadCloser); ok {
		return zlibDecoder{used}, used.(zlib.Resetter).Reset(input, nil)
	}
	made, err := zlib.NewReader(input)
	return zlibDecoder{made}, err
}

func (d zlibDecoder) release() { zlibs.Put(d.ReadCloser) }

type inflateDecoder struct{ io.Reader }

func newInflate(input *bufio.Reader) (decoder, error) {
	d := inflateDecoder{inflates.get()}
	return d, d.Reader.(flate.Resetter).Reset(input, nil)
}

func (d inflateDecoder) release() { inflates.put(d.Reader) }

type brotliDecoder struct{ *brotli.Reader }

func newBrotli(input *bufio.Reader) (decoder, error) {
	d := brotliDecoder{brotlis.get()}
	return d, d.Reset(input)
}

func (d brotliDecoder) release() { brotlis.put(d.Reader) }

type zstdDecoder struct{ *zstd.Decoder }

// newZstdDecoder: RFC 9659 section 3 caps the window of a content coding at
// 8 MiB. With a concurrency of 1 it starts no goroutine.
func newZstdDecoder() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(8<<20))
	if err != nil {
		panic(err) // the options are constants
	}
	return d
}

func newZstd(input *bufio.Reader) (decoder, error) {
	d := zstdDecoder{zstds.get()}
	return d, d.Reset(input)
}

func (d zstdDecoder) release() {
	d.Reset(nil)
	zstds.put(d.Decoder)
}
