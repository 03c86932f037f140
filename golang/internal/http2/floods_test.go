package http2

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	xhttp2 "golang.org/x/net/http2"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

// counting counts what a script could write before the client closed.
type counting struct {
	io.Writer
	n int
}

func (c *counting) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n += n
	return n, err
}

// flood repeats a step until the client closes, and reports how much was sent
// to the client by then.
func flood(t *testing.T, first, step func(p *peer, stream uint32)) (sent int, err error) {
	t.Helper()
	total := make(chan int, 1)
	c := against(t, chrome, nil, func(p *peer) {
		stream := p.request()
		count := &counting{Writer: p.conn}
		p.Framer = xhttp2.NewFramer(count, nil)
		p.AllowIllegalWrites = true
		defer func() { total <- count.n }()
		for first(p, stream); ; {
			step(p, stream)
		}
	})
	_, _, err = exchange(c, get("/"))
	c.Close()
	return <-total, err
}

// CONTINUATION frames without end close the connection before 8 MiB
// (CVE-2023-45288), be they full or empty.
func TestContinuationFloodIsCutOff(t *testing.T) {
	for name, fragment := range map[string]string{"full": strings.Repeat("\x0f\x01\x01a", 2000), "empty": ""} {
		t.Run(name, func(t *testing.T) {
			sent, err := flood(t, func(p *peer, stream uint32) {
				p.must(p.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: stream, BlockFragment: p.encode(":status", "200")}))
			}, func(p *peer, stream uint32) {
				p.must(p.WriteContinuation(stream, false, []byte(fragment)))
			})
			wantLimit(t, err)
			if sent > 2<<20 {
				t.Errorf("%d bytes went before it", sent)
			}
		})
	}
}

// A block that unfolds to more than the limit ends its stream in flat memory;
// the decoder stays in step and the connection goes on.
func TestHPACKBombIsNotUnfolded(t *testing.T) {
	c := against(t, chrome, nil, func(p *peer) {
		stream := p.request()
		block := append([]byte{}, p.encode(":status", "200", "x-bomb", strings.Repeat("b", 3900))...)
		p.must(p.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: stream, BlockFragment: block}))
		bomb := strings.Repeat("\xbe", 16000) // the entry again, a byte each: 64 MB in all
		p.must(p.WriteContinuation(stream, true, []byte(bomb)))
		if f := await[*xhttp2.RSTStreamFrame](p); f.ErrCode != xhttp2.ErrCodeEnhanceYourCalm {
			t.Errorf("reset with %v", f.ErrCode)
		}
		p.answerAll()
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, err := exchange(c, get("/"))
	runtime.ReadMemStats(&after)
	wantLimit(t, err)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
		t.Errorf("%d bytes were allocated", grown)
	}
	works(t, c)
}

// A single field longer than the limit ends the connection: what its
// representation does to the table cannot be known.
func TestOverlongFieldIsCutOff(t *testing.T) {
	_, err := flood(t, func(p *peer, stream uint32) {
		p.must(p.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: stream, BlockFragment: []byte("\x40\x01a\x7f\xff\xff\x7f")}))
	}, func(p *peer, stream uint32) {
		p.must(p.WriteContinuation(stream, false, make([]byte, 16000)))
	})
	wantLimit(t, err)
}

// Informational responses without end are cut off after the limit.
func TestInformationalFloodIsCutOff(t *testing.T) {
	c := against(t, chrome, nil, func(p *peer) {
		stream := p.request()
		for range chrome.MaxInformational + 1 {
			p.respond(stream, false, ":status", "103", "link", "</a>")
		}
		p.answerAll()
	})
	_, _, err := exchange(c, get("/"))
	wantLimit(t, err)
	works(t, c)
}

// Frames that bring nothing close the connection when they come without end
// (CVE-2019-9512, -9515, -9518), although the client acknowledges none of them
// that the peer does not read.
func TestControlFrameFloodsAreCutOff(t *testing.T) {
	floods := map[string]func(p *peer, stream uint32){
		"ping":          func(p *peer, _ uint32) { p.must(p.WritePing(false, [8]byte{1})) },
		"ping ack":      func(p *peer, _ uint32) { p.must(p.WritePing(true, [8]byte{1})) },
		"settings":      func(p *peer, _ uint32) { p.must(p.WriteSettings()) },
		"empty data":    func(p *peer, stream uint32) { p.must(p.WriteData(stream, false, nil)) },
		"padding":       func(p *peer, stream uint32) { p.must(p.WriteDataPadded(stream, false, nil, make([]byte, 9))) },
		"window update": func(p *peer, _ uint32) { p.must(p.WriteWindowUpdate(0, 1)) },
		"priority":      func(p *peer, _ uint32) { p.must(p.WritePriority(5, xhttp2.PriorityParam{})) },
		"unknown":       func(p *peer, _ uint32) { p.must(p.WriteRawFrame(0xbe, 0, 0, nil)) },
		"trailing reset": func(p *peer, stream uint32) {
			p.must(p.WriteRSTStream(stream-2, xhttp2.ErrCodeCancel))
		},
	}
	for name, step := range floods {
		t.Run(name, func(t *testing.T) {
			cfg := chrome
			cfg.FirstStreamID = 3
			total := make(chan struct{})
			c := against(t, cfg, nil, func(p *peer) {
				defer close(total)
				stream := p.request()
				for p.respond(stream, false, ":status", "200"); ; {
					step(p, stream)
				}
			})
			_, _, err := exchange(c, get("/"))
			wantLimit(t, err)
			<-total
		})
	}
}

// A peer that keeps the connection busy does not keep an exchange from its
// read limit.
func TestReadTimeoutHoldsWhilePingsCome(t *testing.T) {
	stop := make(chan struct{})
	c := against(t, chrome, nil, func(p *peer) {
		p.request()
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				p.must(p.WritePing(false, [8]byte{}))
			case <-stop:
				return
			}
		}
	})
	defer close(stop)
	began := time.Now()
	s := send(t, c, wait.New(wait.Limits{wait.Read: 100 * time.Millisecond}, nil), get("/"))
	_, err := s.ReadHead()
	var timeout *wait.TimeoutError
	if !errors.As(err, &timeout) || timeout.Phase != wait.Read || timeout.Limit != 100*time.Millisecond {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("after %v", took)
	}
}

// An honest server's many small updates during an upload are no flood.
func TestUpdatesDuringAnUploadAreNoFlood(t *testing.T) {
	const size = maxIdleFrames + 100
	c := against(t, chrome, []xhttp2.Setting{{ID: xhttp2.SettingInitialWindowSize, Val: 1}}, func(p *peer) {
		stream := p.request()
		for received := 0; received < size; {
			received += len(await[*xhttp2.DataFrame](p).Data())
			p.must(p.WriteWindowUpdate(stream, 1))
		}
		p.respond(stream, true, ":status", "204")
		p.drain()
	})
	s := send(t, c, limited(), post("/", size))
	if _, err := s.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if head, err := s.ReadHead(); err != nil || head.Status != 204 {
		t.Errorf("%v, %v", head, err)
	}
}
