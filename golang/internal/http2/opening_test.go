package http2

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	xhttp2 "golang.org/x/net/http2"
	xhpack "golang.org/x/net/http2/hpack"

	"github.com/cycletls/cycletls/golang/internal/hpack"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
	"github.com/cycletls/cycletls/golang/internal/wait/waittest"
)

// firstBytes are what a connection sends for its first request.
func firstBytes(t *testing.T, cfg Config, req *message.Request) (sent []byte, writes int) {
	t.Helper()
	client, server := waittest.Pipe()
	c := NewConn(client, cfg)
	t.Cleanup(func() { server.Close(); c.Close() })
	send(t, c, limited(), req)
	writes = client.Writes()
	server.SetReadContext(wait.Now)
	sent = make([]byte, 4096)
	n, err := server.Read(sent)
	if err != nil {
		t.Fatal(err)
	}
	return sent[:n], writes
}

func wantBytes(t *testing.T, got []byte, want ...string) {
	t.Helper()
	if joined := strings.ReplaceAll(strings.Join(want, ""), " ", ""); hex.EncodeToString(got) != joined {
		t.Errorf("got  %x\nwant %s", got, joined)
	}
}

var (
	prefaceHex = hex.EncodeToString([]byte(preface))
	// authorityHex is :authority with "test.example", Huffman coded.
	authorityHex = "41" + "89" + hex.EncodeToString(xhpack.AppendHuffmanString(nil, "test.example"))
)

// The connection opens like Chromium's: preface, SETTINGS and WINDOW_UPDATE leave
// in one write, so in one TLS record, and HEADERS, with weight 256, exclusive, in
// another.
func TestOpensLikeChromium(t *testing.T) {
	sent, writes := firstBytes(t, chrome, get("/"))
	wantBytes(t, sent, prefaceHex,
		"000018 04 00 00000000", "0001 00010000", "0002 00000000", "0004 00600000", "0006 00040000",
		"000004 08 00 00000000 00ef0001",
		"000013 01 25 00000001 80000000 ff", "82", authorityHex, "86 84")
	if writes != 2 {
		t.Errorf("%d writes", writes)
	}
}

// The connection opens like Firefox's: streams from 3, pseudo-header fields in
// the order m, p, a, s, weight 42, and the stream's window raised after HEADERS.
func TestOpensLikeFirefox(t *testing.T) {
	cfg := Config{
		Settings:        []Setting{{1, 65536}, {2, 0}, {4, 131072}, {5, 16384}},
		WindowUpdate:    12517377,
		StreamWindow:    12451840,
		HeadersPriority: &Priority{Weight: 42},
		FirstStreamID:   3,
		PseudoOrder:     "mpas",
		HPACK:           hpack.Gecko,
	}
	sent, _ := firstBytes(t, cfg, get("/"))
	wantBytes(t, sent, prefaceHex,
		"000018 04 00 00000000", "0001 00010000", "0002 00000000", "0004 00020000", "0005 00004000",
		"000004 08 00 00000000 00bf0001",
		"000015 01 25 00000003 00000000 29", "82 04 8163", authorityHex, "86",
		"000004 08 00 00000003 00be0000")
}

// PRIORITY frames leave before the first request, as older Firefoxes send them.
func TestPriorityFramesLeaveFirst(t *testing.T) {
	cfg := small
	cfg.Settings = nil
	cfg.Priorities = []PriorityFrame{{3, Priority{Weight: 201}}, {5, Priority{Weight: 101, Dep: 3, Exclusive: true}}}
	sent, _ := firstBytes(t, cfg, get("/"))
	wantBytes(t, sent[:len(preface)+9+28], prefaceHex, "000000 04 00 00000000",
		"000005 02 00 00000003 00000000 c8", "000005 02 00 00000005 80000003 64")
}

// A block larger than a frame continues in CONTINUATION frames.
func TestLongHeadsAreContinued(t *testing.T) {
	seen := make(chan int, 1)
	c := against(t, chrome, nil, func(p *peer) {
		f := await[*xhttp2.MetaHeadersFrame](p)
		seen <- len(f.RegularFields())
		p.respond(f.StreamID, true, ":status", "204")
		p.drain()
	})
	var fields message.Fields
	for range 50 {
		fields = append(fields, message.Field{Name: "x-long", Value: strings.Repeat("~|", 500)})
	}
	if _, _, err := exchange(c, get("/", fields...)); err != nil {
		t.Fatal(err)
	}
	if n := <-seen; n != 50 {
		t.Errorf("the server saw %d fields", n)
	}
}

