package http1

import (
	"errors"
	"io"
	"net"

	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// stream is one exchange. Each gets its own, so that a handle kept too long
// cannot reach into the next exchange.
type stream struct {
	conn     *Conn // nil once closed
	ctx      *wait.Context
	delivery message.Delivery // Answered: see Delivery

	request  outline
	given    int64 // bytes of the body that Write was given
	complete bool  // the request is, on this side
	over     error // why no more of it can be sent; ErrAnswered when the server refuses it

	// unsent is what could not leave without waiting, which a guest does not do; nil:
	// nothing, empty: what the layer beneath keeps.
	unsent []byte

	looked        bool // for a response
	informational int
	response      message.Response
	head          *message.Response // &response when it has come
	body          body
	persistent    bool // both sides agree to go on after this exchange
}

var _ message.Stream = (*stream)(nil)

// WriteHead implements message.Stream. A head with a body behind it is held.
func (s *stream) WriteHead(req *message.Request) error {
	if s.conn == nil {
		return net.ErrClosed
	}
	out, request, err := appendHead(s.conn.out[:0], req, &s.conn.sent)
	if err != nil {
		return err
	}
	s.conn.out, s.request = out, request
	if request.hasBody {
		return nil
	}
	return s.finish()
}

// Write implements message.Stream. What it was given is on its way when it
// returns: a body may be a conversation.
func (s *stream) Write(p []byte) (int, error) {
	if err := s.writable(int64(len(p))); err != nil || len(p) == 0 {
		return 0, err
	}
	if err := s.lookForAnswer(); err != nil {
		return 0, err
	}
	if s.given == 0 && s.apart() {
		if err := s.flush(); err != nil {
			return 0, err
		}
	}
	s.given += int64(len(p))
	if !s.request.chunked() {
		return s.send(p, "")
	}
	s.conn.out = appendChunkHead(s.conn.out, len(p))
	return s.send(p, "\r\n")
}

// apart reports whether the body is not to leave with the head.
func (s *stream) apart() bool {
	limit := int64(s.conn.cfg.JoinedBody)
	return limit > 0 && (s.request.chunked() || int64(len(s.conn.out))+s.request.length > limit)
}

func (s *stream) writable(more int64) error {
	switch {
	case s.conn == nil:
		return net.ErrClosed
	case s.over != nil:
		return s.over
	case s.complete || !s.request.hasBody || s.request.length >= 0 && s.given+more > s.request.length:
		return &message.LengthError{Announced: max(0, s.request.length), Given: s.given + more}
	}
	return nil
}

// CloseWrite implements message.Stream.
func (s *stream) CloseWrite(trailers message.Fields) error {
	switch {
	case s.conn == nil:
		return net.ErrClosed
	case s.complete || s.over != nil:
		return unlessAnswered(s.over)
	case s.request.chunked():
		out, err := appendLastChunk(s.conn.out, trailers)
		if err != nil {
			return err
		}
		s.conn.out = out
	case len(trailers) > 0:
		return invalid("framing", "trailers need chunked coding")
	case s.given != s.request.length:
		return &message.LengthError{Announced: s.request.length, Given: s.given}
	}
	return s.finish()
}

// finish sends the last of the request.
func (s *stream) finish() error {
	err := s.flush()
	s.complete = err == nil
	return unlessAnswered(err)
}

// unlessAnswered leaves it to ReadHead to tell what the server had to say.
func unlessAnswered(err error) error {
	if err == message.ErrAnswered {
		return nil
	}
	return err
}

// ReadHead implements message.Stream.
func (s *stream) ReadHead() (*message.Response, error) {
	if s.conn == nil {
		return nil, net.ErrClosed
	}
	if err := unlessAnswered(s.flush()); err != nil {
		return nil, err
	}
	if err := unlessAnswered(s.sendRest()); err != nil {
		return nil, err
	}
	if s.attend() {
		return nil, wait.ErrWouldBlock
	}
	for s.head == nil {
		if _, err := s.readHead(); err != nil {
			return nil, s.headError(err)
		}
	}
	return s.head, nil
}

// attend saves a guest the look for a response that cannot be there yet.
func (s *stream) attend() bool {
	if s.looked || !s.ctx.Never() {
		return false
	}
	s.looked = true
	attender, ok := s.conn.raw.(wait.Attender)
	return ok && s.ctx.Hall() != nil && attender.Attend(s.ctx)
}

// readHead reads one head and returns its status. An informational one is
// counted and dropped; the final one is kept.
func (s *stream) readHead() (int, error) {
	in := &s.conn.in
	block, err := in.section("header block", s.conn.cfg.MaxHeaderBytes)
	if err != nil {
		return 0, err
	}
	if err := parseHead(string(block), in.lines, &s.response); err != nil {
		return 0, err
	}
	if err := s.accept(&s.response); err != nil {
		return 0, err
	}
	in.consume(len(block))
	return s.response.Status, nil
}

func (s *stream) accept(head *message.Response) error {
	switch {
	case head.Status == 101 && !s.request.upgrade:
		return errSwitched
	case head.Status < 200 && head.Status != 101:
		return s.countInformational()
	}
	how, length, persistent, err := frame(&s.request, head)
	if err != nil {
		return err
	}
	head.Length = length
	s.head, s.persistent = head, persistent
	s.body = newBody(&s.conn.in, how, length, s.conn.cfg.MaxHeaderBytes)
	return nil
}

var errSwitched error = &message.ProtocolError{
	Protocol: "HTTP/1.1",
	What:     "101 (Switching Protocols) to a request without Upgrade",
	Section:  "RFC 9110 section 15.2.2",
}

func (s *stream) countInformational() error {
	limit := s.conn.cfg.MaxInformational
	if s.informational++; s.informational > limit {
		return &message.LimitError{What: "informational responses", Limit: int64(limit), Unit: "responses"}
	}
	return nil
}

func (s *stream) headError(err error) error {
	switch {
	case decided(err):
		return err
	case err == io.EOF && s.conn.in.buffered() > 0:
		err = io.ErrUnexpectedEOF
	}
	return &message.ClosedError{While: "reading the response head", Cause: cause(err)}
}

// Read implements message.Stream.
func (s *stream) Read(p []byte) (int, error) {
	switch {
	case s.conn == nil:
		return 0, net.ErrClosed
	case s.head == nil:
		return 0, errors.New("http1: Read before ReadHead")
	case s.ctx.Never():
		return s.body.readNow(p)
	}
	return s.body.read(p)
}

// ReadNow implements message.Stream.
func (s *stream) ReadNow(p []byte) (int, error) {
	if s.conn == nil || s.head == nil {
		return s.Read(p)
	}
	s.conn.bindRead(wait.Now)
	defer s.conn.bindRead(s.ctx)
	return s.body.readNow(p)
}

// Whole implements message.Stream.
func (s *stream) Whole() (bool, error) {
	if s.conn == nil || s.head == nil {
		return false, nil
	}
	for {
		whole, more := s.body.whole()
		if whole || !more || !s.ctx.Never() {
			return whole, nil
		}
		if err := s.conn.in.fill(); wait.IsLater(err) {
			return false, err
		} else if err != nil {
			return false, nil // what it means, Read tells
		}
	}
}

// Trailers implements message.Stream.
func (s *stream) Trailers() message.Fields { return s.body.trailers }

// Delivery implements message.Stream.
func (s *stream) Delivery() message.Delivery {
	if s.conn != nil && s.conn.in.heard {
		return message.Answered
	}
	return s.delivery
}

// Close implements message.Stream.
func (s *stream) Close() error {
	if s.conn == nil {
		return nil
	}
	reusable := s.reusable()
	s.delivery = s.Delivery()
	conn := s.conn
	s.conn = nil
	return conn.release(reusable)
}

// reusable reports whether the next exchange can follow: this one left nothing
// behind, or never began.
func (s *stream) reusable() bool {
	switch {
	case s.over != nil:
		return false
	case s.delivery == message.Unsent:
		return !s.conn.in.heard
	case !s.complete || s.unsent != nil || s.head == nil || !s.persistent:
		return false
	}
	s.drain()
	return s.body.complete() && s.conn.in.buffered() == 0
}

// drain reads the rest of a body that the caller did not want, as far as it is
// there: a few bytes save a connection.
func (s *stream) drain() {
	const reads = 4
	s.conn.raw.SetReadContext(wait.Now)
	for range reads {
		if _, err := s.body.read(s.conn.out[:cap(s.conn.out)]); err != nil {
			return
		}
	}
}
