package engine

import (
	"errors"
	"time"

	"github.com/cycletls/cycletls/golang/internal/http2"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// send opens a stream and sends what is there of the request.
func (x *Exchange) send() error {
	err := x.attempt(false)
	switch {
	case !x.mayRetry(err):
		return err
	case x.ctx.Never():
		x.hop.stale = err
		return nil
	}
	return x.retry(err)
}

// try does a step of an exchange, and should that show that the connection was
// stale, everything up to it and the step again on a fresh one.
func (x *Exchange) try(step func() error) error {
	err := x.hop.stale // of a guest's first attempt
	if err == nil {
		err = step()
	}
	switch {
	case !x.mayRetry(err):
		return err
	case x.ctx.Never(): // the step fails alike for who waits
		return wait.ErrMustStay
	}
	if err := x.retry(err); err != nil {
		return err
	}
	return step()
}

// retry begins again: on a fresh connection, unless the server only refused the
// stream, which says nothing against its connection.
func (x *Exchange) retry(after error) error {
	var refused *message.ResetError
	x.hop.retried, x.hop.stale = true, nil
	x.hop.delivered = x.hop.stream.Delivery()
	x.hop.stream.Close()
	return x.attempt(!errors.As(after, &refused))
}

func (x *Exchange) attempt(fresh bool) (err error) {
	h := &x.hop
	h.route = x.route()
	// Behind a reply, a proxy may close without having said so: of POSTs through
	// tinyproxy that took an idle connection, 8 in 200 were lost that way.
	fresh = fresh || h.route.Forward && !isIdempotent(x.intent.method)
	if h.stream, h.conn, err = x.connect(h.route, fresh); err != nil {
		h.stream = nil
		return err
	}
	h.opened = time.Now()
	x.compose()
	if err := h.stream.WriteHead(&h.head); err != nil {
		return err
	}
	if err := x.sendBody(); err != nil && err != message.ErrAnswered {
		return err
	}
	h.sent = time.Now()
	return nil
}

// sendBody sends what need not come in pieces.
func (x *Exchange) sendBody() error {
	if !x.intent.hasBody {
		return nil
	}
	if x.expects() {
		if wanted, err := x.hop.stream.AwaitContinue(x.request.ExpectContinue); err != nil {
			return err
		} else if !wanted {
			return message.ErrAnswered
		}
	}
	if x.request.Body.Streamed {
		return nil
	}
	if len(x.body) > 0 {
		if _, err := x.hop.stream.Write(x.body); err != nil {
			return err
		}
	}
	return x.hop.stream.CloseWrite(nil)
}

func (x *Exchange) expects() bool {
	return x.request.ExpectContinue > 0 && x.intent.hasBody && x.intent.length != 0
}

// mayRetry: a request is sent again, once, when its connection was lost and the
// server cannot have seen it; or when the connection had gone stale while it was
// idle and acting twice does no harm (RFC 9110 section 9.2.2).
func (x *Exchange) mayRetry(err error) bool {
	h := &x.hop
	if err == nil || h.stream == nil || h.retried || h.consumed || !isConnectionLoss(err) {
		return false
	}
	switch h.stream.Delivery() {
	case message.Unsent:
		return true
	case message.Sent:
		return h.conn.Reused && isIdempotent(x.intent.method)
	}
	return false
}

func isConnectionLoss(err error) bool {
	var closed *message.ClosedError
	var reset *message.ResetError
	return errors.As(err, &closed) || errors.As(err, &reset) || errors.Is(err, http2.ErrUnavailable)
}

func isIdempotent(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}
