package engine

import (
	"errors"
	"strconv"

	"github.com/cycletls/cycletls/golang/internal/engine/coding"
	"github.com/cycletls/cycletls/golang/internal/engine/cookie"
	"github.com/cycletls/cycletls/golang/internal/engine/target"
	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/http1"
	"github.com/cycletls/cycletls/golang/internal/http2"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/proxy"
	"github.com/cycletls/cycletls/golang/internal/transport"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// errClosed: the exchange was closed.
var errClosed = &envelope.Error{Kind: envelope.Closed, Message: "the exchange is closed"}

// exchangeError says which request an error ended.
type exchangeError struct {
	cause     error
	url       string // without userinfo
	method    string
	delivery  message.Delivery
	delivered bool // delivery is known
	hop       int
}

func (e *exchangeError) Error() string { return e.cause.Error() }
func (e *exchangeError) Unwrap() error { return e.cause }

// fail ends the exchange with an error; what is asked of it later fails alike.
func (x *Exchange) fail(err error) error {
	failure := &exchangeError{cause: err, method: x.request.Method, url: target.Redact(x.request.URL)}
	if x.intent.url != nil {
		failure.url, failure.method, failure.hop = x.intent.url.String(), x.intent.method, x.intent.hops
		failure.delivered = true
	}
	x.release()
	failure.delivery = x.hop.delivered
	x.failed = failure
	return failure
}

// Failure puts err into the form in which it leaves the core.
func Failure(err error) *envelope.Error {
	var done *envelope.Error
	if errors.As(err, &done) {
		return done
	}
	failure := &envelope.Error{Kind: KindOf(err), Message: err.Error()}
	var about *exchangeError
	if !errors.As(err, &about) {
		failure.Detail = closeDetail(err, nil)
		return failure
	}
	failure.Detail = map[string]string{"url": about.url, "method": about.method}
	if about.delivered {
		failure.Detail["delivery"] = deliveryNames[about.delivery]
		failure.Detail["hop"] = strconv.Itoa(about.hop)
	}
	var refused *proxy.Error
	if failure.Kind == envelope.Proxy && errors.As(err, &refused) {
		failure.Detail["proxy"] = refused.Proxy.String()
		if refused.Status > 0 {
			failure.Detail["status"] = strconv.Itoa(refused.Status)
		}
	}
	failure.Detail = closeDetail(err, failure.Detail)
	return failure
}

var deliveryNames = [...]string{message.Unsent: "unsent", message.Sent: "sent", message.Answered: "answered"}

// KindOf says which failure err is: first what ended the wait, whoever waited,
// then from the outside in.
func KindOf(err error) envelope.Kind {
	for _, kindOf := range []func(error) (envelope.Kind, bool){stopKind, socketKind, requestKind, connectKind, exchangeKind} {
		if kind, ok := kindOf(err); ok {
			return kind
		}
	}
	return envelope.Internal
}

var timeoutKinds = map[wait.Phase]envelope.Kind{
	wait.Total:   envelope.TotalTimeout,
	wait.Pool:    envelope.PoolTimeout,
	wait.Connect: envelope.ConnectTimeout,
	wait.Write:   envelope.WriteTimeout,
	wait.Read:    envelope.ReadTimeout,
}

func stopKind(err error) (envelope.Kind, bool) {
	var timeout *wait.TimeoutError
	switch {
	case errors.As(err, &timeout):
		return timeoutKinds[timeout.Phase], true
	case errors.Is(err, wait.ErrInterrupted):
		return envelope.Interrupted, true
	case errors.Is(err, wait.ErrCancelled):
		return envelope.Cancelled, true
	case errors.Is(err, wait.ErrClosed):
		return envelope.Closed, true
	}
	return "", false
}

// is reports whether an error of type T is in err's chain.
func is[T error](err error) bool {
	var found T
	return errors.As(err, &found)
}

// requestKind: what the user gave, or a redirect made of it.
func requestKind(err error) (envelope.Kind, bool) {
	var unsendable *http1.InvalidError
	switch {
	case is[*OptionError](err): // whatever is wrong with it, a proxy's URL too
		return envelope.InvalidOption, true
	case is[*TooManyRedirectsError](err):
		return envelope.TooManyRedirects, true
	case is[*RedirectError](err):
		return envelope.RedirectRefused, true
	case is[*UnrewindableError](err):
		return envelope.Unrewindable, true
	case is[*target.Error](err), is[*target.SchemeError](err):
		return envelope.InvalidURL, true
	case is[*FieldError](err), is[*cookie.Error](err):
		return envelope.InvalidHeader, true
	case is[*MethodError](err):
		return envelope.InvalidMethod, true
	case is[*BodyError](err), is[*message.LengthError](err):
		return envelope.InvalidBody, true
	case errors.As(err, &unsendable):
		return unsendableKinds[unsendable.Part], true
	}
	return "", false
}

var unsendableKinds = map[string]envelope.Kind{
	"method":  envelope.InvalidMethod,
	"target":  envelope.InvalidURL,
	"field":   envelope.InvalidHeader,
	"framing": envelope.InvalidBody,
}

// connectKind: what kept us from reaching the server.
func connectKind(err error) (envelope.Kind, bool) {
	switch {
	case is[*proxy.Error](err): // whatever it was that failed on the way through
		return envelope.Proxy, true
	case is[*transport.BlockedError](err):
		return envelope.Blocked, true
	case is[*transport.DNSError](err):
		return envelope.DNS, true
	case is[*transport.CertificateError](err):
		return envelope.Certificate, true
	case is[*transport.TLSError](err):
		return envelope.TLSFailed, true
	case is[*transport.ConnectError](err):
		return envelope.Connect, true
	case errors.Is(err, transport.ErrClosed):
		return envelope.Closed, true
	}
	return "", false
}

// exchangeKind: what went wrong on a connection. An incomplete body names its
// cause, so it goes first.
func exchangeKind(err error) (envelope.Kind, bool) {
	switch {
	case is[*message.IncompleteError](err):
		return envelope.Incomplete, true
	case is[*coding.Error](err):
		return envelope.Decoding, true
	case is[*message.LimitError](err):
		return envelope.Limit, true
	case is[*message.ProtocolError](err):
		return envelope.Protocol, true
	case is[*message.ResetError](err):
		return envelope.StreamReset, true
	case is[*message.ClosedError](err), errors.Is(err, http2.ErrUnavailable):
		return envelope.ConnectionClosed, true
	}
	return "", false
}
