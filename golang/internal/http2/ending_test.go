package http2

import (
	"errors"
	"io"
	"runtime"
	"sync"
	"testing"
	"time"

	xhttp2 "golang.org/x/net/http2"

	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

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

// A server may allow no stream for a while: what allows one is seen although no
// exchange reads it.
func TestStreamsWaitUntilAnyIsAllowed(t *testing.T) {
	none := make(chan struct{})
	c := against(t, chrome, nil, func(p *peer) {
		p.must(p.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingMaxConcurrentStreams, Val: 0}))
		p.respond(p.request(), true, ":status", "204")
		<-none
		p.must(p.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingMaxConcurrentStreams, Val: 1}))
		p.answerAll()
	})
	if _, _, err := exchange(c, get("/")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.TryOpen(limited()); !errors.Is(err, ErrBusy) {
		t.Errorf("without waiting: %v", err)
	}
	go func() {
		until(t, c, func() bool { return len(c.openers) > 0 })
		close(none)
	}()
	works(t, c)
}

// Who closes silently sends no GOAWAY, but says what was wrong.
func TestSilentCloseSaysOnlyWhatIsWrong(t *testing.T) {
	cfg := chrome
	cfg.SilentClose = true
	for _, wrong := range []bool{false, true} {
		told := make(chan bool, 1)
		c := against(t, cfg, nil, func(p *peer) {
			stream := p.request()
			p.respond(stream, true, ":status", "204")
			if wrong {
				p.must(p.WriteData(0, false, nil))
			}
			defer func() { told <- recover() == nil }()
			await[*xhttp2.GoAwayFrame](p)
		})
		if _, _, err := exchange(c, get("/")); err != nil {
			t.Fatal(err)
		}
		if wrong {
			for c.Alive() {
				runtime.Gosched()
			}
		}
		c.Close()
		if got := <-told; got != wrong {
			t.Errorf("GOAWAY: %v, want %v", got, wrong)
		}
	}
}
