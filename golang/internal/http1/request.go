package http1

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/cycletls/cycletls/golang/internal/message"
)

// InvalidError is a request that must not reach the wire. The engine checks
// what users give; this is the last gate, on the bytes as they would be sent.
type InvalidError struct {
	Part string // "method", "target", "field" or "framing"
	What string
}

func (e *InvalidError) Error() string { return "invalid " + e.Part + ": " + e.What }

func invalid(part, format string, values ...any) error {
	return &InvalidError{part, fmt.Sprintf(format, values...)}
}

// outline is what the rest of the exchange needs to know of a request.
type outline struct {
	method  string
	hasBody bool
	length  int64 // UnknownLength: chunked
	close   bool  // no exchange may follow this one
	upgrade bool
}

func (o *outline) chunked() bool { return o.hasBody && o.length < 0 }

// appendHead appends the head of req as it goes over the wire. After an error
// what was appended is worthless.
func appendHead(out []byte, req *message.Request, kept *section) ([]byte, outline, error) {
	o := outline{method: req.Method, hasBody: req.HasBody, length: req.Length}
	if !isToken(req.Method) {
		return out, o, invalid("method", "%q is not a token", req.Method)
	}
	target, err := target(req)
	if err != nil {
		return out, o, err
	}
	out = append(out, req.Method...)
	out = append(out, ' ')
	out = append(out, target...)
	out = append(out, " HTTP/1.1\r\n"...)
	if !kept.fields.Same(req.Fields) {
		if err := kept.write(req.Fields); err != nil {
			return out, o, err
		}
	}
	o.close, o.upgrade = kept.seen.close, kept.seen.upgrade
	out = append(out, kept.text...)
	return append(out, "\r\n"...), o, kept.seen.check(req)
}

// section is a field section as a connection has written it last: requests that
// are alike share their fields.
type section struct {
	fields message.Fields
	text   []byte
	seen   declared
}

// write makes it that of these fields; after an error it is nobody's.
func (s *section) write(fields message.Fields) (err error) {
	*s = section{text: s.text[:0]}
	for i := range fields {
		if s.text, err = appendField(s.text, &fields[i]); err != nil {
			return err
		}
		s.seen.note(&fields[i])
	}
	s.fields = fields
	return nil
}

// target is the request target (RFC 9112 section 3.2).
func target(req *message.Request) (string, error) {
	target := req.Path
	ok := target != "" && (target[0] == '/' || target == "*")
	switch {
	case req.Method == "CONNECT":
		target = req.Authority
		ok = target != ""
	case req.Absolute:
		ok = strings.HasPrefix(target, "http://")
	}
	if !ok || !targetBytes.spans(target) {
		return "", invalid("target", "%q", target)
	}
	return target, nil
}

func appendField(out []byte, field *message.Field) ([]byte, error) {
	if !isToken(field.Name) {
		return out, invalid("field", "name %q is not a token", field.Name)
	}
	if !textBytes.spans(field.Value) {
		return out, invalid("field", "value of %s has a control character", field.Name)
	}
	out = append(out, field.Name...)
	out = append(out, ": "...)
	out = append(out, field.Value...)
	return append(out, "\r\n"...), nil
}

// declared gathers the fields that steer the connection.
type declared struct {
	hosts, lengths, codings int
	length, coding          string
	close, upgrade          bool
}

func (d *declared) note(field *message.Field) {
	switch {
	case is(field.Name, "Host"):
		d.hosts++
	case is(field.Name, "Content-Length"):
		d.lengths++
		d.length = field.Value
	case is(field.Name, "Transfer-Encoding"):
		d.codings++
		d.coding = field.Value
	case is(field.Name, "Connection"):
		d.close = d.close || lists(field.Value, "close")
	case is(field.Name, "Upgrade"):
		d.upgrade = true
	}
}

// check compares the fields with the body that will follow: two framings, or
// one that does not fit, make the server read a request that nobody wrote (RFC
// 9112 section 6.3).
func (d *declared) check(req *message.Request) error {
	switch {
	case d.hosts != 1:
		return invalid("framing", "%d Host fields where one is required", d.hosts)
	case d.lengths+d.codings > 1:
		return invalid("framing", "more than one of Content-Length and Transfer-Encoding")
	case d.codings == 1:
		if !req.HasBody || req.Length >= 0 || !is(d.coding, "chunked") {
			return invalid("framing", "Transfer-Encoding %q does not fit the body", d.coding)
		}
	case req.HasBody && req.Length < 0:
		return invalid("framing", "a body of unknown length without Transfer-Encoding: chunked")
	case d.lengths == 0 && !req.HasBody:
		return nil
	case d.length != strconv.FormatInt(bodyLength(req), 10):
		return invalid("framing", "Content-Length %q does not fit the body", d.length)
	}
	return nil
}

func bodyLength(req *message.Request) int64 {
	if !req.HasBody {
		return 0
	}
	return req.Length
}