// Fields of an HTTP/1 connection do not reach the wire, names are in lower
// case, cookies in crumbs.
func TestFieldsAreThoseOfHTTP2(t *testing.T) {
	seen := make(chan string, 1)
	c := against(t, chrome, nil, func(p *peer) {
		f := await[*xhttp2.MetaHeadersFrame](p)
		var lines []string
		for _, field := range f.Fields {
			lines = append(lines, field.Name+"="+field.Value)
		}
		seen <- strings.Join(lines, "\n")
		p.respond(f.StreamID, true, ":status", "204")
		p.drain()
	})
	_, _, err := exchange(c, get("/p", message.Field{Name: "Host", Value: "h"}, message.Field{Name: "X-B", Value: "1"},
		message.Field{Name: "Connection", Value: "close"}, message.Field{Name: "x-a", Value: "2"},
		message.Field{Name: "TE", Value: "gzip"}, message.Field{Name: "te", Value: "trailers"},
		message.Field{Name: "Cookie", Value: "a=1; b=2"}, message.Field{Name: "X-B", Value: "3"}))
	if err != nil {
		t.Fatal(err)
	}
	want := ":method=GET\n:authority=test.example\n:scheme=http\n:path=/p\nx-b=1\nx-a=2\nte=trailers\ncookie=a=1\ncookie=b=2\nx-b=3"
	if got := <-seen; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// What would be another request behind a proxy is not sent.
func TestInjectionIsRefused(t *testing.T) {
	c := against(t, chrome, nil, (*peer).drain)
	bad := []*message.Request{
		get("/", message.Field{Name: "a", Value: "b\r\nc: d"}),
		get("/", message.Field{Name: "a\r\nb", Value: "c"}),
		get("/", message.Field{Name: ":path", Value: "/x"}),
		get("/", message.Field{Name: "a", Value: "\x00"}),
		get("/a b"),
		{Method: "GET /", Scheme: "http", Authority: "a", Path: "/"},
		{Method: "GET", Scheme: "http", Authority: "a\r\nb", Path: "/"},
	}
	for _, req := range bad {
		if err := open(t, c, limited()).WriteHead(req); err == nil {
			t.Errorf("%+v was sent", req)
		}
	}
	if c.started() {
		t.Error("something was sent")
	}
}

// The weight follows the urgency of the request, and all else of the priority stays.
func TestUrgencyWeights(t *testing.T) {
	conn := Conn{cfg: Config{
		HeadersPriority: &Priority{Weight: 256, Exclusive: true}, UrgencyWeights: []int{256, 220, 183, 147, 110, 74, 37, 1},
	}}
	for field, want := range map[string]int{"u=0, i": 256, "u=1, i": 220, "u=2": 183, "": 147, "i": 147, "u=7": 1, "u=9": 147} {
		request := message.Request{Fields: message.Fields{{Name: "priority", Value: field}}}
		if got := conn.priority(&request); *got != (Priority{Weight: want, Exclusive: true}) {
			t.Errorf("%q: %+v, want weight %d", field, got, want)
		}
	}
}

// Whatever its case, TE is sent where it says trailers and nothing else.
func TestTEIsSentForTrailersAlone(t *testing.T) {
	fields := make(chan string, 2)
	c := against(t, chrome, nil, func(p *peer) {
		for {
			f := await[*xhttp2.MetaHeadersFrame](p)
			sent := "none"
			for _, field := range f.RegularFields() {
				if field.Name == "te" {
					sent = field.Value
				}
			}
			fields <- sent
			p.respond(f.StreamID, true, ":status", "204")
		}
	})
	for value, want := range map[string]string{"Trailers": "Trailers", "trailers, gzip": "none"} {
		if _, _, err := exchange(c, get("/", message.Field{Name: "TE", Value: value})); err != nil {
			t.Fatal(err)
		}
		if got := <-fields; got != want {
			t.Errorf("TE: %s becomes %s", value, got)
		}
	}
}

// Requests that share their fields are encoded as if they did not, also once the
// table has changed between them.
func TestSharedFieldsAreEncodedAlike(t *testing.T) {
	for _, policy := range []hpack.Policy{hpack.Plain, hpack.Quiche, hpack.Gecko} {
		cfg := chrome
		cfg.HPACK = policy
		one, other := NewConn(nil, cfg), NewConn(nil, cfg)
		shared, between := navigation("/1"), get("/2", message.Field{Name: "x-new", Value: strings.Repeat("x", 3000)})
		for i, req := range []*message.Request{shared, shared, shared, between, shared, shared, shared} {
			apart := *req
			apart.Fields = slices.Clone(req.Fields)
			if got, want := one.encodeHead(nil, req), other.encodeHead(nil, &apart); !bytes.Equal(got, want) {
				t.Errorf("%v, request %d: %x, want %x", policy, i, got, want)
			}
		}
		if one.repeated.fields == nil {
			t.Errorf("%v: nothing was kept", policy)
		}
	}
}
