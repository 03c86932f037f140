package http2

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	xhttp2 "golang.org/x/net/http2"

	"github.com/cycletls/cycletls/golang/internal/wait"
	"github.com/cycletls/cycletls/golang/internal/wait/waittest"
)

// An exchange on a warm connection costs one write and one read.
func TestWarmExchangeIsOneWriteAndOneRead(t *testing.T) {
	client, server := pipe(t)
	c := NewConn(client, chrome)
	p := &peer{t: t, conn: server, Framer: xhttp2.NewFramer(server, server)}
	p.enc = newEncoder(p)
	p.must(p.WriteSettings())
	for stream := uint32(1); stream < 20; stream += 2 {
		// The answer is there before it is waited for, as one segment.
		var segment bytes.Buffer
		p.Framer = xhttp2.NewFramer(&segment, nil)
		p.respond(stream, false, ":status", "200", "content-length", "2")
		p.data(stream, true, "ok")
		reads, writes := client.Reads(), client.Writes()
		s := send(t, c, limited(), get("/"))
		if _, err := server.Write(segment.Bytes()); err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(headed(t, s)); err != nil || string(body) != "ok" {
			t.Fatal(body, err)
		}
		s.Close()
		if reads, writes = client.Reads()-reads, client.Writes()-writes; stream > 1 && (reads != 1 || writes != 1) {
			t.Errorf("stream %d: %d reads, %d writes", stream, reads, writes)
		}
		if cap(c.waiting) > 0 {
			t.Error("it followed although nobody else was there")
		}
	}
}

// A wait that ends in the middle of a frame loses nothing: the next leader goes
// on where it ended, at every byte of an answer.
func TestWaitMayEndInTheMiddleOfAFrame(t *testing.T) {
	client, server := pipe(t)
	c := NewConn(client, chrome)
	p := &peer{t: t, conn: server, Framer: xhttp2.NewFramer(server, server)}
	p.enc = newEncoder(p)
	var answer bytes.Buffer
	p.Framer = xhttp2.NewFramer(&answer, nil)
	p.must(p.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingMaxConcurrentStreams, Val: 1000}))
	block := bytes.Clone(p.encode(":status", "200", "x-long", strings.Repeat("value", 20)))
	p.must(p.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:10]}))
	p.must(p.WriteContinuation(1, false, block[10:40]))
	p.must(p.WriteContinuation(1, true, block[40:]))
	p.must(p.WriteDataPadded(1, false, []byte("some"), make([]byte, 7)))
	p.data(1, true, " body")
	first := send(t, c, limited(), get("/"))
	for i, b := range answer.Bytes() {
		if _, err := server.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
		s := open(t, c, wait.New(wait.Limits{wait.Total: time.Nanosecond}, nil))
		if err := s.WriteHead(get("/")); err == nil {
			if _, err = s.ReadHead(); err == nil {
				t.Fatalf("byte %d: another stream's head", i)
			}
		}
		s.Close()
		c.Alive()
	}
	if body, err := io.ReadAll(headed(t, first)); err != nil || string(body) != "some body" {
		t.Errorf("%q, %v", body, err)
	}
}

// Many threads, some of which give up at any moment: the others get their own
// answers, whole, and the connection lives.
func TestLeadershipSurvivesThoseWhoLeave(t *testing.T) {
	client, server := waittest.Pipe()
	client.SetMaxRead(700) // frames come in pieces
	go reflect(server)
	c := NewConn(client, small)
	defer c.Close()
	var group sync.WaitGroup
	for thread := range 16 {
		group.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(thread)))
			for i := range 150 {
				size := random.IntN(40000)
				err := reflected(c, random, size, thread%2 == 0)
				if err != nil && !(thread%2 == 0 && wait.IsStop(err)) {
					t.Errorf("thread %d, exchange %d: %v", thread, i, err)
					return
				}
			}
		})
	}
	group.Wait()
	if c.Streams() != 0 || !c.Alive() {
		t.Errorf("%d streams, %v", c.Streams(), c.err)
	}
	if c.leading || c.leader != nil || c.heir != nil || len(c.waiting) > 0 {
		t.Errorf("somebody still leads, or waits: %+v", c.reader.waiting)
	}
}

