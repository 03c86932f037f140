package http2

import (
	"errors"
	"io"
	"strings"
	"testing"

	xhttp2 "golang.org/x/net/http2"

	"github.com/cycletls/cycletls/golang/internal/message"
)

// Responses that break the rules of RFC 9113 section 8 end their stream with
// PROTOCOL_ERROR, and only that.
func TestMalformedResponsesEndTheirStream(t *testing.T) {
	long := "one two"
	cases := map[string]struct {
		what  string
		reply func(p *peer, stream uint32)
	}{
		"uppercase name":     {"field name", func(p *peer, s uint32) { p.respond(s, true, ":status", "200", "X-Upper", "1") }},
		"name with a space":  {"field name", func(p *peer, s uint32) { p.respond(s, true, ":status", "200", "x a", "1") }},
		"empty name":         {"field name", func(p *peer, s uint32) { p.respond(s, true, ":status", "200", "", "1") }},
		"CR in a value":      {"value of field", func(p *peer, s uint32) { p.respond(s, true, ":status", "200", "a", "b\rc") }},
		"NUL in a value":     {"value of field", func(p *peer, s uint32) { p.respond(s, true, ":status", "200", "a", "\x00") }},
		"connection field":   {"connection", func(p *peer, s uint32) { p.respond(s, true, ":status", "200", "connection", "close") }},
		"transfer-encoding":  {"transfer-encoding", func(p *peer, s uint32) { p.respond(s, true, ":status", "200", "transfer-encoding", "chunked") }},
		"no status":          {":status", func(p *peer, s uint32) { p.respond(s, true, "a", "b") }},
		"two statuses":       {":status", func(p *peer, s uint32) { p.respond(s, true, ":status", "200", ":status", "200") }},
		"status of 4 digits": {":status", func(p *peer, s uint32) { p.respond(s, true, ":status", "2000") }},
		"status with a sign": {":status", func(p *peer, s uint32) { p.respond(s, true, ":status", "+20") }},
		"late status":        {":status", func(p *peer, s uint32) { p.respond(s, true, "a", "b", ":status", "200") }},
		"request pseudo":     {":path", func(p *peer, s uint32) { p.respond(s, true, ":status", "200", ":path", "/") }},
		"101":                {"101", func(p *peer, s uint32) { p.respond(s, false, ":status", "101") }},
		"100 at the end":     {"informational", func(p *peer, s uint32) { p.respond(s, true, ":status", "100") }},
		"data first":         {"DATA before", func(p *peer, s uint32) { p.data(s, true, long) }},
		"two lengths": {"content-length", func(p *peer, s uint32) {
			p.respond(s, false, ":status", "200", "content-length", "1", "content-length", "2")
		}},
		"signed length":  {"content-length", func(p *peer, s uint32) { p.respond(s, false, ":status", "200", "content-length", "+5") }},
		"listed lengths": {"content-length", func(p *peer, s uint32) { p.respond(s, false, ":status", "200", "content-length", "5, 6") }},
		"huge length": {"content-length", func(p *peer, s uint32) {
			p.respond(s, false, ":status", "200", "content-length", strings.Repeat("9", 30))
		}},
		"body too long": {"content-length", func(p *peer, s uint32) {
			p.respond(s, false, ":status", "200", "content-length", "3")
			p.data(s, true, long)
		}},
		"body of a 204": {"content-length", func(p *peer, s uint32) {
			p.respond(s, false, ":status", "204")
			p.data(s, true, long)
		}},
		"trailers that do not end": {"trailer", func(p *peer, s uint32) {
			p.respond(s, false, ":status", "200")
			p.respond(s, false, "a", "b")
		}},
		"trailers with a status": {"trailer", func(p *peer, s uint32) {
			p.respond(s, false, ":status", "200")
			p.respond(s, true, ":status", "200")
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			conn := against(t, chrome, nil, func(p *peer) {
				stream := p.request()
				c.reply(p, stream)
				if f := await[*xhttp2.RSTStreamFrame](p); f.ErrCode != xhttp2.ErrCodeProtocol || f.StreamID != stream {
					t.Errorf("reset of %d with %v", f.StreamID, f.ErrCode)
				}
				p.answerAll()
			})
			_, _, err := exchange(conn, get("/"))
			wantProtocol(t, err, c.what)
			works(t, conn)
		})
	}
}

