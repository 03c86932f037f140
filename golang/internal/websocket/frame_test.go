package websocket

import (
	"bytes"
	"errors"
	"testing"
	"testing/quick"

	"github.com/cycletls/cycletls/golang/internal/wait/waittest"
)

// A mask is applied byte by byte, whatever the length and the place in the payload.
func TestMask(t *testing.T) {
	same := func(p []byte, key [4]byte, offset uint16) bool {
		want := make([]byte, len(p))
		for i := range p {
			want[i] = p[i] ^ key[(int(offset)+i)%4]
		}
		got := bytes.Clone(p)
		mask(got, key, int64(offset))
		return bytes.Equal(got, want)
	}
	if err := quick.Check(same, &quick.Config{MaxCount: 2000}); err != nil {
		t.Error(err)
	}
}

// A header that was written is read back, and never from less than all of it.
func TestHeader(t *testing.T) {
	for _, length := range []int64{0, 1, 125, 126, 65535, 65536, 1 << 40, 1<<63 - 1} {
		for _, h := range []header{
			{fin: true, opcode: Text, length: length},
			{rsv1: true, opcode: Binary, length: length, masked: true, mask: [4]byte{1, 2, 3, 4}},
		} {
			wire := appendHeader(nil, &h)
			if got, size := parseHeader(append(wire, 9, 9)); got != h || size != len(wire) || size > maxHeader {
				t.Errorf("%+v became %+v", h, got)
			}
			for i := range wire {
				if _, size := parseHeader(wire[:i]); size != 0 {
					t.Errorf("%d of %d bytes are a header", i, len(wire))
				}
			}
		}
	}
}

// record is what a connection makes of bytes.
type record struct {
	messages []string
	code     uint16
}

func receiveAll(t *testing.T, cfg Config, wire []byte, piece int) (r record) {
	near, far := waittest.Pipe()
	near.SetMaxRead(piece)
	if _, err := far.Write(wire); err != nil {
		t.Fatal(err)
	}
	if err := far.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	c := New(near, cfg)
	defer c.Shut()
	for {
		opcode, p, err := c.Receive(forever())
		if err != nil {
			var how *CloseError
			if !errors.As(err, &how) {
				t.Fatal(err)
			}
			r.code = how.Code
			return r
		}
		if int64(len(p)) > cfg.MaxMessage {
			t.Fatalf("a message of %d bytes", len(p))
		}
		r.messages = append(r.messages, string(rune(opcode))+string(p))
	}
}

// Whatever comes, it ends, within the limits, and pieces of any size mean the same.
func FuzzReceive(f *testing.F) {
	for _, seed := range []string{
		"\x81\x05Hello", "\x01\x03Hel\x89\x00\x80\x02lo\x88\x02\x03\xe8", "\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00",
		"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", "\x82\x7e\x01\x00", "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", "\x41\x02\xf3\x48\x80\x06\xcd\xc9\xc9\x07\x00\x00",
	} {
		f.Add([]byte(seed), uint8(3), false, true)
		f.Add([]byte(seed), uint8(1), true, false)
	}
	f.Fuzz(func(t *testing.T, wire []byte, piece uint8, server, compressed bool) {
		cfg := Config{Server: server, MaxMessage: 1 << 16}
		if compressed {
			cfg.Deflate = &Deflate{ServerBits: 15, ClientBits: 15}
		}
		whole, cut := receiveAll(t, cfg, wire, 0), receiveAll(t, cfg, wire, int(piece)+1)
		if whole.code != cut.code || len(whole.messages) != len(cut.messages) {
			t.Fatalf("%v, in pieces %v", whole, cut)
		}
		for i := range whole.messages {
			if whole.messages[i] != cut.messages[i] {
				t.Fatalf("%q, in pieces %q", whole.messages[i], cut.messages[i])
			}
		}
	})
}
