package capture

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const (
	maxHead   = 1 << 20 // bytes of a request's head, and of its trailers
	maxChunks = 1 << 14 // of a body, for the report
)

var errHead = errors.New("malformed request head")

// conn1 speaks HTTP/1.1. It reads by hand because net/http sorts and rewrites
// what a report must show as it came.
type conn1 struct {
	conn io.ReadWriter
	seen *connection
	in   *bufio.Reader
}

func (c *conn1) serve() error {
	c.in = bufio.NewReader(c.conn)
	for {
		request, err := c.read()
		if err != nil {
			if errors.Is(err, errHead) {
				fmt.Fprintf(c.conn, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			}
			return err
		}
		if isWebSocket(request) {
			return c.upgrade(request)
		}
		if ends, err := c.reply(request); err != nil || ends {
			return err
		}
	}
}

// read returns io.EOF where the client left between two requests.
func (c *conn1) read() (*Request, error) {
	head, err := readBlock(c.in)
	if err != nil {
		return nil, err
	}
	request, err := parseHead(head)
	if err != nil {
		return nil, err
	}
	if strings.EqualFold(value(request.Fields, "expect"), "100-continue") {
		if _, err := io.WriteString(c.conn, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			return nil, err
		}
	}
	if err := c.readBody(request); err != nil {
		return nil, fmt.Errorf("read the body: %w", whole(err))
	}
	return request, nil
}

// reply reports whether the connection ends with it.
func (c *conn1) reply(request *Request) (ends bool, err error) {
	r, err := c.seen.answer(request)
	if err != nil {
		return true, err
	}
	out := bytes.NewBufferString(statusLines[r.status])
	for _, field := range r.fields {
		fmt.Fprintf(out, "%s: %s\r\n", field[0], field[1])
	}
	if r.ends {
		out.WriteString("Connection: close\r\n")
	}
	out.WriteString("\r\n")
	if request.Method != "HEAD" {
		out.Write(r.content)
	}
	_, err = c.conn.Write(out.Bytes())
	return r.ends || closes(request), err
}

var statusLines = map[int]string{200: "HTTP/1.1 200 OK\r\n", 303: "HTTP/1.1 303 See Other\r\n"}

func (c *conn1) readBody(request *Request) error {
	if strings.EqualFold(value(request.Fields, "transfer-encoding"), "chunked") {
		return c.readChunks(request)
	}
	length := value(request.Fields, "content-length")
	if length == "" {
		return nil
	}
	n, err := strconv.ParseUint(length, 10, 63)
	if err != nil {
		return err
	}
	_, err = io.CopyN(&request.Body, c.in, int64(n))
	return err
}

func (c *conn1) readChunks(request *Request) error {
	for {
		line, err := readLine(c.in)
		if err != nil {
			return err
		}
		size, _, _ := strings.Cut(line, ";")
		n, err := strconv.ParseUint(strings.TrimSpace(size), 16, 63)
		if err != nil {
			return err
		}
		if len(request.Body.Chunks) < maxChunks {
			request.Body.Chunks = append(request.Body.Chunks, int64(n))
		}
		if n == 0 {
			return c.readTrailers(request)
		}
		if _, err := io.CopyN(&request.Body, c.in, int64(n)); err != nil {
			return err
		}
		if line, err = readLine(c.in); err != nil || line != "" {
			return errors.Join(err, fmt.Errorf("chunk of %d bytes does not end with CRLF", n))
		}
	}
}

func (c *conn1) readTrailers(request *Request) error {
	for size := 0; ; {
		line, err := readLine(c.in)
		if err != nil || line == "" {
			return err
		}
		if size += len(line); size > maxHead {
			return fmt.Errorf("%w: more than %d bytes of trailers", errHead, maxHead)
		}
		field, err := parseField([]byte(line))
		if err != nil {
			return err
		}
		request.Trailers = append(request.Trailers, field)
	}
}

// readBlock reads up to and including a blank line.
func readBlock(in *bufio.Reader) ([]byte, error) {
	var block []byte
	for !bytes.HasSuffix(block, []byte("\r\n\r\n")) {
		line, err := in.ReadSlice('\n')
		block = append(block, line...)
		if len(block) > maxHead {
			return nil, fmt.Errorf("%w: more than %d bytes", errHead, maxHead)
		}
		if err == io.EOF && len(block) > 0 {
			return nil, io.ErrUnexpectedEOF
		}
		if err != nil && err != bufio.ErrBufferFull {
			return nil, err
		}
	}
	return block, nil
}

// readLine reads a line and takes its CRLF off.
func readLine(in *bufio.Reader) (string, error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return "", err
	}
	text, ok := strings.CutSuffix(string(line), "\r\n")
	if !ok {
		return "", fmt.Errorf("line %q does not end with CRLF", line)
	}
	return text, nil
}

func parseHead(head []byte) (*Request, error) {
	lines := bytes.Split(bytes.TrimSuffix(head, []byte("\r\n\r\n")), []byte("\r\n"))
	start := bytes.Split(lines[0], []byte(" "))
	if len(start) != 3 {
		return nil, fmt.Errorf("%w: request line %q", errHead, lines[0])
	}
	request := &Request{Method: latin1(start[0]), Target: latin1(start[1]), Version: latin1(start[2]), Head: head}
	for _, line := range lines[1:] {
		field, err := parseField(line)
		if err != nil {
			return nil, err
		}
		request.Fields = append(request.Fields, field)
	}
	return request, nil
}

func parseField(line []byte) (Field, error) {
	name, content, ok := bytes.Cut(line, []byte(":"))
	if !ok || len(name) == 0 || bytes.ContainsAny(name, " \t") {
		return Field{}, fmt.Errorf("%w: field line %q", errHead, line)
	}
	return Field{latin1(name), latin1(bytes.Trim(content, " \t"))}, nil
}

func value(fields []Field, name string) string {
	for _, field := range fields {
		if strings.EqualFold(field[0], name) {
			return field[1]
		}
	}
	return ""
}

func closes(request *Request) bool {
	return request.Version != "HTTP/1.1" || strings.EqualFold(value(request.Fields, "connection"), "close")
}

// whole says that an end of input inside a message is not a polite one.
func whole(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
