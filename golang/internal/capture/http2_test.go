package capture

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// peer2 is a client that writes frames by hand.
type peer2 struct {
	*http2.Framer
	t       *testing.T
	raw     net.Conn
	block   bytes.Buffer
	encoder *hpack.Encoder
}

func dial2(t *testing.T, server *Server, settings ...http2.Setting) *peer2 {
	t.Helper()
	cfg := client(t, server)
	cfg.NextProtos = []string{"h2"}
	conn, kept := dialTLS(t, server, cfg)
	p := &peer2{Framer: http2.NewFramer(conn, conn), t: t, raw: kept.Conn}
	p.encoder = hpack.NewEncoder(&p.block)
	io.WriteString(conn, http2.ClientPreface)
	p.WriteSettings(settings...)
	return p
}

// fields encodes a header block: names and values in turn.
func (p *peer2) fields(pairs ...string) []byte {
	p.block.Reset()
	for i := 0; i < len(pairs); i += 2 {
		p.encoder.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	return bytes.Clone(p.block.Bytes())
}

// next returns the next frame that is not about windows and settings.
func (p *peer2) next() http2.Frame {
	p.t.Helper()
	for {
		frame, err := p.ReadFrame()
		if err != nil {
			p.t.Fatal(err)
		}
		switch frame.(type) {
		case *http2.SettingsFrame, *http2.WindowUpdateFrame:
		default:
			return frame
		}
	}
}

// report reads the answer on a stream, giving the server as much window as it used.
func (p *peer2) report(id uint32) (Report, int) {
	p.t.Helper()
	if head, ok := p.next().(*http2.HeadersFrame); !ok || head.StreamID != id {
		p.t.Fatalf("%v instead of the head of stream %d", head, id)
	}
	var content bytes.Buffer
	for frames := 1; ; frames++ {
		data := p.next().(*http2.DataFrame)
		content.Write(data.Data())
		if data.StreamEnded() {
			return decode(p.t, &content), frames
		}
		p.WriteWindowUpdate(id, data.Length)
	}
}

// TestFramesAreReportedInOrder: as they came, payloads byte for byte.
func TestFramesAreReportedInOrder(t *testing.T) {
	p := dial2(t, start(t, Config{TLS: true}), http2.Setting{ID: 4, Val: 131072})
	p.WriteWindowUpdate(0, 1000)
	p.WritePriority(3, http2.PriorityParam{Weight: 200})
	block := p.fields(":method", "POST", ":path", "/x", ":scheme", "https", ":authority", "a", "x-y", "\xfc")
	p.WriteHeaders(http2.HeadersFrameParam{StreamID: 5, BlockFragment: block[:3], PadLength: 2})
	p.WriteContinuation(5, true, block[3:])
	p.WriteData(5, false, []byte("body"))
	p.WriteHeaders(http2.HeadersFrameParam{StreamID: 5, BlockFragment: p.fields("x-sum", "4"), EndHeaders: true, EndStream: true})
	report, _ := p.report(5)

	var got []string
	for _, frame := range report.Frames {
		got = append(got, fmt.Sprintf("%s %d %d", frame.Type, frame.Stream, frame.Flags))
	}
	want := "SETTINGS 0 0, WINDOW_UPDATE 0 0, PRIORITY 3 0, HEADERS 5 8, CONTINUATION 5 4, DATA 5 0, HEADERS 5 5"
	if strings.Join(got, ", ") != want {
		t.Errorf("frames %s\nwant %s", strings.Join(got, ", "), want)
	}
	if payload := report.Frames[0].Payload; !bytes.Equal(payload, []byte{0, 4, 0, 2, 0, 0}) {
		t.Errorf("SETTINGS %x", payload)
	}
	request := report.Request
	if !bytes.Equal(request.Head, block) {
		t.Errorf("header block %x, want %x", request.Head, block)
	}
	if want := "[[:method POST] [:path /x] [:scheme https] [:authority a] [x-y ü]]"; fmt.Sprint(request.Fields) != want {
		t.Errorf("fields %v", request.Fields)
	}
	if string(request.Body.Content) != "body" || fmt.Sprint(request.Trailers) != "[[x-sum 4]]" || request.Authority != "a" {
		t.Errorf("request %+v", request)
	}
}

// TestAnswersObeyTheClientsWindow: on a stream, and when SETTINGS move it.
func TestAnswersObeyTheClientsWindow(t *testing.T) {
	p := dial2(t, start(t, Config{TLS: true}), http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.fields(":method", "GET"), EndHeaders: true, EndStream: true})
	p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 100})
	if report, frames := p.report(1); frames < 5 || report.Request.Method != "GET" {
		t.Errorf("%s answered in %d frames", report.Request.Method, frames)
	}
}

