package websocket

import (
	"errors"
	"io"
	"time"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

// receiver is the receiving side of a connection; it belongs to who has the token.
type receiver struct {
	in       input
	inflater *inflater // nil: not agreed on

	frame   header // the one that has begun
	begun   bool
	arrived int64 // bytes of its payload

	opcode     Opcode // of the message that has begun; Continuation: none
	compressed bool
	message    []byte // what came of it
	text       textCheck
	expanded   []byte
}

// Receive waits for the next message. Its bytes are valid until the next call.
// The end of the connection is a *CloseError, again for every further call.
func (c *Conn) Receive(ctx *wait.Context) (Opcode, []byte, error) {
	if !c.receiving.try() {
		return 0, nil, c.occupied()
	}
	defer c.receiving.release()
	return c.receive(ctx)
}

// occupied says why there can be no Receive while there is another, or a Close.
func (c *Conn) occupied() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.over(); err != nil {
		return err
	}
	return ErrReceiving
}

func (c *Conn) receive(ctx *wait.Context) (Opcode, []byte, error) {
	if ended := c.Ended(); ended != nil {
		return 0, nil, ended
	}
	until, why := ctx.Until(wait.Read)
	for w := (waiting{ctx: ctx, until: until, why: why}); ; {
		opcode, p, err := c.step()
		switch {
		case err == errMore:
			err = c.fill(&w)
		case err == nil && opcode != Continuation:
			return opcode, p, nil
		}
		if err != nil {
			return 0, nil, c.verdict(err)
		}
	}
}

// verdict tells what an error means for the connection.
func (c *Conn) verdict(err error) error {
	if ended := c.Ended(); ended != nil && wait.IsStop(err) {
		return ended // by another goroutine
	} else if wait.IsStop(err) {
		return err
	}
	var how *CloseError
	if !errors.As(err, &how) {
		if err == io.EOF {
			err = nil
		}
		how = &CloseError{Code: Abnormal, Cause: err}
	}
	if how.Local {
		if payload, err := closePayload(how.Code, how.Reason); err == nil {
			c.tell(how, payload)
		}
	}
	return c.end(how)
}

// errMore: what has come is not enough to go on.
var errMore = errors.New("more must come")

// step takes in what has come, up to the end of a frame, and returns a message
// where it completes one.
func (c *Conn) step() (Opcode, []byte, error) {
	r := &c.receiver
	if !r.begun {
		if err := c.begin(); err != nil {
			return 0, nil, err
		}
	}
	switch {
	case r.frame.opcode.control():
		return 0, nil, c.control()
	case r.whole():
		return c.deliver(r.payload())
	}
	if err := r.gather(); err != nil {
		return 0, nil, err
	}
	if r.begun = false; !r.frame.fin {
		return 0, nil, nil
	}
	return c.deliver(r.message)
}

// begin takes the header of the next frame.
func (c *Conn) begin() error {
	r := &c.receiver
	h, size := parseHeader(r.in.buffered())
	if size == 0 {
		return errMore
	}
	r.in.consume(size)
	if how := c.check(&h); how != nil {
		return how
	}
	r.frame, r.begun, r.arrived = h, true, 0
	if h.opcode.control() {
		return nil
	}
	if h.opcode != Continuation {
		r.opcode, r.compressed, r.message, r.text = h.opcode, h.rsv1, r.message[:0], textCheck{}
	}
	return nil
}

// check holds a header against the rules (RFC 6455 sections 5.1 to 5.5).
func (c *Conn) check(h *header) *CloseError {
	switch {
	case h.rsv23, h.rsv1 && (c.inflater == nil || h.opcode != Text && h.opcode != Binary):
		return violation("5.2", "frame with a reserved bit that was not agreed on")
	case !h.opcode.known():
		return violation("5.2", "frame with a reserved opcode")
	case h.masked != c.cfg.Server:
		return violation("5.1", "frame masked by a server, or not masked by a client")
	case h.length < 0 || h.short:
		return violation("5.2", "frame with a malformed length")
	case h.opcode.control() && (h.length > maxControl || !h.fin):
		return violation("5.5", "control frame that is fragmented or too long")
	case h.opcode.control():
		return nil
	case h.opcode == Continuation && c.opcode == Continuation:
		return violation("5.4", "continuation of no message")
	case h.opcode != Continuation && c.opcode != Continuation:
		return violation("5.4", "message within a fragmented message")
	}
	before := int64(0)
	if h.opcode == Continuation {
		before = int64(len(c.message))
	}
	if limit := c.cfg.MaxMessage; limit > 0 && h.length > limit-before {
		return tooBig(limit)
	}
	return nil
}

// whole reports whether a frame that is a message has come at once: then it needs
// no copy.
func (r *receiver) whole() bool {
	return r.frame.fin && r.frame.opcode != Continuation && !r.compressed && r.arrived == 0 &&
		r.frame.length <= int64(len(r.in.buffered()))
}

// payload takes the rest of a frame, all of which is there.
func (r *receiver) payload() []byte {
	p := r.in.buffered()[:r.frame.length]
	r.in.consume(len(p))
	if r.frame.masked {
		mask(p, r.frame.mask, 0)
	}
	r.begun = false
	return p
}

