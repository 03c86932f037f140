package http2

import (
	"bytes"
	"errors"
	"io"
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
