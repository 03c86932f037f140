package http2

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	xhttp2 "golang.org/x/net/http2"

	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// small is a client with windows small enough to be filled by a few frames.
var small = Config{
	Settings: []Setting{{2, 0}, {4, 20000}}, FirstStreamID: 1, PseudoOrder: "masp", MaxHeaderBytes: 256 << 10, MaxInformational: 8,
}

// A window is granted anew when half of it has been read, for the connection
// and for the stream.
func TestWindowsAreGrantedAnew(t *testing.T) {
	c := against(t, small, nil, func(p *peer) {
		stream := p.request()
		p.respond(stream, false, ":status", "200")
		window, whole := 20000, defaultWindow
		for sent := 0; sent < 200000; sent += 1000 {
			for window < 1000 || whole < 1000 {
				f := await[*xhttp2.WindowUpdateFrame](p)
				if f.StreamID == 0 {
					whole += int(f.Increment)
				} else {
					window += int(f.Increment)
				}
			}
			p.data(stream, false, string(make([]byte, 1000)))
			window, whole = window-1000, whole-1000
		}
		p.data(stream, true, "")
		p.drain()
	})
	if _, body, err := exchange(c, get("/")); err != nil || len(body) != 200000 {
		t.Errorf("%d bytes, %v", len(body), err)
	}
}

// What nobody reads takes room: padding, and the bodies of streams that were
// closed, are granted anew at once.
func TestDiscardedBytesAreGrantedAnew(t *testing.T) {
	closed := make(chan struct{})
	c := against(t, small, nil, func(p *peer) {
		stream := p.request()
		p.respond(stream, false, ":status", "200")
		p.data(stream, false, string(make([]byte, 10000)))
		<-closed
		if f := await[*xhttp2.RSTStreamFrame](p); f.ErrCode != xhttp2.ErrCodeCancel {
			t.Errorf("reset with %v", f.ErrCode)
		}
		p.must(p.WriteDataPadded(stream, false, make([]byte, 10000), make([]byte, 200)))
		p.data(stream, false, string(make([]byte, 16000)))
		second := p.request()
		if f := await[*xhttp2.WindowUpdateFrame](p); f.StreamID != 0 || f.Increment < 10000+10000+201 {
			t.Errorf("%d bytes were granted to stream %d", f.Increment, f.StreamID)
		}
		p.respond(second, true, ":status", "200")
		p.drain()
	})
	s := send(t, c, limited(), get("/"))
	if _, err := s.ReadHead(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	s.Close()
	close(closed)
	if _, _, err := exchange(c, get("/")); err != nil {
		t.Fatal(err)
	}
}

// Padding counts against the windows and comes back.
func TestPaddingIsGrantedAnew(t *testing.T) {
	c := against(t, small, nil, func(p *peer) {
		stream := p.request()
		p.respond(stream, false, ":status", "200")
		granted := map[uint32]int{}
		for range 200 {
			p.must(p.WriteDataPadded(stream, false, []byte("x"), make([]byte, 255)))
		}
		for granted[0] < 30000 || granted[stream] < 30000 {
			f := await[*xhttp2.WindowUpdateFrame](p)
			granted[f.StreamID] += int(f.Increment)
		}
		p.data(stream, true, "")
		p.drain()
	})
	c.recv, c.streamWindow = newInflow(defaultWindow), 60000
	if _, body, err := exchange(c, get("/")); err != nil || len(body) != 200 {
		t.Errorf("%d bytes, %v", len(body), err)
	}
}

// A peer that sends more than it was granted is cut off.
func TestOverrunWindowsAreErrors(t *testing.T) {
	overrun := func(p *peer) {
		stream := p.request()
		p.respond(stream, false, ":status", "200")
		for {
			p.data(stream, false, string(make([]byte, 16384)))
		}
	}
	whole := small
	whole.Settings = []Setting{{4, 1 << 20}}
	for name, cfg := range map[string]Config{"stream": small, "connection": whole} {
		t.Run(name, func(t *testing.T) {
			s := send(t, against(t, cfg, nil, overrun), limited(), get("/"))
			if _, err := s.ReadHead(); err != nil {
				t.Fatal(err)
			}
			for c := s.(*Stream).c; c.err == nil && s.(*Stream).err == nil; {
				c.Alive() // digests without reading the body
			}
			_, err := io.ReadAll(s)
			wantProtocol(t, err, "window")
		})
	}
}

// A body is cut to the windows and frames that the peer allows.
func TestUploadObeysWindows(t *testing.T) {
	const size = 100000
	settings := []xhttp2.Setting{{ID: xhttp2.SettingInitialWindowSize, Val: 1000}}
	c := against(t, chrome, settings, func(p *peer) {
		stream := p.request()
		var body bytes.Buffer
		for window := 1000; ; {
			f := await[*xhttp2.DataFrame](p)
			body.Write(f.Data())
			if window -= len(f.Data()); window < 0 {
				t.Errorf("window overrun by %d", -window)
			}
			if f.StreamEnded() {
				break
			}
			if window == 0 {
				p.must(p.WriteWindowUpdate(stream, 7000))
				p.must(p.WriteWindowUpdate(0, 7000))
				window = 7000
			}
		}
		if body.Len() != size {
			t.Errorf("%d bytes came", body.Len())
		}
		p.respond(stream, true, ":status", "204")
		p.drain()
	})
	knowSettings(t, c)
	s := send(t, c, limited(), post("/", size))
	if n, err := s.Write(make([]byte, size)); n != size || err != nil {
		t.Fatal(n, err)
	}
	if err := s.CloseWrite(nil); err != nil {
		t.Fatal(err)
	}
	if head, err := s.ReadHead(); err != nil || head.Status != 204 {
		t.Errorf("%v, %v", head, err)
	}
}

// knowSettings waits until the peer's SETTINGS are obeyed.
func knowSettings(t *testing.T, c *Conn) {
	t.Helper()
	c.mu.Lock()
	defer c.unlock()
	for end := time.Now().Add(10 * time.Second); !c.peer.known; {
		if time.Now().After(end) {
			t.Fatal("no SETTINGS came")
		}
		if c.fill(wait.New(wait.Limits{wait.Total: time.Second}, nil)); c.err != nil {
			t.Fatal(c.err)
		}
		c.digest()
	}
}

// SETTINGS_INITIAL_WINDOW_SIZE may shrink under what was sent: the window is
// negative until updates make up for it.
func TestWindowsMayBecomeNegative(t *testing.T) {
	settings := []xhttp2.Setting{{ID: xhttp2.SettingInitialWindowSize, Val: 50000}}
	c := against(t, chrome, settings, func(p *peer) {
		stream := p.request()
		for got := 0; got < 50000; {
			got += len(await[*xhttp2.DataFrame](p).Data())
		}
		p.must(p.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 10000})) // -40,000
		p.must(p.WriteWindowUpdate(0, 1<<20))
		p.must(p.WriteWindowUpdate(stream, 40000)) // 0
		p.must(p.WriteWindowUpdate(stream, 123))
		if f := await[*xhttp2.DataFrame](p); len(f.Data()) != 123 {
			t.Errorf("%d bytes came, 123 were allowed", len(f.Data()))
		}
		p.must(p.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 10000 + 49877}))
		for got := 0; got < 49877; {
			got += len(await[*xhttp2.DataFrame](p).Data())
		}
		p.respond(stream, true, ":status", "204")
		p.drain()
	})
	knowSettings(t, c)
	s := send(t, c, limited(), post("/", 100000))
	for _, size := range []int{50000, 50000} {
		if _, err := s.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
	}
	if head, err := s.ReadHead(); err != nil || head.Status != 204 {
		t.Errorf("%v, %v", head, err)
	}
}