// gather moves what has come of a frame to the rest of its message.
func (r *receiver) gather() error {
	p := r.in.buffered()
	if left := r.frame.length - r.arrived; int64(len(p)) > left {
		p = p[:left]
	}
	r.message = append(r.message, p...)
	r.in.consume(len(p))
	return r.came(len(p))
}

// came takes note of n bytes at the end of the message.
func (r *receiver) came(n int) error {
	if p := r.message[len(r.message)-n:]; r.frame.masked {
		mask(p, r.frame.mask, r.arrived)
	}
	r.arrived += int64(n)
	if r.opcode == Text && !r.compressed && !r.text.add(r.message) {
		return notText()
	}
	if r.arrived < r.frame.length {
		return errMore
	}
	return nil
}

// deliver returns a message that is complete.
func (c *Conn) deliver(p []byte) (Opcode, []byte, error) {
	r := &c.receiver
	opcode := r.opcode
	r.opcode = Continuation
	if r.compressed {
		var err error
		r.message = append(r.message, syncTail+finalTail...)
		r.expanded, err = r.inflater.expand(r.expanded[:0], r.message, c.cfg.maxExpanded(len(r.message)))
		if err != nil {
			return 0, nil, err
		}
		p, r.text = r.expanded, textCheck{}
	}
	if opcode == Text && !r.text.complete(p) {
		return 0, nil, notText()
	}
	return opcode, p, nil
}

func notText() *CloseError { return broken(InvalidData, "8.1", "text that is not UTF-8") }

// control obeys a control frame.
func (c *Conn) control() error {
	r := &c.receiver
	if int64(len(r.in.buffered())) < r.frame.length {
		return errMore
	}
	p := r.payload()
	switch r.frame.opcode {
	case Ping:
		c.mu.Lock()
		c.pong, c.pongDue = append(c.pong[:0], p...), true
		c.mu.Unlock()
		c.answer()
	case Close:
		return c.closed(p)
	}
	return nil
}

// closed answers the peer's Close frame with its own code (RFC 6455 section
// 5.5.1), unless it is the answer to ours.
func (c *Conn) closed(p []byte) error {
	how, wrong := parseClose(p)
	if wrong != nil {
		return wrong
	}
	c.tell(how, p[:min(len(p), 2)])
	return how
}

// waiting is the wait for one message, which several reads may belong to.
type waiting struct {
	ctx   *wait.Context
	until time.Time // zero: for ever
	why   *wait.TimeoutError
	begun bool
}

// over says why the wait must end, or nil.
func (w *waiting) over() error {
	if err := w.ctx.Check(); err != nil {
		return err
	}
	if w.why != nil && !time.Now().Before(w.until) {
		return w.why
	}
	return nil
}

// fill reads once, as long as there is time and the peer answers pings.
func (c *Conn) fill(w *waiting) error {
	r := &c.receiver
	if r.idle() {
		r.shrink()
	}
	for {
		ctx := c.part(w)
		n, err := c.read(ctx)
		w.begun = true
		switch {
		case n > 0:
			c.hear()
			return r.took(n)
		case err == nil:
			return io.ErrNoProgress
		case ctx == w.ctx || !wait.IsStop(err):
			return err
		}
		if err := w.over(); err != nil {
			return err
		}
		c.answer()
		if c.silent() {
			return unanswered
		}
	}
}

// read reads into the message where the frame goes on for long, past the buffer.
func (c *Conn) read(ctx *wait.Context) (int, error) {
	r := &c.receiver
	c.t.SetReadContext(ctx)
	if r.direct() {
		return c.t.Read(r.room())
	}
	return c.t.Read(r.in.room())
}

// took takes note of n bytes that were read.
func (r *receiver) took(n int) error {
	if !r.direct() {
		r.in.w += n
		return nil
	}
	r.message = r.message[:len(r.message)+n]
	if err := r.came(n); err != errMore {
		return err
	}
	return nil
}

// direct reports whether what comes next belongs to one frame, and is so much
// that it need not be read ahead of.
func (r *receiver) direct() bool {
	return r.begun && !r.frame.opcode.control() && r.in.len() == 0 && r.frame.length-r.arrived >= bufferSize
}

// room is memory for the rest of a frame. A peer that announces a large one gets
// as much as it has filled, and no more.
func (r *receiver) room() []byte {
	size, left := len(r.message), r.frame.length-r.arrived
	if cap(r.message)-size < bufferSize {
		grown := make([]byte, size, size+int(min(left, int64(max(size, 4*bufferSize)))))
		copy(grown, r.message)
		r.message = grown
	}
	free := r.message[size:cap(r.message)]
	return free[:min(int64(len(free)), left)]
}

// idle reports whether nothing of a message has come.
func (r *receiver) idle() bool { return !r.begun && r.opcode == Continuation && r.in.len() == 0 }

// shrink gives up the memory of large messages.
func (r *receiver) shrink() {
	if cap(r.message) > maxIdleBuffer {
		r.message = nil
	}
	if cap(r.expanded) > maxIdleBuffer {
		r.expanded = nil
	}
}