// TestPingsAreAnswered: a client may wait for it.
func TestPingsAreAnswered(t *testing.T) {
	p := dial2(t, start(t, Config{TLS: true}))
	p.WritePing(false, [8]byte{7})
	if ping, ok := p.next().(*http2.PingFrame); !ok || !ping.IsAck() || ping.Data != [8]byte{7} {
		t.Errorf("%v", ping)
	}
}

// TestResetStreamsAreForgotten: their late DATA disturbs nobody.
func TestResetStreamsAreForgotten(t *testing.T) {
	p := dial2(t, start(t, Config{TLS: true}))
	p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.fields(":method", "POST"), EndHeaders: true})
	p.WriteRSTStream(1, http2.ErrCodeCancel)
	p.WriteData(1, true, []byte("late"))
	p.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: p.fields(":method", "HEAD"), EndHeaders: true, EndStream: true})
	if head, ok := p.next().(*http2.HeadersFrame); !ok || head.StreamID != 3 || !head.StreamEnded() {
		t.Errorf("%v", head)
	}
}

// TestStreamsMustCountUp: a client that opens one twice is told off.
func TestStreamsMustCountUp(t *testing.T) {
	server := start(t, Config{TLS: true})
	p := dial2(t, server)
	for range 2 {
		p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.fields(":method", "HEAD"), EndHeaders: true, EndStream: true})
	}
	end(p.raw)
	if failures := server.Failures(); len(failures) != 1 || !strings.Contains(failures[0].Error(), "stream 1 opened after stream 1") {
		t.Errorf("failures %v", failures)
	}
}

// TestHeadersAreBounded: a client that never ends its header block, or its
// streams, is sent away.
func TestHeadersAreBounded(t *testing.T) {
	for name, flood := range map[string]func(*http2.Framer, int){
		"CONTINUATION": func(out *http2.Framer, i int) {
			if i == 0 {
				out.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x82}})
			}
			out.WriteContinuation(1, false, bytes.Repeat([]byte{0x82}, 10_000))
		},
		"streams": func(out *http2.Framer, i int) {
			out.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: []byte{0x82}, EndHeaders: true})
		},
	} {
		var stream bytes.Buffer
		stream.WriteString(http2.ClientPreface)
		framer := http2.NewFramer(&stream, nil)
		framer.WriteSettings()
		for i := range 2 * maxStreams {
			flood(framer, i)
		}
		err := newConn2(peer{&stream, io.Discard}, &connection{log: newLog()}).serve()
		if err == nil || err == io.EOF || stream.Len() == 0 {
			t.Errorf("%s: ended with %v, %d bytes unread", name, err, stream.Len())
		}
	}
}

// FuzzHTTP2: no frames of a client do more than end its connection.
func FuzzHTTP2(f *testing.F) {
	var stream bytes.Buffer
	framer := http2.NewFramer(&stream, nil)
	framer.WriteSettings(http2.Setting{ID: 4, Val: 10})
	framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x82, 0x84}, EndHeaders: true})
	framer.WriteData(1, true, []byte("x"))
	framer.WriteWindowUpdate(1, 100)
	f.Add(stream.Bytes())
	f.Fuzz(func(t *testing.T, frames []byte) {
		in := io.MultiReader(strings.NewReader(http2.ClientPreface), bytes.NewReader(frames))
		seen := &connection{log: newLog()}
		if err := newConn2(peer{in, io.Discard}, seen).serve(); err == nil {
			t.Error("the end of the input was not seen")
		}
		if _, err := json.Marshal(seen.frames); err != nil {
			t.Error(err)
		}
	})
}
