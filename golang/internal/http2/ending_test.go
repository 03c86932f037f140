package http2

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	xhttp2 "golang.org/x/net/http2"

	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

func wantReset(t *testing.T, err error, name string, whole bool) {
	t.Helper()
	var reset *message.ResetError
	if !errors.As(err, &reset) || reset.Name != name || reset.Whole != whole {
		t.Errorf("got %v, want a reset with %s", err, name)
	}
}

func wantDelivery(t *testing.T, s message.Stream, want message.Delivery) {
	t.Helper()
	if got := s.Delivery(); got != want {
		t.Errorf("delivery %d, want %d", got, want)
	}
}

// GOAWAY: streams above the last were not processed and may be sent again, the
// others end as if nothing had happened; the connection takes no more.
func TestGoAwaySparesProcessedStreams(t *testing.T) {
	idle := make(chan bool, 1)
	c := against(t, chrome, nil, func(p *peer) {
		first := p.request()
		p.request()
		p.must(p.WriteGoAway(first, xhttp2.ErrCodeNo, []byte("maintenance\n")))
		p.respond(first, false, ":status", "200")
		p.data(first, true, "ok")
		p.drain()
	})
	c.OnIdle(func(_ *Conn, usable bool) { idle <- usable })
	first := send(t, c, limited(), get("/1"))
	second := send(t, c, limited(), get("/2"))
	wantDelivery(t, second, message.Sent)
	_, err := second.ReadHead()
	wantReset(t, err, "NO_ERROR", true)
	if want := "connection closed by the server (GOAWAY): NO_ERROR: maintenance?"; err == nil || err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	wantDelivery(t, second, message.Unsent)
	if _, err := c.Open(limited()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("another stream: %v", err)
	}
	if body, err := io.ReadAll(headed(t, first)); err != nil || string(body) != "ok" {
		t.Errorf("%q, %v", body, err)
	}
	wantDelivery(t, first, message.Answered)
	second.Close()
	first.Close()
	if <-idle {
		t.Error("the pool was told that the connection can be used again")
	}
}

func headed(t *testing.T, s message.Stream) message.Stream {
	t.Helper()
	if _, err := s.ReadHead(); err != nil {
		t.Fatal(err)
	}
	return s
}

// GOAWAY with an error and the end after it: processed streams end with that
// error, and were sent.
func TestGoAwayExplainsTheEnd(t *testing.T) {
	c := against(t, chrome, nil, func(p *peer) {
		p.must(p.WriteGoAway(p.request(), xhttp2.ErrCodeEnhanceYourCalm, nil))
	})
	s := send(t, c, limited(), get("/"))
	_, err := s.ReadHead()
	wantReset(t, err, "ENHANCE_YOUR_CALM", true)
	wantDelivery(t, s, message.Sent)
}

// REFUSED_STREAM says that nothing was processed; other codes do not.
func TestRefusedStreamMayBeSentAgain(t *testing.T) {
	for code, delivery := range map[xhttp2.ErrCode]message.Delivery{
		xhttp2.ErrCodeRefusedStream: message.Unsent,
		xhttp2.ErrCodeInternal:      message.Sent,
		xhttp2.ErrCodeNo:            message.Sent,
	} {
		c := against(t, chrome, nil, func(p *peer) {
			p.must(p.WriteRSTStream(p.request(), code))
			p.answerAll()
		})
		s := send(t, c, limited(), get("/"))
		_, err := s.ReadHead()
		wantReset(t, err, code.String(), false)
		wantDelivery(t, s, delivery)
		works(t, c)
	}
}

// A connection that ends before a request was sent leaves it unsent, after it
// was sent does not, whatever the server says or leaves unsaid.
func TestDeliveryOfLostRequests(t *testing.T) {
	client, server := pipe(t)
	c := NewConn(client, chrome)
	s := open(t, c, limited())
	wantDelivery(t, s, message.Unsent)
	server.Reset()
	if err := s.WriteHead(get("/")); err == nil {
		_, err = s.ReadHead()
		var closed *message.ClosedError
		if !errors.As(err, &closed) {
			t.Errorf("got %v", err)
		}
	}
	wantDelivery(t, s, message.Unsent)

	c = against(t, chrome, nil, func(p *peer) { p.request() })
	s = send(t, c, limited(), get("/"))
	_, err := s.ReadHead()
	var closed *message.ClosedError
	if !errors.As(err, &closed) {
		t.Errorf("got %v", err)
	}
	wantDelivery(t, s, message.Sent)
}

// A reset in the middle of a body comes after the bytes that had come.
func TestResetFollowsTheBody(t *testing.T) {
	c := against(t, chrome, nil, func(p *peer) {
		stream := p.request()
		p.respond(stream, false, ":status", "200")
		p.data(stream, false, "part")
		p.must(p.WriteRSTStream(stream, xhttp2.ErrCodeInternal))
		p.drain()
	})
	body, err := io.ReadAll(headed(t, send(t, c, limited(), get("/"))))
	if string(body) != "part" {
		t.Errorf("%q", body)
	}
	wantReset(t, err, "INTERNAL_ERROR", false)
}

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

