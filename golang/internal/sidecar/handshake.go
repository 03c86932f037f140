package sidecar

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/websocket"
)

// Fields of a client's handshake beside those of WebSocket's.
const (
	// clientField has the number of the client's process, random, in hexadecimal: its
	// connections belong together.
	clientField  = "Cycletls-Client"
	versionField = "Cycletls-Version"
)

const (
	maxHead    = 8 << 10
	clientSize = 32 // hexadecimal digits: 128 bits that nobody else has
)

// hello is what a handshake says.
type hello struct {
	method, target string
	fields         message.Fields
	client         string
}

// refusal is a handshake that is answered with a status.
type refusal struct {
	status string
	reason string
}

func (r *refusal) Error() string { return r.status + ": " + r.reason }

// welcome does the handshake with a client, or refuses it.
func (s *Server) welcome(conn net.Conn) (*hello, error) {
	_ = conn.SetDeadline(time.Now().Add(s.cfg.Patience))
	answer, h, err := s.answer(conn)
	var refused *refusal
	if errors.As(err, &refused) {
		answer = refused.response()
	}
	if answer != nil {
		if _, failed := conn.Write(answer); failed != nil {
			return nil, failed
		}
	}
	if err != nil {
		return nil, err
	}
	return h, conn.SetDeadline(time.Time{})
}

func (s *Server) answer(conn net.Conn) ([]byte, *hello, error) {
	head, err := readHead(conn)
	if err != nil {
		return nil, nil, err
	}
	h, err := parseHello(head)
	if err != nil {
		return nil, nil, err
	}
	if err := s.check(h); err != nil {
		return nil, nil, err
	}
	fields, _, err := websocket.Answer(h.fields, nil, false)
	if err != nil {
		return nil, nil, &refusal{"426 Upgrade Required", err.Error()}
	}
	return switching(fields), h, nil
}

// check refuses who must not come in: a page in a browser, which has an Origin, or,
// where its host's name was bound to this address, a Host of its own; and who does
// not know the token. Those who may come are told more.
func (s *Server) check(h *hello) error {
	switch {
	case !s.isNamed(h.one("Host")):
		return &refusal{"403 Forbidden", "Host is not the address of this server"}
	case len(h.fields.Values("Origin")) > 0:
		return &refusal{"403 Forbidden", "browsers are not served"}
	case s.cfg.Node != nil:
		return nil
	case !s.authorized(h.one("Authorization")):
		return &refusal{"401 Unauthorized", "the token is missing or wrong"}
	case h.method != "GET" || h.target != "/":
		return &refusal{"404 Not Found", "there is only GET /"}
	case h.one(versionField) != s.cfg.Version:
		return &refusal{"409 Conflict", fmt.Sprintf("this sidecar is version %s, the client %.20q", s.cfg.Version, h.one(versionField))}
	case len(h.one(clientField)) != clientSize:
		return &refusal{"400 Bad Request", clientField + " has not 32 digits"}
	}
	h.client = h.one(clientField)
	return nil
}

// isNamed reports whether a Host is this server. npm's client calls it localhost,
// which no page's host can be called, either.
func (s *Server) isNamed(host string) bool {
	return host == s.host || s.cfg.Node != nil && host == "localhost:"+strconv.Itoa(s.port)
}

// authorized compares in a time that tells nothing of the token.
func (s *Server) authorized(credentials string) bool {
	given, want := sha256.Sum256([]byte(credentials)), sha256.Sum256([]byte("Bearer "+s.cfg.Token))
	return subtle.ConstantTimeCompare(given[:], want[:]) == 1
}

// one returns the value of a field that comes once, else "".
func (h *hello) one(name string) string {
	if values := h.fields.Values(name); len(values) == 1 {
		return values[0]
	}
	return ""
}

// readHead reads up to the empty line. A client waits for the answer before it says
// more.
func readHead(conn io.Reader) ([]byte, error) {
	head := make([]byte, 0, 1<<10)
	for {
		if len(head) == cap(head) {
			if cap(head) >= maxHead {
				return nil, &refusal{"431 Request Header Fields Too Large", "the head is too long"}
			}
			head = append(make([]byte, 0, 2*cap(head)), head...)
		}
		n, err := conn.Read(head[len(head):cap(head)])
		head = head[:len(head)+n]
		switch end := bytes.Index(head, []byte("\r\n\r\n")); {
		case end >= 0 && end+4 < len(head):
			return nil, &refusal{"400 Bad Request", "there is more than a head"}
		case end >= 0:
			return head[:end], nil
		case err != nil:
			return nil, err
		}
	}
}

func parseHello(head []byte) (*hello, error) {
	lines := strings.Split(string(head), "\r\n")
	words := strings.Split(lines[0], " ")
	if len(words) != 3 || words[2] != "HTTP/1.1" {
		return nil, &refusal{"400 Bad Request", "this is not a request of HTTP/1.1"}
	}
	h := &hello{method: words[0], target: words[1]}
	for _, line := range lines[1:] {
		name, value, found := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		if !found || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, &refusal{"400 Bad Request", "there is a malformed field"}
		}
		h.fields = append(h.fields, message.Field{Name: name, Value: value})
	}
	return h, nil
}

func switching(fields message.Fields) []byte {
	out := []byte("HTTP/1.1 101 Switching Protocols\r\n")
	for _, field := range fields {
		out = fmt.Appendf(out, "%s: %s\r\n", field.Name, field.Value)
	}
	return append(out, "\r\n"...)
}

func (r *refusal) response() []byte {
	return fmt.Appendf(nil, "HTTP/1.1 %s\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s",
		r.status, len(r.reason), r.reason)
}
