package http2

import (
	"errors"
	"io"
	"time"

	"golang.org/x/net/http2"

	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// Stream is one exchange. Its owner calls it; Conn.mu guards it, because the
// leader fills it.
type Stream struct {
	c  *Conn
	id uint32 // 0 until the head is sent

	request     *message.Request
	method      string
	sent        int64 // bytes of the body
	pieces      pieces
	sendWin     int64
	mark        uint64 // where the head begins in all that was ever to be sent
	localClosed bool

	response      message.Response
	head          *message.Response // nil until it is there
	informational int
	continued     bool // 100 came
	length        int64
	received      int64
	recv          inflow
	queue         queue
	dst           []byte // where the owner waits to have its body read
	filled        int    // how much of dst is
	trailers      message.Fields
	remoteClosed  bool

	err     error // why the exchange cannot go on
	refused bool  // the peer said that it processed nothing
	left    bool  // its slot is free
	closed  bool  // by its owner

	// One goroutine waits by reading alone, until the stream is a tunnel.
	reading, writing waiter
	both             bool // it is
}

var _ message.Stream = (*Stream)(nil)

// WriteHead implements message.Stream. A head with a body is held until the
// body's first bytes.
func (s *Stream) WriteHead(req *message.Request) error {
	s.c.mu.Lock()
	defer s.c.unlock()
	if err := s.c.checkRequest(req); err != nil {
		return err
	}
	s.request, s.method = req, req.Method
	if req.HasBody {
		s.pieces = newPieces(&s.c.cfg, req)
		return nil
	}
	return s.flushHead(true)
}

// flushHead sends the head if that was not done.
func (s *Stream) flushHead(end bool) error {
	if s.id == 0 {
		if err := s.sendHead(end); err != nil {
			return err
		}
		s.c.postpone(s.reading.ctx)
	}
	if s.c.postponed && s.reading.ctx.Never() {
		return nil
	}
	return s.c.flush(s.reading.ctx)
}

var errContinueLimit = &wait.TimeoutError{Phase: wait.Read}

// AwaitContinue implements message.Stream.
func (s *Stream) AwaitContinue(limit time.Duration) (bool, error) {
	s.c.mu.Lock()
	defer s.c.unlock()
	if err := s.flushHead(false); err != nil {
		return false, err
	}
	until, why := s.reading.ctx.Until(wait.Read)
	if end := time.Now().Add(limit); why == nil || end.Before(until) {
		until, why = end, errContinueLimit
	}
	err := s.reading.awaitUntil(needContinue, wait.Read, until, why)
	if err != nil && !errors.Is(err, errContinueLimit) {
		return false, err
	}
	return s.head == nil && s.err == nil, s.err
}

// ReadHead implements message.Stream.
func (s *Stream) ReadHead() (*message.Response, error) {
	s.c.mu.Lock()
	defer s.c.unlock()
	if err := s.flushHead(false); err != nil {
		return nil, err
	}
	if s.reading.ctx.Never() && s.c.leading && s.c.pending() {
		return nil, wait.ErrMustStay // who leads waits for something else
	}
	if err := s.reading.await(needHead, wait.Read); err != nil {
		return nil, err
	}
	if s.head == nil {
		return nil, s.err
	}
	return s.head, nil
}

// Read implements message.Stream.
func (s *Stream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	s.c.mu.Lock()
	defer s.c.unlock()
	if s.closed {
		return 0, errShut()
	}
	if s.queue.len() > 0 {
		return s.readQueue(p), nil
	}
	s.dst = p
	err := s.reading.await(needBody, wait.Read)
	n := s.filled
	s.dst, s.filled = nil, 0
	switch {
	case n > 0:
		return n, nil
	case s.queue.len() > 0:
		return s.readQueue(p), nil
	case s.closed:
		return 0, errShut()
	case err != nil:
		return 0, err
	case s.err != nil:
		return 0, s.err
	}
	return 0, io.EOF
}

// ReadNow implements message.Stream.
func (s *Stream) ReadNow(p []byte) (int, error) {
	s.c.mu.Lock()
	defer s.c.unlock()
	if s.closed {
		return 0, errShut()
	}
	if !s.has(needBody) {
		s.c.look()
		_ = s.c.flush(wait.Now)
	}
	switch {
	case s.queue.len() > 0:
		return s.readQueue(p), nil
	case s.err != nil:
		return 0, s.err
	case s.remoteClosed:
		return 0, io.EOF
	}
	return 0, wait.ErrWouldBlock
}

// Whole implements message.Stream.
func (s *Stream) Whole() (bool, error) {
	s.c.mu.Lock()
	defer s.c.unlock()
	return s.remoteClosed || s.err != nil, nil
}

func (s *Stream) readQueue(p []byte) int {
	n := s.queue.pop(p)
	s.consumed(n)
	_ = s.c.flush(wait.Now)
	return n
}

// Trailers implements message.Stream.
func (s *Stream) Trailers() message.Fields {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.trailers
}

// Delivery implements message.Stream.
func (s *Stream) Delivery() message.Delivery {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	switch {
	case s.refused, s.id == 0, s.c.written <= s.mark:
		return message.Unsent
	case s.head != nil, s.informational > 0:
		return message.Answered
	}
	return message.Sent
}

// Close implements message.Stream.
func (s *Stream) Close() error {
	c := s.c
	if idle, usable := s.close(); idle && c.onIdle != nil {
		c.onIdle(c, usable)
	}
	return nil
}

// close reports whether it was the connection's last stream, and whether that
// takes more.
func (s *Stream) close() (idle, usable bool) {
	c := s.c
	c.mu.Lock()
	defer c.unlock()
	if s.closed {
		return false, false
	}
	s.closed = true
	c.dismiss(&s.reading)
	c.abdicate(&s.reading)
	if s.both {
		s.hangUp()
	}
	c.consumeConn(s.queue.len())
	s.queue = queue{}
	if s.id != 0 && !s.left {
		c.out = appendReset(c.out, s.id, http2.ErrCodeCancel)
	}
	s.leave()
	_ = c.flush(wait.Now)
	if c.users--; c.users > 0 {
		return false, false
	}
	usable = c.usable()
	if !usable {
		c.fail(http2.ErrCodeNo, ErrUnavailable)
	}
	c.restMemory()
	return true, usable
}

// leave takes the stream off the connection: nothing more comes or goes on it.
func (s *Stream) leave() {
	if s.left {
		return
	}
	s.left = true
	delete(s.c.streams, s.id)
	s.c.taken--
	s.c.admit()
}