// SETTINGS that make a window larger than 2^31-1 are a flow-control error.
func TestWindowsDoNotOverflow(t *testing.T) {
	c := against(t, chrome, nil, func(p *peer) {
		stream := p.request()
		p.must(p.WriteWindowUpdate(stream, 1<<30))
		p.must(p.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: maxWindow}))
		if f := await[*xhttp2.GoAwayFrame](p); f.ErrCode != xhttp2.ErrCodeFlowControl {
			t.Errorf("GOAWAY with %v", f.ErrCode)
		}
	})
	_, _, err := exchange(c, get("/"))
	wantProtocol(t, err, "2^31-1")
}

// A stream's window overflown by an update ends that stream.
func TestStreamWindowOverflowEndsTheStream(t *testing.T) {
	c := against(t, chrome, nil, func(p *peer) {
		p.must(p.WriteWindowUpdate(p.request(), maxWindow))
		p.answerAll()
	})
	_, _, err := exchange(c, get("/"))
	wantProtocol(t, err, "2^31-1")
	works(t, c)
}

// A window that stays 0 ends an upload by its write limit; closing the stream
// tells the server, and the connection goes on.
func TestWindowOfZeroEndsByTheWriteLimit(t *testing.T) {
	c := against(t, chrome, []xhttp2.Setting{{ID: xhttp2.SettingInitialWindowSize, Val: 0}}, func(p *peer) {
		stream := p.request()
		if f := await[*xhttp2.RSTStreamFrame](p); f.StreamID != stream || f.ErrCode != xhttp2.ErrCodeCancel {
			t.Errorf("reset of %d with %v", f.StreamID, f.ErrCode)
		}
		p.answerAll()
	})
	knowSettings(t, c)
	s := send(t, c, wait.New(wait.Limits{wait.Write: 30 * time.Millisecond}, nil), post("/", 5))
	n, err := s.Write([]byte("12345"))
	var timeout *wait.TimeoutError
	if n != 0 || !errors.As(err, &timeout) || timeout.Phase != wait.Write {
		t.Errorf("%d, %v", n, err)
	}
	s.Close()
	if c.Streams() != 0 {
		t.Errorf("%d streams", c.Streams())
	}
	works(t, c)
}

// A smaller or larger header table is announced in the next block.
func TestHeaderTableSizeIsObeyed(t *testing.T) {
	c := against(t, chrome, nil, func(p *peer) {
		p.ReadMetaHeaders = nil
		for i, want := range []byte{0x82, 0x20, 0x3f} { // no update, size 0, a long size
			f := await[*xhttp2.HeadersFrame](p)
			if f.HeaderBlockFragment()[0] != want {
				t.Errorf("block %d begins with %#x, want %#x", i, f.HeaderBlockFragment()[0], want)
			}
			p.must(p.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingHeaderTableSize, Val: uint32(i) * 8192}))
			p.respond(f.StreamID, true, ":status", "204")
		}
		p.drain()
	})
	for range 3 {
		if _, _, err := exchange(c, get("/")); err != nil {
			t.Fatal(err)
		}
	}
}

// A body has the length that was announced.
func TestBodyHasItsLength(t *testing.T) {
	c := against(t, chrome, nil, (*peer).drain)
	var length *message.LengthError
	s := send(t, c, limited(), post("/", 3))
	if _, err := s.Write([]byte("1234")); !errors.As(err, &length) {
		t.Errorf("too long: %v", err)
	}
	s = send(t, c, limited(), post("/", 3))
	if _, err := s.Write([]byte("12")); err != nil {
		t.Fatal(err)
	}
	if err := s.CloseWrite(nil); !errors.As(err, &length) || length.Given != 2 {
		t.Errorf("too short: %v", err)
	}
}
