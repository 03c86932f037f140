package http2

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	xhttp2 "golang.org/x/net/http2"

	"github.com/cycletls/cycletls/golang/internal/message"
)

// NO_ERROR after a complete response only ends the upload (RFC 9113 section 8.1).
func TestNoErrorAfterTheResponseIsNone(t *testing.T) {
	c := against(t, chrome, nil, func(p *peer) {
		stream := p.request()
		p.respond(stream, false, ":status", "200")
		p.data(stream, true, "ok")
		p.must(p.WriteRSTStream(stream, xhttp2.ErrCodeNo))
		p.answerAll()
	})
	s := send(t, c, limited(), post("/", message.UnknownLength))
	if err := fill(s); !errors.Is(err, message.ErrAnswered) {
		t.Errorf("upload: %v", err)
	}
	if body, err := io.ReadAll(headed(t, s)); err != nil || string(body) != "ok" {
		t.Errorf("%q, %v", body, err)
	}
	s.Close()
	works(t, c)
}

// Bodies are cut into frames of the size that the profile says.
func TestDataFramesAreOfTheProfilesSize(t *testing.T) {
	cfg := chrome
	cfg.DataSize = 16375
	c := against(t, cfg, nil, func(p *peer) {
		for _, want := range []uint32{16375, 16375, 1250} {
			if f := await[*xhttp2.DataFrame](p); f.Length != want || f.StreamEnded() != (want == 1250) {
				t.Errorf("%v, want %d", f, want)
			}
		}
	})
	s := send(t, c, limited(), post("/", 34000))
	if _, err := s.Write(make([]byte, 34000)); err != nil {
		t.Fatal(err)
	}
	s.Close()
}

// gecko is Firefox' way with bodies.
var gecko = Upload{First: 2048, Turn: 32016, Buffer: 32768}

// sizes reads the DATA frames of a body and returns how long they are.
func sizes(p *peer, length int) (list []int) {
	for total := 0; total < length; {
		n := len(await[*xhttp2.DataFrame](p).Data())
		list = append(list, n)
		total += n
	}
	return list
}

