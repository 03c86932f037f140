package http1

import (
	"strconv"
	"strings"

	"github.com/cycletls/cycletls/golang/internal/message"
)

// parseHead parses a status line and its fields; every line of block ends with
// CRLF, the last one is empty, lines counts the others. Names and values share
// block's memory.
func parseHead(block string, lines int, head *message.Response) error {
	end := strings.IndexByte(block, '\n')
	if err := parseStatusLine(block[:end-1], head); err != nil {
		return err
	}
	var err error
	head.Fields, err = parseFields(block[end+1:], lines-1)
	return err
}

// parseStatusLine parses `HTTP/1.1 200 OK`. The space behind the code is
// required but missing in the wild where there is no phrase (RFC 9112 section
// 4); nothing can be smuggled there.
func parseStatusLine(line string, head *message.Response) error {
	const prefix = "HTTP/1.x "
	code := len(prefix)
	switch {
	case len(line) < code+3 || line[:7] != prefix[:7] || line[8] != ' ':
		return violation("4", "status line begins "+excerpt(line))
	case line[7] == '1':
		head.Version = "HTTP/1.1"
	case line[7] == '0':
		head.Version = "HTTP/1.0"
	default:
		return violation("2.3", "unknown version "+line[:8])
	}
	status, ok := parseStatus(line[code : code+3])
	rest := line[code+3:]
	if !ok || rest != "" && rest[0] != ' ' || !textBytes.spans(rest) {
		return violation("4", "malformed status line "+excerpt(line))
	}
	head.Status = status
	head.Reason = trimSpace(rest)
	return nil
}

func parseStatus(digits string) (int, bool) {
	status := 0
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, false
		}
		status = status*10 + int(digits[i]-'0')
	}
	return status, status >= 100
}

// parseFields parses count lines and the empty one behind them.
func parseFields(block string, count int) (message.Fields, error) {
	if count <= 0 {
		return nil, nil
	}
	fields := make(message.Fields, count)
	for i := range fields {
		end := strings.IndexByte(block, '\n')
		if err := parseField(block[:end-1], &fields[i]); err != nil {
			return nil, err
		}
		block = block[end+1:]
	}
	return fields, nil
}

// parseField takes a line as RFC 9112 section 5 has it: no space before the
// colon, no folding, no control character.
func parseField(line string, field *message.Field) error {
	colon := strings.IndexByte(line, ':')
	switch {
	case line[0] == ' ' || line[0] == '\t':
		return violation("5.2", "folded field line")
	case colon < 0 || !isToken(line[:colon]):
		return violation("5.1", "malformed field name in "+excerpt(line))
	case !textBytes.spans(line[colon+1:]):
		return violation("5.5", "control character in the value of "+line[:colon])
	}
	field.Name, field.Value = line[:colon], trimSpace(line[colon+1:])
	return nil
}

// excerpt quotes the beginning of what a peer sent.
func excerpt(s string) string {
	const enough = 40
	if len(s) > enough {
		s = s[:enough] + "…"
	}
	return strconv.Quote(s)
}
