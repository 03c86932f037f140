package sidecar

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/cycletls/cycletls/golang/internal/library"
	"github.com/cycletls/cycletls/golang/internal/wait"
	"github.com/cycletls/cycletls/golang/internal/websocket"
)

// raw makes a masked frame of any first byte and any announced length.
func raw(first byte, length uint64, payload []byte) []byte {
	out := binary.BigEndian.AppendUint64([]byte{first, 0x80 | 127}, length)
	return append(append(out, 0, 0, 0, 0), payload...)
}

// Whoever breaks the rules loses that connection, and nobody else anything.
func TestBrokenRulesEndOneConnection(t *testing.T) {
	b := newBench(t, Config{MaxBody: 1 << 20, MaxOperations: 4})
	whole := appendOrder(nil, order{ticket: 1, verb: int32(library.VerbCall), message: pack("type", "stats")})
	for name, frames := range map[string][]byte{
		"text":                        raw(0x81, 2, []byte("{}")),
		"text, empty":                 {0x81, 0x80, 0, 0, 0, 0},
		"an empty message":            {0x82, 0x80, 0, 0, 0, 0},
		"half a header":               raw(0x82, orderSize-1, make([]byte, orderSize-1)),
		"a message longer than all":   raw(0x82, orderSize, append(make([]byte, orderSize-4), 0xff, 0xff, 0xff, 0xff)),
		"a frame that is not masked":  append([]byte{0x82, byte(len(whole))}, whole...),
		"a frame beyond the cap":      raw(0x82, defaultMaxMessage+1, nil),
		"a frame beyond memory":       raw(0x82, math.MaxInt64, nil),
		"a negative length":           raw(0x82, math.MaxUint64, nil),
		"a reserved opcode":           raw(0x83, 0, nil),
		"a reserved bit":              raw(0xc2, uint64(len(whole)), whole),
		"a continuation of nothing":   raw(0x80, 0, nil),
		"a ping that is fragmented":   raw(0x09, 0, nil),
		"a ping that is too long":     raw(0x89, 126, make([]byte, 126)),
		"fragments beyond the cap":    bytes.Repeat(append(raw(0x02, 1<<20, make([]byte, 1<<20)), raw(0x00, 1<<20, make([]byte, 1<<20))...), 3),
		"a Close frame of one byte":   raw(0x88, 1, []byte{3}),
		"a body beyond the cap":       raw(0x82, orderSize+2<<20, appendOrder(nil, order{ticket: 1, verb: verbMore, body: make([]byte, 2<<20)})),
		"bodies of too many requests": parts(5, 1),
		"a body without end":          parts(1, 1<<19, 1<<19, 1),
	} {
		t.Run(name, func(t *testing.T) {
			p := (&bench{t, b.Server}).connect(clientA)
			go func() { _, _ = p.conn.Write(frames) }()
			p.gone()
		})
	}
	b.alive()
}

// parts are messages that begin bodies: so many tickets, or one whose parts have
// these sizes.
func parts(tickets uint64, sizes ...int) (out []byte) {
	for ticket := range tickets {
		for _, size := range sizes {
			o := appendOrder(nil, order{ticket: ticket + 1, verb: verbMore, body: make([]byte, size)})
			out = append(out, raw(0x82, uint64(len(o)), o)...)
		}
	}
	return out
}

// What is asked of handles that nobody has is answered with an error, by any verb.
func TestUnknownHandlesAreErrors(t *testing.T) {
	b := newBench(t, Config{})
	p := b.connect(clientA)
	for verb := int32(-20); verb < 300; verb++ {
		if verb == verbCancel || verb == verbClose || verb == verbMore {
			continue
		}
		for _, target := range []uint64{0, 1, 1 << 32, math.MaxUint64} {
			p.send(order{ticket: 7, target: target, size: math.MaxUint64, verb: verb, message: pack("type", "copyJar"), body: []byte("12345678")})
			if a := p.receive(); a.ticket != 7 || a.status != library.Failed || a.message["type"] != "error" || a.filled != 0 {
				t.Fatalf("verb %d of %d: %+v", verb, target, a)
			}
		}
	}
	for _, verb := range []int32{verbCancel, verbClose} {
		p.send(order{ticket: 8, target: 1 << 33, verb: verb})
		if a := p.receive(); a.ticket != 8 || a.status != library.Done {
			t.Errorf("verb %d: %+v", verb, a)
		}
	}
	p.send(order{ticket: 9, verb: verbCancel}) // of work that there is not: no answer
	b.alive()
}

// What is no message is answered as one that the library does not understand.
func TestNonsenseIsAnswered(t *testing.T) {
	b := newBench(t, Config{})
	p := b.connect(clientA)
	for _, message := range [][]byte{nil, {0xc0}, {0x81}, pack("type", "nonsense"), pack("kind", "stats"), bytes.Repeat([]byte{0x91}, 1<<16)} {
		if a := p.ask(1, 0, message); a.message["kind"] != "invalid_message" {
			t.Errorf("%.10x: %+v", message, a)
		}
	}
	if a := p.ask(1, 0, pack("type", "serve")); a.status != library.Failed {
		t.Errorf("a sidecar of a sidecar: %+v", a)
	}
}