// Frames that break the rules of the whole connection end it with GOAWAY and
// the code of RFC 9113.
func TestBrokenRulesEndTheConnection(t *testing.T) {
	cases := map[string]struct {
		code xhttp2.ErrCode
		send func(p *peer, stream uint32)
	}{
		"unknown stream":    {xhttp2.ErrCodeProtocol, func(p *peer, s uint32) { p.respond(s+2, true, ":status", "200") }},
		"even stream":       {xhttp2.ErrCodeProtocol, func(p *peer, s uint32) { p.data(s+1, true, "x") }},
		"data on stream 0":  {xhttp2.ErrCodeProtocol, func(p *peer, _ uint32) { p.data(0, false, "x") }},
		"reset of unknown":  {xhttp2.ErrCodeProtocol, func(p *peer, s uint32) { p.must(p.WriteRSTStream(s+2, 0)) }},
		"update of unknown": {xhttp2.ErrCodeProtocol, func(p *peer, s uint32) { p.must(p.WriteWindowUpdate(s+2, 1)) }},
		"update of 0":       {xhttp2.ErrCodeProtocol, func(p *peer, _ uint32) { p.must(p.WriteWindowUpdate(0, 0)) }},
		"window overflow":   {xhttp2.ErrCodeFlowControl, func(p *peer, _ uint32) { p.must(p.WriteWindowUpdate(0, maxWindow)) }},
		"push": {xhttp2.ErrCodeProtocol, func(p *peer, s uint32) {
			p.must(p.WritePushPromise(xhttp2.PushPromiseParam{StreamID: s, PromiseID: 2, EndHeaders: true}))
		}},
		"lone continuation": {xhttp2.ErrCodeProtocol, func(p *peer, s uint32) { p.must(p.WriteContinuation(s, true, nil)) }},
		"interrupted headers": {xhttp2.ErrCodeProtocol, func(p *peer, s uint32) {
			p.must(p.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: s, BlockFragment: p.encode(":status", "200")}))
			p.must(p.WritePing(false, [8]byte{}))
		}},
		"padding too long": {xhttp2.ErrCodeProtocol, func(p *peer, s uint32) {
			p.must(p.WriteRawFrame(xhttp2.FrameData, xhttp2.FlagDataPadded, s, []byte{2, 0}))
		}},
		"padding flag alone": {xhttp2.ErrCodeProtocol, func(p *peer, s uint32) { p.must(p.WriteRawFrame(xhttp2.FrameData, xhttp2.FlagDataPadded, s, nil)) }},
		"short headers": {xhttp2.ErrCodeFrameSize, func(p *peer, s uint32) {
			p.must(p.WriteRawFrame(xhttp2.FrameHeaders, xhttp2.FlagHeadersPadded, s, nil))
		}},
		"oversized frame":     {xhttp2.ErrCodeFrameSize, func(p *peer, s uint32) { p.data(s, false, strings.Repeat("x", 16385)) }},
		"ping of 7 bytes":     {xhttp2.ErrCodeFrameSize, func(p *peer, _ uint32) { p.must(p.WriteRawFrame(xhttp2.FramePing, 0, 0, make([]byte, 7))) }},
		"settings of 5 bytes": {xhttp2.ErrCodeFrameSize, func(p *peer, _ uint32) { p.must(p.WriteRawFrame(xhttp2.FrameSettings, 0, 0, make([]byte, 5))) }},
		"broken compression": {xhttp2.ErrCodeCompression, func(p *peer, s uint32) {
			p.must(p.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: s, EndHeaders: true, BlockFragment: []byte{0xff, 0xff, 0xff, 0x7f}}))
		}},
		"cut compression": {xhttp2.ErrCodeCompression, func(p *peer, s uint32) {
			p.must(p.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: s, EndHeaders: true, BlockFragment: []byte{0x40, 0x05}}))
		}},
		"max frame size 0": {xhttp2.ErrCodeProtocol, func(p *peer, _ uint32) { p.must(p.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingMaxFrameSize})) }},
		"push enabled":     {xhttp2.ErrCodeProtocol, func(p *peer, _ uint32) { p.must(p.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingEnablePush, Val: 1})) }},
		"window size 2^31": {xhttp2.ErrCodeFlowControl, func(p *peer, _ uint32) {
			p.must(p.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 1 << 31}))
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			conn := against(t, chrome, nil, func(p *peer) {
				c.send(p, p.request())
				if f := await[*xhttp2.GoAwayFrame](p); f.ErrCode != c.code {
					t.Errorf("GOAWAY with %v, want %v", f.ErrCode, c.code)
				}
				p.drain()
			})
			_, _, err := exchange(conn, get("/"))
			wantProtocol(t, err, "")
			if _, err := conn.Open(limited()); !errors.Is(err, ErrUnavailable) {
				t.Errorf("another stream: %v", err)
			}
		})
	}
}

