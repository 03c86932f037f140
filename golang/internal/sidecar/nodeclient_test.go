package sidecar

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/wait"
	"github.com/cycletls/cycletls/golang/internal/websocket"
)

// npm's client needs no token, and may call the server localhost; pages in browsers
// are kept out all the same.
func TestNodeHandshake(t *testing.T) {
	b := newBench(t, Config{Node: new(envelope.Node)})
	bare := []string{"-Authorization", "-" + clientField, "-" + versionField}
	port := b.host[strings.LastIndex(b.host, ":"):]
	for name, c := range map[string]struct {
		status string
		change string
	}{
		"by address":      {"101", "X: y"},
		"by name":         {"101", "Host: localhost" + port},
		"Origin":          {"403", "Origin: http://localhost" + port},
		"Origin: null":    {"403", "Origin: null"},
		"another name":    {"403", "Host: attacker.example" + port},
		"another port":    {"403", "Host: localhost:1"},
		"no port":         {"403", "Host: localhost"},
		"no Host":         {"403", "-Host"},
		"not a WebSocket": {"426", "-Upgrade"},
	} {
		conn := b.dial()
		fmt.Fprint(conn, b.head("", append(bare, c.change)...))
		answer := make([]byte, 12)
		if _, err := io.ReadFull(conn, answer); err != nil || !bytes.HasSuffix(answer, []byte(c.status)) {
			t.Errorf("%s: %q, %v", name, answer, err)
		}
	}
}

// A server for npm's client speaks its protocol, and not ours.
func TestNodeProtocol(t *testing.T) {
	p := newBench(t, Config{Node: new(envelope.Node)}).connect(clientA)
	if err := p.ws.Send(wait.Background(), websocket.Text, []byte(`{"requestId":"a","action":"x"}`)); err != nil {
		t.Fatal(err)
	}
	if _, frame, err := p.ws.Receive(wait.Background()); err != nil || !bytes.HasPrefix(frame, []byte("\x00\x01a\x00\x05error\x00\x00")) {
		t.Errorf("%q, %v", frame, err)
	}
}
