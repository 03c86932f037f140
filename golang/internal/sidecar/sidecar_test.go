package sidecar

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tinylib/msgp/msgp"

	"github.com/cycletls/cycletls/golang/internal/library"
	"github.com/cycletls/cycletls/golang/internal/wait"
	"github.com/cycletls/cycletls/golang/internal/websocket"
)

const (
	token   = "0123456789012345678901234567890123456789012"
	clientA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	clientB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	// prompt is how long what must happen at once may take on a busy machine.
	prompt = 20 * time.Second
)

// bench is a server and what its tests need.
type bench struct {
	*testing.T
	*Server
}

func newBench(t *testing.T, cfg Config) *bench {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Version, cfg.Token = "1", token
	server, err := Serve(listener, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return &bench{t, server}
}

// head is a handshake as it should be, but for changes: "Name: value" replaces a
// field, "-Name" takes it out, and a line without a colon is the first one.
func (b *bench) head(client string, changes ...string) string {
	lines := []string{
		"GET / HTTP/1.1", "Host: " + b.host, "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
		"Authorization: Bearer " + token, clientField + ": " + client, versionField + ": 1",
	}
	for _, change := range changes {
		name, _, isField := strings.Cut(strings.TrimPrefix(change, "-"), ":")
		at := 0
		if isField && !strings.Contains(name, " ") || change[0] == '-' {
			for at = 0; at < len(lines) && !strings.HasPrefix(lines[at], name+":"); at++ {
			}
		}
		switch {
		case change[0] == '-':
			lines = append(lines[:at], lines[at+1:]...)
		case at == len(lines):
			lines = append(lines, change)
		default:
			lines[at] = change
		}
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// dial connects without a word.
func (b *bench) dial() net.Conn {
	b.Helper()
	conn, err := net.Dial("tcp", b.host)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(prompt))
	return conn
}

// peer is a client that did its handshake.
type peer struct {
	*bench
	conn net.Conn
	ws   *websocket.Conn
}

func (b *bench) connect(client string) *peer {
	b.Helper()
	conn := b.dial()
	fmt.Fprint(conn, b.head(client))
	answer := make([]byte, 0, 1024)
	for !bytes.HasSuffix(answer, []byte("\r\n\r\n")) {
		n, err := conn.Read(answer[len(answer) : len(answer)+1])
		if err != nil {
			b.Fatalf("%v after %q", err, answer)
		}
		answer = answer[:len(answer)+n]
	}
	if !bytes.HasPrefix(answer, []byte("HTTP/1.1 101 ")) {
		b.Fatalf("%q", answer)
	}
	return &peer{b, conn, websocket.New(&duplex{conn}, websocket.Config{})}
}

// appendOrder is the other half of parseOrder.
func appendOrder(out []byte, o order) []byte {
	out = binary.LittleEndian.AppendUint64(out, o.ticket)
	out = binary.LittleEndian.AppendUint64(out, o.target)
	out = binary.LittleEndian.AppendUint64(out, o.size)
	out = binary.LittleEndian.AppendUint32(out, uint32(o.verb))
	out = binary.LittleEndian.AppendUint32(out, uint32(len(o.message)))
	return append(append(out, o.message...), o.body...)
}

func (p *peer) send(o order) {
	p.Helper()
	if err := p.ws.Send(wait.Background(), websocket.Binary, appendOrder(nil, o)); err != nil {
		p.Fatal(err)
	}
}

// answer is what came of a verb.
type answer struct {
	ticket, handle uint64
	length, filled int64
	status         int32
	message        map[string]any
	body           []byte
}

func (p *peer) receive() answer {
	p.Helper()
	opcode, raw, err := p.ws.Receive(wait.Background())
	if err != nil || opcode != websocket.Binary || len(raw) < replySize {
		p.Fatalf("opcode %d, %d bytes, %v", opcode, len(raw), err)
	}
	var a answer
	a.ticket, a.handle = binary.LittleEndian.Uint64(raw), binary.LittleEndian.Uint64(raw[8:])
	a.length, a.filled = int64(binary.LittleEndian.Uint64(raw[16:])), int64(binary.LittleEndian.Uint64(raw[24:]))
	a.status = int32(binary.LittleEndian.Uint32(raw[32:]))
	size := binary.LittleEndian.Uint32(raw[36:])
	a.message = map[string]any{}
	if size > 0 {
		read, _, err := msgp.ReadIntfBytes(raw[replySize : replySize+size])
		if err != nil {
			p.Fatal(err)
		}
		a.message = read.(map[string]any)
	}
	a.body = bytes.Clone(raw[replySize+size:])
	return a
}

// gone waits for the server to end the connection.
func (p *peer) gone() *websocket.CloseError {
	p.Helper()
	var closed *websocket.CloseError
	for {
		_, _, err := p.ws.Receive(wait.Background())
		if err == nil {
			continue
		}
		if !errors.As(err, &closed) || errors.Is(closed.Cause, wait.ErrWouldBlock) {
			p.Fatal(err)
		}
		return closed
	}
}

// pack makes a message of text fields.
func pack(fields ...string) []byte {
	out := msgp.AppendMapHeader(nil, uint32(len(fields)/2))
	for _, text := range fields {
		out = msgp.AppendString(out, text)
	}
	return out
}

// plain is a profile's document.
func plain(t *testing.T) string {
	document, err := os.ReadFile("../../../cycletls/browsers/plain.json")
	if err != nil {
		t.Fatal(err)
	}
	return string(document)
}

func (p *peer) ask(ticket, target uint64, message []byte) answer {
	p.Helper()
	p.send(order{ticket: ticket, target: target, verb: int32(library.VerbCall), message: message})
	return p.receive()
}

// alive fails where the server does not serve any more.
func (b *bench) alive() {
	b.Helper()
	p := b.connect(strings.Repeat("f", clientSize))
	defer p.ws.Shut()
	if a := p.ask(1, 0, pack("type", "stats")); a.status != library.Done || a.ticket != 1 {
		b.Fatalf("%+v", a)
	}
}

// A verb is answered under its ticket, with what the library says.
func TestVerbIsAnswered(t *testing.T) {
	newBench(t, Config{}).alive()
}

// Connections of one process share what they made, and nobody else knows it.
func TestHandlesBelongToTheProcess(t *testing.T) {
	b := newBench(t, Config{})
	one, two, other := b.connect(clientA), b.connect(clientA), b.connect(clientB)
	session := uint64(0)
	if a := one.ask(1, 0, pack("type", "session", "profile", plain(t))); a.status == library.Done {
		session = uint64(a.message["handle"].(uint64))
	} else {
		t.Fatalf("%+v", a)
	}
	list := pack("type", "cookies", "action", "list")
	if a := two.ask(1, session, list); a.message["type"] != "cookieList" {
		t.Errorf("the process's other connection: %+v", a)
	}
	if a := other.ask(1, session, list); a.message["kind"] != "closed" {
		t.Errorf("another process: %+v", a)
	}
}

// The last connection of a process takes with it what the process had.
func TestLastDisconnectClosesEverything(t *testing.T) {
	b := newBench(t, Config{})
	one, two := b.connect(clientA), b.connect(clientA)
	made := one.ask(1, 0, pack("type", "makeToken"))
	one.conn.Close()
	if a := two.ask(1, 0, pack("type", "stats")); a.status != library.Done {
		t.Errorf("%+v", a)
	}
	two.conn.Close()
	for deadline := time.Now().Add(prompt); ; {
		b.mu.Lock()
		left := len(b.clients)
		b.mu.Unlock()
		if left == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the process is still there")
		}
	}
	if made.handle != 0 || made.message["handle"] == nil {
		t.Errorf("%+v", made)
	}
}

// Whoever may not come in is told so, and the server goes on.
func TestHandshakeRefusals(t *testing.T) {
	b := newBench(t, Config{})
	long := strings.Repeat("a", maxHead)
	for name, c := range map[string]struct {
		status  string
		changes []string
	}{
		"no token":              {"401", []string{"-Authorization"}},
		"wrong token":           {"401", []string{"Authorization: Bearer " + strings.Repeat("1", 43)}},
		"shorter token":         {"401", []string{"Authorization: Bearer " + token[1:]}},
		"empty token":           {"401", []string{"Authorization: Bearer "}},
		"token as Basic":        {"401", []string{"Authorization: Basic " + token}},
		"token twice":           {"401", []string{"X: y\r\nAuthorization: Bearer " + token}},
		"token in the URL":      {"401", []string{"GET /?token=" + token + " HTTP/1.1", "-Authorization"}},
		"Origin":                {"403", []string{"Origin: http://127.0.0.1"}},
		"Origin: null":          {"403", []string{"Origin: null"}},
		"Origin, empty":         {"403", []string{"Origin: "}},
		"no Host":               {"403", []string{"-Host"}},
		"Host by name":          {"403", []string{"Host: localhost"}},
		"Host of the attacker":  {"403", []string{"Host: attacker.example"}},
		"Host without port":     {"403", []string{"Host: 127.0.0.1"}},
		"Host with another":     {"403", []string{"Host: 127.0.0.1:1"}},
		"Host as a number":      {"403", []string{"Host: 2130706433"}},
		"Host twice":            {"403", []string{"X: y\r\nHost: " + b.host}},
		"another path":          {"404", []string{"GET /other HTTP/1.1"}},
		"another method":        {"404", []string{"POST / HTTP/1.1"}},
		"absolute target":       {"404", []string{"GET http://" + b.host + "/ HTTP/1.1"}},
		"HTTP/1.0":              {"400", []string{"GET / HTTP/1.0"}},
		"HTTP/2":                {"400", []string{"PRI * HTTP/2.0"}},
		"TLS":                   {"400", []string{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"}},
		"a line without colon":  {"400", []string{"X: y\r\nnothing"}},
		"folded field":          {"400", []string{"X: y\r\n z"}},
		"NUL in a field":        {"400", []string{"X: \x00"}},
		"bytes after the head":  {"400", []string{"X: y\r\n\r\n\x81\x80"}},
		"no client":             {"400", []string{"-" + clientField}},
		"short client":          {"400", []string{clientField + ": 1"}},
		"another version":       {"409", []string{versionField + ": 2"}},
		"no version":            {"409", []string{"-" + versionField}},
		"no upgrade":            {"426", []string{"-Upgrade"}},
		"another WebSocket":     {"426", []string{"Sec-WebSocket-Version: 8"}},
		"a key that is none":    {"426", []string{"Sec-WebSocket-Key: x"}},
		"a field that is long":  {"431", []string{"X: " + long}},
		"a target that is long": {"431", []string{"GET /" + long + " HTTP/1.1"}},
	} {
		conn := b.dial()
		go fmt.Fprint(conn, b.head(clientA, c.changes...))
		answer, err := io.ReadAll(conn)
		if !bytes.HasPrefix(answer, []byte("HTTP/1.1 "+c.status+" ")) || bytes.Contains(answer, []byte(token)) {
			t.Errorf("%s: %q, %v", name, answer, err)
		}
	}
	b.alive()
}