// A server that does not begin with SETTINGS speaks something else.
func TestServerBeginsWithSettings(t *testing.T) {
	for name, first := range map[string]string{
		"HTTP/1.1": "HTTP/1.1 400 Bad Request\r\n\r\n",
		"ping":     "\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678",
		"ack":      "\x00\x00\x00\x04\x01\x00\x00\x00\x00",
	} {
		t.Run(name, func(t *testing.T) {
			client, server := pipe(t)
			if _, err := server.Write([]byte(first)); err != nil {
				t.Fatal(err)
			}
			_, _, err := exchange(NewConn(client, chrome), get("/"))
			wantProtocol(t, err, "")
		})
	}
}

// A body shorter than its content-length is an error, not a short body.
func TestShortBodyIsAnError(t *testing.T) {
	c := against(t, chrome, nil, func(p *peer) {
		stream := p.request()
		p.respond(stream, false, ":status", "200", "content-length", "10")
		p.data(stream, true, "12345")
		p.answerAll()
	})
	_, body, err := exchange(c, get("/"))
	var short *message.IncompleteError
	if !errors.As(err, &short) || short.Received != 5 || short.Expected != 10 || string(body) != "12345" {
		t.Errorf("%q, %v", body, err)
	}
	works(t, c)
}

// A connection that ends in the middle of a body is an error, with and without
// a content-length.
func TestLostConnectionIsNoEnd(t *testing.T) {
	for _, fields := range [][]string{{":status", "200"}, {":status", "200", "content-length", "10"}} {
		c := against(t, chrome, nil, func(p *peer) {
			stream := p.request()
			p.respond(stream, false, fields...)
			p.data(stream, false, "12345")
		})
		_, body, err := exchange(c, get("/"))
		var short *message.IncompleteError
		if !errors.As(err, &short) || string(body) != "12345" {
			t.Errorf("%q, %v", body, err)
		}
	}
}

// A client that did not forbid pushes refuses each, and keeps the table in step.
func TestPushesAreRefused(t *testing.T) {
	cfg := small
	cfg.Settings = []Setting{{4, 1 << 20}}
	c := against(t, cfg, nil, func(p *peer) {
		stream := p.request()
		p.must(p.WritePushPromise(xhttp2.PushPromiseParam{
			StreamID: stream, PromiseID: 2, EndHeaders: true,
			BlockFragment: p.encode(":method", "GET", ":path", "/pushed", "x-new", "entry"),
		}))
		if f := await[*xhttp2.RSTStreamFrame](p); f.StreamID != 2 || f.ErrCode != xhttp2.ErrCodeRefusedStream {
			t.Errorf("reset of %d with %v", f.StreamID, f.ErrCode)
		}
		p.respond(2, false, ":status", "200")
		p.data(2, true, "pushed")
		p.respond(stream, false, ":status", "200", "x-new", "entry")
		p.data(stream, true, "asked for")
		p.drain()
	})
	head, body, err := exchange(c, get("/"))
	if err != nil || string(body) != "asked for" {
		t.Fatalf("%q, %v", body, err)
	}
	if value, _ := head.Fields.Get("x-new"); value != "entry" {
		t.Errorf("fields %v", head.Fields)
	}
}

// Frames of types that nobody knows, and PRIORITY, are ignored.
func TestUnknownFramesAreIgnored(t *testing.T) {
	c := against(t, chrome, []xhttp2.Setting{{ID: 0x4a4a, Val: 7}}, func(p *peer) {
		stream := p.request()
		p.must(p.WriteRawFrame(0x0a, 0xff, 0, []byte("alt-svc")))
		p.must(p.WritePriority(stream, xhttp2.PriorityParam{StreamDep: stream + 2, Weight: 1}))
		p.respond(stream, false, ":status", "200")
		p.must(p.WriteRawFrame(0xbe, 0, stream, make([]byte, 16384)))
		p.data(stream, true, "body")
		p.drain()
	})
	if _, body, err := exchange(c, get("/")); err != nil || string(body) != "body" {
		t.Errorf("%q, %v", body, err)
	}
}

// Padding is not content, in DATA and in HEADERS.
func TestPaddingIsTakenOff(t *testing.T) {
	c := against(t, chrome, nil, func(p *peer) {
		stream := p.request()
		p.must(p.WriteHeaders(xhttp2.HeadersFrameParam{
			StreamID: stream, EndHeaders: true, PadLength: 200, BlockFragment: p.encode(":status", "200"),
		}))
		p.must(p.WriteDataPadded(stream, false, []byte("bo"), make([]byte, 255)))
		p.must(p.WriteDataPadded(stream, true, []byte("dy"), []byte{}))
		p.drain()
	})
	s := send(t, c, limited(), get("/"))
	if _, err := s.ReadHead(); err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(s); err != nil || string(body) != "body" {
		t.Errorf("%q, %v", body, err)
	}
}