// Cancelling: the server is told, what still comes is digested, the table of
// the decoder stays in step.
func TestCancelledStreamIsDigested(t *testing.T) {
	cancelled := make(chan struct{})
	c := against(t, chrome, nil, func(p *peer) {
		stream := p.request()
		<-cancelled
		if f := await[*xhttp2.RSTStreamFrame](p); f.ErrCode != xhttp2.ErrCodeCancel {
			t.Errorf("reset with %v", f.ErrCode)
		}
		p.respond(stream, false, ":status", "200", "x-later", "indexed")
		p.data(stream, false, "late")
		p.must(p.WriteWindowUpdate(stream, 5))
		p.respond(stream, true, "x-trailer", "late")
		p.must(p.WriteRSTStream(stream, xhttp2.ErrCodeCancel))
		second := p.request()
		p.respond(second, true, ":status", "200", "x-later", "indexed")
		p.answerAll()
	})
	ctx := wait.Background()
	s := send(t, c, ctx, get("/"))
	ctx.Cancel(wait.ErrCancelled)
	if _, err := s.ReadHead(); !errors.Is(err, wait.ErrCancelled) {
		t.Errorf("got %v", err)
	}
	s.Close()
	close(cancelled)
	head, _, err := exchange(c, get("/"))
	if err != nil {
		t.Fatal(err)
	}
	if value, _ := head.Fields.Get("x-later"); value != "indexed" {
		t.Errorf("fields %v", head.Fields)
	}
	works(t, c)
}

// PING is answered while an exchange waits, and by a look at an idle connection.
func TestPingsAreAnswered(t *testing.T) {
	ponged := make(chan struct{})
	idle := make(chan struct{})
	c := against(t, chrome, nil, func(p *peer) {
		ping := func(stream uint32) {
			p.must(p.WritePing(false, [8]byte{1, 2, 3}))
			if stream == 0 {
				close(idle)
			}
			if f := await[*xhttp2.PingFrame](p); !f.IsAck() || f.Data != [8]byte{1, 2, 3} {
				t.Errorf("answered with %v", f)
			}
		}
		stream := p.request()
		ping(stream)
		p.respond(stream, true, ":status", "204")
		ping(0)
		close(ponged)
		p.drain()
	})
	if _, _, err := exchange(c, get("/")); err != nil {
		t.Fatal(err)
	}
	<-idle
	if !c.Alive() {
		t.Error("a living connection is called dead")
	}
	<-ponged
}

// A look at an idle connection finds out that it was closed or goes away.
func TestIdleConnectionsEndIsSeen(t *testing.T) {
	for name, end := range map[string]func(p *peer){
		"closed":  func(*peer) {},
		"reset":   func(p *peer) { p.conn.Reset() },
		"go away": func(p *peer) { p.must(p.WriteGoAway(1, xhttp2.ErrCodeNo, nil)) },
	} {
		t.Run(name, func(t *testing.T) {
			done := make(chan struct{})
			c := against(t, chrome, nil, func(p *peer) {
				defer close(done)
				p.respond(p.request(), true, ":status", "204")
				end(p)
				p.conn.Close()
			})
			if _, _, err := exchange(c, get("/")); err != nil {
				t.Fatal(err)
			}
			<-done
			if c.Alive() || c.Available() {
				t.Error("the connection calls itself usable")
			}
		})
	}
}

// Close from another thread ends every exchange, whatever it waits for, and
// what is done with a closed connection is an error.
func TestCloseEndsAllExchanges(t *testing.T) {
	waiting := make(chan struct{}, 8)
	c := against(t, chrome, []xhttp2.Setting{{ID: xhttp2.SettingMaxConcurrentStreams, Val: 8}}, func(p *peer) {
		for range 8 {
			p.request()
			waiting <- struct{}{}
		}
		p.drain()
	})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			_, _, err := exchange(c, get("/"))
			var closed *message.ClosedError
			if !errors.As(err, &closed) {
				t.Errorf("got %v", err)
			}
		})
	}
	for range 8 {
		<-waiting
	}
	group.Go(func() {
		if _, err := c.Open(limited()); !errors.Is(err, ErrUnavailable) {
			t.Errorf("open: %v", err)
		}
	})
	c.Close()
	c.Close()
	group.Wait()
	if c.Streams() != 0 || c.Available() || c.Alive() {
		t.Errorf("%d streams", c.Streams())
	}
}

// The end of a connection is announced to the server.
func TestCloseSaysGoAway(t *testing.T) {
	seen := make(chan xhttp2.ErrCode, 1)
	c := against(t, chrome, nil, func(p *peer) {
		p.respond(p.request(), true, ":status", "204")
		seen <- await[*xhttp2.GoAwayFrame](p).ErrCode
	})
	if _, _, err := exchange(c, get("/")); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if code := <-seen; code != xhttp2.ErrCodeNo {
		t.Errorf("GOAWAY with %v", code)
	}
}

// An unused connection is closed without a word.
func TestUnusedConnectionIsSilent(t *testing.T) {
	client, server := pipe(t)
	c := NewConn(client, chrome)
	if !c.Alive() || !c.Available() {
		t.Error("a new connection is called dead")
	}
	c.Close()
	if rest, err := io.ReadAll(server); len(rest) > 0 || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
}

// More streams than the server allows wait for their turn under the pool limit.
func TestStreamsWaitForTheirTurn(t *testing.T) {
	answer := make(chan struct{})
	c := against(t, chrome, []xhttp2.Setting{{ID: xhttp2.SettingMaxConcurrentStreams, Val: 1}}, func(p *peer) {
		stream := p.request()
		<-answer
		p.respond(stream, true, ":status", "204")
		p.answerAll()
	})
	knowSettings(t, c)
	first := send(t, c, limited(), get("/"))
	if c.Available() {
		t.Error("there should be no slot")
	}
	_, err := c.Open(wait.New(wait.Limits{wait.Pool: 10 * time.Millisecond}, nil))
	var timeout *wait.TimeoutError
	if !errors.As(err, &timeout) || timeout.Phase != wait.Pool {
		t.Errorf("got %v", err)
	}
	opened := make(chan error)
	go func() {
		_, _, err := exchange(c, get("/"))
		opened <- err
	}()
	close(answer)
	headed(t, first).Close()
	if err := <-opened; err != nil {
		t.Error(err)
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
