package http2

import (
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http2"

	"github.com/cycletls/cycletls/golang/internal/message"
)

// receiveHead takes an informational or the final response.
func (s *Stream) receiveHead(p *section) {
	status, ok := parseStatus(p.status)
	switch {
	case !ok:
		s.c.refuse(s, "response without a valid :status", "8.3.2")
	case status == 101:
		s.c.refuse(s, "101 (Switching Protocols)", "8.6")
	case status >= 200:
		s.receiveFinal(status, p)
	case p.last:
		s.c.refuse(s, "informational response that ends the stream", "8.1")
	default:
		s.receiveInformational(status)
	}
}

// parseStatus reads three digits from 100 on.
func parseStatus(text string) (int, bool) {
	if len(text) != 3 {
		return 0, false
	}
	status, err := strconv.ParseUint(text, 10, 16)
	return int(status), err == nil && status >= 100
}

func (s *Stream) receiveInformational(status int) {
	limit := s.c.cfg.MaxInformational
	if s.informational++; s.informational > limit {
		s.c.reset(s, http2.ErrCodeEnhanceYourCalm,
			&message.LimitError{What: "number of informational responses", Limit: int64(limit), Unit: "responses"})
		return
	}
	if status == 100 {
		s.continued = true
		s.c.wake(s)
	}
}

func (s *Stream) receiveFinal(status int, p *section) {
	length, ok := contentLength(p.fields)
	if !ok {
		s.c.refuse(s, "invalid or conflicting content-length", "8.1.1")
		return
	}
	s.length = length
	if s.bodiless(status) {
		s.length = 0 // content-length tells what another request would get
	}
	s.response = message.Response{Status: status, Version: "HTTP/2", Fields: slices.Clone(p.fields), Length: s.length}
	s.head = &s.response
	if p.last {
		s.response.Length = 0
		s.end()
	}
	s.c.wake(s)
}

// bodiless reports whether the response has no content whatever it announces
// (RFC 9110 section 6.4.1).
func (s *Stream) bodiless(status int) bool {
	return s.method == "HEAD" || status == 204 || status == 304
}

// contentLength reads the field; repeats must agree (RFC 9110 section 8.6).
func contentLength(fields message.Fields) (int64, bool) {
	length := message.UnknownLength
	for _, f := range fields {
		if f.Name != "content-length" {
			continue
		}
		for value := range strings.SplitSeq(f.Value, ",") {
			n, ok := parseLength(strings.Trim(value, " \t"))
			if !ok || length >= 0 && n != length {
				return 0, false
			}
			length = n
		}
	}
	return length, true
}

// parseLength reads digits and nothing else; ParseInt would take a sign.
func parseLength(text string) (int64, bool) {
	n, err := strconv.ParseUint(text, 10, 63)
	return int64(n), err == nil
}
