package http1

import (
	"strings"

	"github.com/cycletls/cycletls/golang/internal/message"
)

// framing is how the end of a body is told.
type framing int

const (
	empty framing = iota
	counted
	chunked
	untilClose
)

// frame decides the framing of the response to a request and whether the
// connection can go on after it. The order of the cases is that of RFC 9112
// section 6.3.
func frame(request *outline, head *message.Response) (how framing, length int64, persistent bool, err error) {
	var seen steering
	for i := range head.Fields {
		if err := seen.note(&head.Fields[i]); err != nil {
			return 0, 0, false, err
		}
	}
	persistent = seen.persistent(head.Version) && !request.close
	status := head.Status
	switch {
	case request.method == "HEAD" || status == 204 || status == 304:
		return empty, 0, persistent, nil
	case status == 101 || request.method == "CONNECT" && status/100 == 2:
		return untilClose, message.UnknownLength, false, nil
	case seen.chunked:
		// With a Content-Length beside it, or from an HTTP/1.0 server, the
		// message may be an attack: nothing after it is believed (section 6.1).
		faulty := seen.counted || head.Version == "HTTP/1.0"
		return chunked, message.UnknownLength, persistent && !faulty, nil
	case seen.counted && seen.length == 0:
		return empty, 0, persistent, nil
	case seen.counted:
		return counted, seen.length, persistent, nil
	}
	return untilClose, message.UnknownLength, false, nil
}

// steering gathers the response fields that steer the connection.
type steering struct {
	counted, chunked, close, keepAlive bool
	length                             int64
}

func (s *steering) note(field *message.Field) error {
	switch {
	case is(field.Name, "Content-Length"):
		length, ok := parseLength(field.Value)
		if !ok || s.counted && length != s.length {
			return violation("6.3", "invalid or conflicting Content-Length "+excerpt(field.Value))
		}
		s.counted, s.length = true, length
	case is(field.Name, "Transfer-Encoding"):
		// Requests offer no other coding with TE, so none may be used.
		if s.chunked || !is(field.Value, "chunked") {
			return violation("6.1", "unsupported Transfer-Encoding "+excerpt(field.Value))
		}
		s.chunked = true
	case is(field.Name, "Connection"):
		s.close = s.close || lists(field.Value, "close")
		s.keepAlive = s.keepAlive || lists(field.Value, "keep-alive")
	}
	return nil
}

// persistent is the server's part of RFC 9112 section 9.3.
func (s *steering) persistent(version string) bool {
	return !s.close && (version == "HTTP/1.1" || s.keepAlive)
}

// parseLength takes digits only: no sign, no list. Eighteen fit an int64.
func parseLength(s string) (int64, bool) {
	if s == "" || len(s) > 18 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	var n int64
	for i := range len(s) {
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}
