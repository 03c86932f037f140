package http2

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/cycletls/cycletls/golang/internal/message"
)

const defaultTableSize = 4096 // RFC 9113 section 6.5.2

// section is a header or trailer section while its frames come. Each fragment
// is decoded as it comes, wanted or not: the decoder's table must keep in step
// with the peer's. What passes the limit is decoded without being kept.
type section struct {
	decoder *hpack.Decoder
	limit   int64
	stream  uint32
	last    bool // END_STREAM
	encoded int64
	size    int64 // as RFC 9113 section 10.5.1 counts
	status  string
	fields  message.Fields
	err     error // why it is malformed or too large
}

func (p *section) init(limit int64, tableSize uint32) {
	p.limit = limit
	// The table has its default size until the peer says that it uses another
	// (RFC 7541 section 6.3).
	p.decoder = hpack.NewDecoder(defaultTableSize, p.add)
	p.decoder.SetAllowedMaxDynamicTableSize(tableSize)
	p.decoder.SetMaxStringLength(int(limit))
}

func (c *Conn) beginSection(stream uint32, last bool) {
	if c.idleStream(stream) {
		return
	}
	p := &c.section
	clear(p.fields)
	p.stream, p.last = stream, last
	p.encoded, p.size, p.status, p.fields, p.err = 0, 0, "", p.fields[:0], nil
	p.decoder.SetEmitEnabled(true)
}

// addFragment decodes a piece of the section. Frames count even when they are
// empty, or CONTINUATION frames could go on for ever (CVE-2023-45288); twice
// the limit leaves room for codes that lengthen what they encode.
func (c *Conn) addFragment(fragment []byte, ended bool) {
	p := &c.section
	p.encoded += int64(len(fragment)) + frameHeaderSize
	if p.encoded > 2*p.limit {
		c.fail(http2.ErrCodeEnhanceYourCalm, p.tooLarge())
	}
	if c.err != nil {
		return
	}
	_, err := p.decoder.Write(fragment)
	if err == nil && ended {
		err = p.decoder.Close()
	}
	switch {
	case errors.Is(err, hpack.ErrStringLength):
		c.fail(http2.ErrCodeEnhanceYourCalm, p.tooLarge())
	case err != nil:
		c.fail(http2.ErrCodeCompression, &message.ProtocolError{Protocol: "HPACK", What: err.Error(), Section: "RFC 7541"})
	case ended:
		c.endSection()
	}
}

func (p *section) tooLarge() error {
	return &message.LimitError{What: "header section", Limit: p.limit, Unit: "bytes"}
}

// add is called by the decoder for each field.
func (p *section) add(f hpack.HeaderField) {
	p.size += int64(f.Size())
	switch {
	case p.size > p.limit:
		p.err = p.tooLarge()
		p.decoder.SetEmitEnabled(false)
	case p.err != nil:
	case !httpguts.ValidHeaderFieldValue(f.Value):
		p.err = protocolError("invalid value of field "+clip(f.Name), "8.2.1")
	case strings.HasPrefix(f.Name, ":"):
		p.addPseudo(f)
	case !validName(f.Name):
		p.err = protocolError("invalid field name "+clip(f.Name), "8.2.1")
	case connectionSpecific(f.Name):
		p.err = protocolError("connection-specific field "+f.Name, "8.2.2")
	default:
		p.fields = append(p.fields, message.Field{Name: f.Name, Value: f.Value})
	}
}

func (p *section) addPseudo(f hpack.HeaderField) {
	if f.Name != ":status" || p.status != "" || len(p.fields) > 0 {
		p.err = protocolError("misplaced pseudo-header field "+clip(f.Name), "8.3")
		return
	}
	p.status = f.Value
}

// validName asks for a token in lower case.
func validName(name string) bool {
	return httpguts.ValidHeaderFieldName(name) && !strings.ContainsFunc(name, func(r rune) bool { return 'A' <= r && r <= 'Z' })
}

// connectionSpecific names the fields that HTTP/2 has other means for.
func connectionSpecific(name string) bool {
	switch name {
	case "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade":
		return true
	}
	return false
}

// clip quotes what the peer sent for an error message.
func clip(name string) string {
	if len(name) > 40 {
		name = name[:40] + "…"
	}
	return strconv.Quote(name)
}

// endSection hands the section to its stream, if that still wants it.
func (c *Conn) endSection() {
	p := &c.section
	s := c.streams[p.stream]
	if s == nil {
		return
	}
	c.idle = 0
	switch {
	case p.err != nil && p.size > p.limit:
		c.reset(s, http2.ErrCodeEnhanceYourCalm, p.err)
	case p.err != nil:
		c.reset(s, http2.ErrCodeProtocol, p.err)
	case s.remoteClosed:
		c.reset(s, http2.ErrCodeStreamClosed, protocolError("HEADERS after the end of the stream", "5.1"))
	case s.head == nil:
		s.receiveHead(p)
	default:
		s.receiveTrailers(p)
	}
}

func (s *Stream) receiveTrailers(p *section) {
	if p.status != "" || !p.last {
		s.c.refuse(s, "malformed trailer section", "8.1")
		return
	}
	s.trailers = slices.Clone(p.fields)
	s.end()
}
