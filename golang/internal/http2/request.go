package http2

import (
	"fmt"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/cycletls/cycletls/golang/internal/message"
)

// sendHead queues the head of the request; end says that no body follows. The
// stream gets its identifier here: they must grow on the wire.
func (s *Stream) sendHead(end bool) error {
	c := s.c
	if err := s.claim(); err != nil {
		return err
	}
	s.id = c.nextID
	c.nextID += 2
	c.streams[s.id] = s
	s.sendWin = int64(c.peer.window)
	s.recv = newInflow(c.streamWindow)
	s.mark = c.place()
	c.block = c.encodeHead(c.block[:0], s.request)
	c.out = appendHeaders(c.out, s.id, c.block, end, c.priority(s.request), int(c.peer.maxFrame))
	c.out = appendWindowUpdate(c.out, s.id, c.cfg.StreamWindow)
	c.cut()
	s.localClosed = end
	return nil
}

// claim makes sure of the stream's slot. The peer's limit may have come after
// Open and be lower than was hoped: then the stream queues again (RFC 9113
// section 5.1.2).
func (s *Stream) claim() error {
	c := s.c
	for c.usable() {
		if c.taken <= int(c.peer.maxStreams) {
			return nil
		}
		c.taken--
		err := c.awaitSlot(s.reading.ctx)
		c.taken++
		if err != nil {
			return err
		}
	}
	if c.err != nil {
		return c.err
	}
	return ErrUnavailable
}

// encodeHead encodes pseudo-header fields in the profile's order, then the
// fields in the caller's.
func (c *Conn) encodeHead(block []byte, req *message.Request) []byte {
	block = c.enc.Begin(block)
	for i := range len(c.cfg.PseudoOrder) {
		if name, value := pseudo(c.cfg.PseudoOrder[i], req); name != "" {
			block = c.enc.Append(block, name, value)
		}
	}
	if req.Protocol != "" {
		block = c.enc.Append(block, ":protocol", req.Protocol)
	}
	return c.encodeFields(block, req.Fields)
}

// pseudo returns a pseudo-header field by its letter. CONNECT has neither
// scheme nor path (RFC 9113 section 8.5), unless it is an extended one (RFC 8441
// section 4).
func pseudo(letter byte, req *message.Request) (name, value string) {
	switch {
	case letter == 'm':
		return ":method", req.Method
	case letter == 'a':
		return ":authority", req.Authority
	case req.Method == "CONNECT" && req.Protocol == "":
		return "", ""
	case letter == 's':
		return ":scheme", req.Scheme
	default:
		return ":path", req.Path
	}
}

// encodeFields leaves out what HTTP/2 says otherwise: the fields of an HTTP/1
// connection, Host, and TE but for "trailers" (RFC 9113 sections 8.2.2, 8.3.1).
func (c *Conn) encodeFields(block []byte, fields message.Fields) []byte {
	start, changes := len(block), c.enc.Changes()
	if c.repeated.changes == changes && c.repeated.fields.Same(fields) {
		return append(block, c.repeated.block...)
	}
	for _, f := range fields {
		name := strings.ToLower(f.Name)
		if connectionSpecific(name) || name == "host" || name == "te" && !strings.EqualFold(f.Value, "trailers") {
			continue
		}
		block = c.enc.Append(block, name, f.Value)
	}
	if c.enc.Changes() == changes { // all of it is in the table, or never will be
		c.repeated = encoded{fields, append(c.repeated.block[:0], block[start:]...), changes}
	}
	return block
}

// encoded is what became of fields while the encoder's table was at a change.
type encoded struct {
	fields  message.Fields
	block   []byte
	changes uint64
}

// checkRequest refuses what would not be one request any more: the engine has
// checked it, but whoever forwards a request that we send may write it as
// HTTP/1.1.
func (c *Conn) checkRequest(req *message.Request) error {
	if !httpguts.ValidHeaderFieldName(req.Method) {
		return fmt.Errorf("invalid method %q", req.Method)
	}
	for _, value := range []string{req.Scheme, req.Authority, req.Path, req.Protocol} {
		if strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			return fmt.Errorf("invalid character in %q", value)
		}
	}
	if c.checked.Same(req.Fields) { // requests that are alike share them
		return nil
	}
	err := checkFields(req.Fields)
	if err == nil {
		c.checked = req.Fields
	}
	return err
}

func checkFields(fields message.Fields) error {
	for _, f := range fields {
		if !httpguts.ValidHeaderFieldName(f.Name) {
			return fmt.Errorf("invalid field name %q", f.Name)
		}
		if !httpguts.ValidHeaderFieldValue(f.Value) {
			return fmt.Errorf("invalid value of field %q", f.Name)
		}
	}
	return nil
}

// priority is what the HEADERS frame says of a stream.
func (c *Conn) priority(req *message.Request) *Priority {
	if c.cfg.HeadersPriority == nil || c.cfg.UrgencyWeights == nil {
		return c.cfg.HeadersPriority
	}
	p := *c.cfg.HeadersPriority
	field, _ := req.Fields.Get("priority")
	p.Weight = c.cfg.UrgencyWeights[urgency(field)]
	return &p
}

// urgency goes from 0 to 7, and is 3 where nothing is said (RFC 9218 section 4.1).
func urgency(priority string) int {
	urgency := 3
	for member := range strings.SplitSeq(priority, ",") {
		if digit, ok := strings.CutPrefix(strings.TrimSpace(member), "u="); ok && len(digit) == 1 && digit >= "0" && digit <= "7" {
			urgency = int(digit[0] - '0')
		}
	}
	return urgency
}