// A ticket names one piece of work at a time.
func TestTicketInUseEndsTheConnection(t *testing.T) {
	b := newBench(t, Config{})
	p := b.connect(clientA)
	session, waiting := p.silent(t)
	p.send(order{ticket: 5, target: session, verb: int32(library.VerbCall), message: request(waiting)})
	p.send(order{ticket: 5, target: session, verb: int32(library.VerbCall), message: request(waiting)})
	p.gone()
	b.alive()
}

// silent makes a session, and a server that takes requests and never answers.
func (p *peer) silent(t *testing.T) (session uint64, server net.Listener) {
	t.Helper()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	made := p.ask(1, 0, pack("type", "session", "profile", plain(t)))
	handle, ok := made.message["handle"].(uint64)
	if !ok {
		t.Fatalf("%+v", made)
	}
	return handle, server
}

func request(server net.Listener) []byte {
	return pack("type", "request", "method", "GET", "url", fmt.Sprintf("http://%v/", server.Addr()))
}

// Cancelling by ticket ends the work, which says so, and disconnecting ends it on
// the wire.
func TestWorkEndsWhenItIsCancelledOrTheClientGoes(t *testing.T) {
	b := newBench(t, Config{})
	p := b.connect(clientA)
	session, server := p.silent(t)
	for _, leave := range []func(){
		func() {
			p.send(order{ticket: 5, verb: verbCancel})
			if a := p.receive(); a.ticket != 5 || a.message["kind"] != "cancelled" {
				t.Errorf("%+v", a)
			}
		},
		func() { p.conn.Close() },
	} {
		p.send(order{ticket: 5, target: session, verb: int32(library.VerbCall), message: request(server)})
		upstream, err := server.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_ = upstream.SetDeadline(time.Now().Add(prompt))
		leave()
		for buffer := make([]byte, 1<<10); err == nil; {
			_, err = upstream.Read(buffer)
		}
		if wait.IsTimeout(err) || strings.Contains(err.Error(), "timeout") {
			t.Error("the server is still waited for")
		}
	}
}

// A client that does not read what it has asked for is cut off, and holds back
// nobody.
func TestSlowReaderIsCutOff(t *testing.T) {
	b := newBench(t, Config{Stall: 100 * time.Millisecond})
	p := b.connect(clientA)
	message := pack("type", "describe", "profile", plain(t))
	go func() {
		for ticket := uint64(1); ; ticket++ {
			o := appendOrder(nil, order{ticket: ticket, verb: int32(library.VerbCall), message: message})
			if p.ws.Send(wait.Background(), websocket.Binary, o) != nil {
				return
			}
		}
	}()
	for deadline := time.Now().Add(prompt); ; time.Sleep(time.Millisecond) { // nobody tells of it: it is the peer that is cut off
		b.mu.Lock()
		left := len(b.clients)
		b.mu.Unlock()
		if left == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it is still served")
		}
	}
	b.alive()
}

// A thousand connections that say nothing, or half of a handshake, or all of it, are
// bounded, and end by themselves.
func TestThousandConnections(t *testing.T) {
	b := newBench(t, Config{Patience: 200 * time.Millisecond, MaxConnections: 100, MaxStrangers: 50})
	head := b.head(clientA)
	var conns []net.Conn
	for i := range 1000 {
		conn, err := net.Dial("tcp", b.host)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
		_, _ = conn.Write([]byte(head[:len(head)*(i%3)/2]))
		b.mu.Lock()
		open, strangers := len(b.open), b.strangers
		b.mu.Unlock()
		if open > 100 || strangers > 50 {
			t.Fatalf("%d connections, %d of strangers", open, strangers)
		}
	}
	for i, conn := range conns {
		_ = conn.SetDeadline(time.Now().Add(prompt))
		if i%3 != 2 {
			for buffer := make([]byte, 1<<10); ; {
				if _, err := conn.Read(buffer); err != nil {
					if strings.Contains(err.Error(), "timeout") {
						t.Fatal("a stranger is still waited for")
					}
					break
				}
			}
		}
	}
	for _, conn := range conns {
		conn.Close()
	}
	for deadline := time.Now().Add(prompt); ; time.Sleep(time.Millisecond) { // as above
		b.mu.Lock()
		open := len(b.open)
		b.mu.Unlock()
		if open == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d are still open", open)
		}
	}
	b.alive()
}

// Only loopback is served, and only with a token that cannot be guessed.
func TestServesOnlyWhatIsSafe(t *testing.T) {
	for address, secret := range map[string]string{"0.0.0.0:0": token, "127.0.0.1:0": token[1:], "[::]:0": token} {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			continue // no IPv6 here
		}
		if s, err := Serve(listener, Config{Token: secret}); err == nil {
			s.Close()
			t.Errorf("%s with a token of %d characters is served", address, len(secret))
		}
	}
}

// A server without clients ends when its time has come, and not before.
func TestIdleServerEnds(t *testing.T) {
	b := newBench(t, Config{IdleExit: 50 * time.Millisecond})
	p := b.connect(clientA)
	if err := b.Await(wait.New(wait.Limits{wait.Total: 200 * time.Millisecond}, nil)); err == nil {
		t.Fatal("it ended under its client")
	}
	p.conn.Close()
	if err := b.Await(wait.New(wait.Limits{wait.Total: prompt}, nil)); err != nil {
		t.Error(err)
	}
}