// reflected asks for a body of a size; the fickle cancel or time out at random.
func reflected(c *Conn, random *rand.Rand, size int, fickle bool) error {
	ctx := limited()
	if fickle {
		ctx = wait.New(wait.Limits{wait.Total: time.Duration(random.IntN(3000)) * time.Microsecond}, nil)
		if random.IntN(2) == 0 {
			timer := time.AfterFunc(time.Duration(random.IntN(2000))*time.Microsecond, func() { ctx.Cancel(wait.ErrCancelled) })
			defer timer.Stop()
		}
	}
	s, err := c.Open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.WriteHead(get("/" + strconv.Itoa(size))); err != nil {
		return err
	}
	head, err := s.ReadHead()
	if err != nil {
		return err
	}
	body, err := io.ReadAll(s)
	if err != nil {
		return err
	}
	if seen, _ := head.Fields.Get("x-path"); seen != "/"+strconv.Itoa(size) || len(body) != size {
		return fmt.Errorf("%d bytes for %s, wanted %d", len(body), seen, size)
	}
	return nil
}

// reflect is x/net's server on a connection in memory; a path says how much it
// answers.
func reflect(conn *waittest.Conn) {
	(&xhttp2.Server{}).ServeConn(conn, &xhttp2.ServeConnOpts{Handler: http.HandlerFunc(sized)})
}

// sized answers with as many bytes as the path says.
func sized(w http.ResponseWriter, r *http.Request) {
	size, _ := strconv.Atoi(r.URL.Path[1:])
	w.Header().Set("X-Path", r.URL.Path)
	w.Header().Set("Content-Length", r.URL.Path[1:])
	_, _ = w.Write(make([]byte, size))
}

// A follower takes over when the leader's exchange ends by a cancellation.
func TestFollowerTakesOver(t *testing.T) {
	both := make(chan struct{})
	left := make(chan struct{})
	c := against(t, chrome, nil, func(p *peer) {
		p.request()
		second := p.request()
		close(both)
		<-left
		p.respond(second, true, ":status", "204")
		p.drain()
	})
	ctx := wait.Background()
	leader := send(t, c, ctx, get("/"))
	led := make(chan error)
	go func() {
		_, err := leader.ReadHead()
		led <- err
	}()
	until(t, c, func() bool { return c.leading })
	followed := make(chan error)
	go func() {
		_, _, err := exchange(c, get("/"))
		followed <- err
	}()
	<-both
	ctx.Cancel(wait.ErrCancelled)
	if err := <-led; !errors.Is(err, wait.ErrCancelled) {
		t.Errorf("leader: %v", err)
	}
	close(left)
	if err := <-followed; err != nil {
		t.Errorf("follower: %v", err)
	}
}

// A follower hears of its answer at once, not when a slice of its wait is over.
func TestFollowersAreWokenAtOnce(t *testing.T) {
	c := against(t, chrome, nil, func(p *peer) {
		p.request()
		p.answerAll()
	})
	leader := send(t, c, wait.Background(), get("/"))
	group := sync.WaitGroup{}
	group.Go(func() { _, _ = leader.ReadHead() })
	until(t, c, func() bool { return c.leading })
	best := time.Hour
	for range 20 {
		began := time.Now()
		works(t, c)
		best = min(best, time.Since(began))
	}
	if best > wait.Tick/2 {
		t.Errorf("the quickest answer took %v", best)
	}
	c.Close()
	group.Wait()
}

// What a leader's buffer does not hold stays where it came, and reaches the
// next one without a detour.
func TestOwnBodyTakesNoDetour(t *testing.T) {
	c := against(t, chrome, nil, func(p *peer) {
		stream := p.request()
		p.respond(stream, false, ":status", "200")
		p.data(stream, true, strings.Repeat("0123456789", 1000))
		p.drain()
	})
	s := headed(t, send(t, c, limited(), get("/")))
	var body []byte
	for piece := make([]byte, 70); ; {
		n, err := s.Read(piece)
		body = append(body, piece[:n]...)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if s.(*Stream).queue.len() > 0 {
			t.Fatal("the body was queued")
		}
	}
	if string(body) != strings.Repeat("0123456789", 1000) {
		t.Errorf("%d bytes", len(body))
	}
}

