package http2

import (
	"errors"
	"io"
	"testing"

	xhttp2 "golang.org/x/net/http2"

	"github.com/cycletls/cycletls/golang/internal/message"
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