// A body is cut as Firefox cuts it: by turns and by its buffer, which the head
// fills first (the sizes are those that Firefox 153 sent with this head's length).
func TestBodyIsCutInTurns(t *testing.T) {
	const length = 100_000
	cfg := chrome
	cfg.DataSize, cfg.Upload = 16000, &gecko
	want := []int{1661, 16000, 14720, 1296, 16000, 15472, 544, 16000, 16000, 16, 208, 2083}
	req := post("/", length)
	req.Fields = message.Fields{{Name: "te", Value: "trailers"}}
	req.Fields = append(req.Fields, message.Field{Name: "padding", Value: strings.Repeat("x", 387-int(headLength(req))-len("padding: \r\n"))})
	if !gecko.Explains(req, 16000, want) || gecko.Explains(req, 16000, want[1:]) || gecko.Explains(req, 16375, want) {
		t.Error("the sizes are not explained")
	}
	done := make(chan []int, 1)
	c := against(t, cfg, wide, func(p *peer) {
		p.grant()
		done <- sizes(p, length)
		p.drain()
	})
	upload(t, c, req)
	if got := <-done; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// Where a window ends, a turn of Firefox' does, and Chromium goes on with the
// piece that it had begun.
func TestWindowsEndPieces(t *testing.T) {
	const length = 100_000
	for name, c := range map[string]struct {
		upload *Upload
		size   int
		want   []int
	}{
		"gecko":    {&gecko, 16000, []int{1661, 16000, 14720, 1296, 16000, 15472, 386, 16000, 16000, 16, 366, 2083}},
		"chromium": {nil, 16375, []int{16375, 16375, 16375, 16375, 35, 16340, 16375, 1750}},
	} {
		cfg := chrome
		cfg.DataSize, cfg.Upload = c.size, c.upload
		req := post("/", length)
		req.Fields = message.Fields{{Name: "padding", Value: strings.Repeat("x", 387-int(headLength(req))-len("padding: \r\n"))}}
		done := make(chan []int, 1)
		conn := against(t, cfg, nil, func(p *peer) {
			first := sizes(p, 65535)
			p.must(p.WriteWindowUpdate(0, length))
			p.must(p.WriteWindowUpdate(1, length))
			done <- append(first, sizes(p, length-65535)...)
			p.drain()
		})
		s := send(t, conn, limited(), req)
		if _, err := s.Write(make([]byte, length)); err != nil {
			t.Fatal(err)
		}
		if got := <-done; !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// A long body is not cut where the buffer for sending is full.
func TestLongBodiesAreCutAlike(t *testing.T) {
	const length = 100 * 16375
	cfg := chrome
	cfg.DataSize = 16375
	done := make(chan []int, 1)
	c := against(t, cfg, wide, func(p *peer) {
		p.grant()
		done <- sizes(p, length)
		p.drain()
	})
	upload(t, c, post("/", length))
	if got := <-done; len(got) != 100 || slices.Max(got) != 16375 {
		t.Errorf("%v", got)
	}
}

// wide gives a server windows that no body of these tests ends.
var wide = []xhttp2.Setting{{ID: xhttp2.SettingInitialWindowSize, Val: 1 << 22}}

// grant opens the connection's window as wide and lets the client begin.
func (p *peer) grant() {
	p.must(p.WriteWindowUpdate(0, 1<<22))
	p.respond(p.request(), false, ":status", "100")
}

// upload sends a body once the windows are known.
func upload(t *testing.T, c *Conn, req *message.Request) {
	t.Helper()
	s := send(t, c, limited(), req)
	if goOn, err := s.AwaitContinue(10 * time.Second); !goOn || err != nil {
		t.Fatal(goOn, err)
	}
	if _, err := s.Write(make([]byte, req.Length)); err != nil {
		t.Fatal(err)
	}
}

// fill writes until that ends.
func fill(s message.Stream) error {
	for piece := make([]byte, 32<<10); ; {
		if _, err := s.Write(piece); err != nil {
			return err
		}
	}
}

// A server that answers with an error while it does not read the body gets no
// more of it; a success that begins early does not stop the upload.
func TestEarlyAnswerEndsTheUpload(t *testing.T) {
	c := against(t, chrome, nil, func(p *peer) {
		stream := p.request()
		p.respond(stream, false, ":status", "413")
		p.data(stream, false, "too ")
		p.data(stream, true, "large")
		if f := await[*xhttp2.RSTStreamFrame](p); f.ErrCode != xhttp2.ErrCodeCancel {
			t.Errorf("reset with %v", f.ErrCode)
		}
		p.answerAll()
	})
	s := send(t, c, limited(), post("/", 1<<30))
	if err := fill(s); !errors.Is(err, message.ErrAnswered) {
		t.Errorf("upload: %v", err)
	}
	head, err := s.ReadHead()
	if err != nil || head.Status != 413 {
		t.Fatal(head, err)
	}
	if body, err := io.ReadAll(s); err != nil || string(body) != "too large" {
		t.Errorf("%q, %v", body, err)
	}
	s.Close()
	works(t, c)
}

// A success that begins before the body has come does not stop the upload.
func TestEarlySuccessDoesNotEndTheUpload(t *testing.T) {
	c := against(t, chrome, nil, func(p *peer) {
		stream := p.request()
		p.respond(stream, false, ":status", "200")
		for got := 0; got < 200000; {
			n := len(await[*xhttp2.DataFrame](p).Data())
			got += n
			if n > 0 {
				p.must(p.WriteWindowUpdate(0, uint32(n)))
				p.must(p.WriteWindowUpdate(stream, uint32(n)))
			}
		}
		p.data(stream, true, "all")
		p.drain()
	})
	s := send(t, c, limited(), post("/", 200000))
	if n, err := s.Write(make([]byte, 200000)); err != nil {
		t.Fatal(n, err)
	}
	if body, err := io.ReadAll(headed(t, s)); err != nil || string(body) != "all" {
		t.Errorf("%q, %v", body, err)
	}
}

// A response that came before the server stopped reading is not lost when
// writing fails.
func TestResponseSurvivesAFailedWrite(t *testing.T) {
	client, server := pipe(t)
	c := NewConn(client, chrome)
	p := &peer{t: t, conn: server, Framer: xhttp2.NewFramer(server, server)}
	p.enc = newEncoder(p)
	p.must(p.WriteSettings())
	s := send(t, c, limited(), post("/", 1<<20))
	if _, err := s.Write(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	p.respond(1, false, ":status", "400")
	p.data(1, true, "no")
	server.Reset()
	if err := fill(s); !errors.Is(err, message.ErrAnswered) {
		t.Fatalf("upload: %v", err)
	}
	if body, err := io.ReadAll(headed(t, s)); err != nil || string(body) != "no" {
		t.Errorf("%q, %v", body, err)
	}
	if c.Available() {
		t.Error("the connection calls itself available")
	}
}

// A final response instead of 100 (Continue) keeps the body back; no answer in
// time lets it go.
func TestExpectation(t *testing.T) {
	c := against(t, chrome, nil, func(p *peer) {
		p.respond(p.request(), true, ":status", "417")
		silent := p.request()
		if f := await[*xhttp2.DataFrame](p); !f.StreamEnded() || !bytes.Equal(f.Data(), []byte("body")) {
			t.Errorf("got %v", f)
		}
		p.respond(silent, true, ":status", "204")
		p.drain()
	})
	s := send(t, c, limited(), post("/", 4))
	if goOn, err := s.AwaitContinue(10 * time.Second); goOn || err != nil {
		t.Errorf("refused: %v, %v", goOn, err)
	}
	if head, err := s.ReadHead(); err != nil || head.Status != 417 {
		t.Error(head, err)
	}
	s.Close()
	s = send(t, c, limited(), post("/", 4))
	if goOn, err := s.AwaitContinue(10 * time.Millisecond); !goOn || err != nil {
		t.Fatalf("silent: %v, %v", goOn, err)
	}
	if _, err := s.Write([]byte("body")); err != nil {
		t.Fatal(err)
	}
	if head, err := s.ReadHead(); err != nil || head.Status != 204 {
		t.Error(head, err)
	}
}