// until waits for a state of the connection.
func until(t *testing.T, c *Conn, state func() bool) {
	for end := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		c.mu.Lock()
		there := state()
		c.mu.Unlock()
		if there {
			return
		}
		if time.Now().After(end) {
			t.Error("the connection did not come to the state")
			return
		}
	}
}

// A peer that reads nothing until it is read from does not stop an upload.
func TestMutualBackpressureDoesNotDeadlock(t *testing.T) {
	client, server := waittest.Pipe()
	client.SetCapacity(10000)
	server.SetCapacity(10000)
	done := make(chan struct{})
	go func() {
		defer close(done)
		mirror(t, server)
	}()
	c := NewConn(client, chrome)
	body := bytes.Repeat([]byte("0123456789"), 6000)
	if err := echo(c, body); err != nil {
		t.Error(err)
	}
	c.Close()
	<-done
}

// mirror answers one request with its own body, on one thread: it writes each
// piece back before it reads the next.
func mirror(t *testing.T, conn *waittest.Conn) {
	p := &peer{t: t, conn: conn, Framer: xhttp2.NewFramer(conn, conn)}
	p.enc = newEncoder(p)
	defer conn.Close()
	defer p.end()
	p.must(p.WriteSettings())
	p.preface()
	stream := await[*xhttp2.HeadersFrame](p).StreamID
	p.respond(stream, false, ":status", "200")
	for {
		f := await[*xhttp2.DataFrame](p)
		p.data(stream, f.StreamEnded(), string(f.Data()))
		if f.StreamEnded() {
			p.drain()
		}
	}
}

// echo posts a body and expects it back.
func echo(c *Conn, body []byte) error {
	s, err := c.Open(limited())
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.WriteHead(post("/echo", int64(len(body)))); err != nil {
		return err
	}
	if _, err := s.Write(body); err != nil {
		return err
	}
	if err := s.CloseWrite(nil); err != nil {
		return err
	}
	if _, err := s.ReadHead(); err != nil {
		return err
	}
	got, err := io.ReadAll(s)
	if err == nil && !bytes.Equal(got, body) {
		err = fmt.Errorf("%d bytes came back of %d", len(got), len(body))
	}
	return err
}

// A sender whose wait ends in the middle of its bytes leaves the rest to the
// others: their requests reach the server whole.
func TestSenderMayLeaveInTheMiddleOfAFrame(t *testing.T) {
	client, server := waittest.Pipe()
	client.SetCapacity(2000)
	c := NewConn(client, chrome)
	defer c.Close()
	ctx := wait.New(wait.Limits{wait.Write: 20 * time.Millisecond}, nil)
	s := open(t, c, ctx)
	if err := s.WriteHead(post("/", 30000)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(make([]byte, 30000)); !wait.IsTimeout(err) {
		t.Fatalf("upload: %v", err)
	}
	s.Close()
	client.SetCapacity(0)
	p := &peer{t: t, conn: server, Framer: xhttp2.NewFramer(server, server)}
	p.enc = newEncoder(p)
	go func() {
		defer p.end()
		p.preface()
		if n := len(await[*xhttp2.DataFrame](p).Data()); n != 16384 {
			t.Errorf("the first frame has %d bytes", n)
		}
		if f := await[*xhttp2.RSTStreamFrame](p); f.ErrCode != xhttp2.ErrCodeCancel {
			t.Errorf("reset with %v", f.ErrCode)
		}
		second := await[*xhttp2.HeadersFrame](p).StreamID
		p.must(p.WriteSettings())
		p.respond(second, false, ":status", "200")
		p.data(second, true, "ok")
		p.drain()
	}()
	works(t, c)
}
