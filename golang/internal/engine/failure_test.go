package engine

import (
	"errors"
	"fmt"
	"testing"

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

// Every failure has its kind, however deep its error lies.
func TestKinds(t *testing.T) {
	for kind, errs := range map[envelope.Kind][]error{
		envelope.TotalTimeout:     {&wait.TimeoutError{Phase: wait.Total}, &message.IncompleteError{Cause: &wait.TimeoutError{Phase: wait.Total}}},
		envelope.PoolTimeout:      {&wait.TimeoutError{Phase: wait.Pool}},
		envelope.ConnectTimeout:   {&wait.TimeoutError{Phase: wait.Connect}},
		envelope.WriteTimeout:     {&wait.TimeoutError{Phase: wait.Write}},
		envelope.ReadTimeout:      {&wait.TimeoutError{Phase: wait.Read}},
		envelope.Cancelled:        {wait.ErrCancelled},
		envelope.Interrupted:      {wait.ErrInterrupted},
		envelope.InvalidURL:       {&target.Error{}, &target.SchemeError{}, &http1.InvalidError{Part: "target"}},
		envelope.InvalidHeader:    {&FieldError{}, &cookie.Error{}, &http1.InvalidError{Part: "field"}},
		envelope.InvalidMethod:    {&MethodError{}, &http1.InvalidError{Part: "method"}},
		envelope.InvalidBody:      {&BodyError{}, &message.LengthError{}, &http1.InvalidError{Part: "framing"}},
		envelope.InvalidOption:    {&OptionError{"x", errors.New("y")}},
		envelope.Unrewindable:     {&UnrewindableError{}},
		envelope.TooManyRedirects: {&TooManyRedirectsError{}},
		envelope.RedirectRefused:  {&RedirectError{&target.SchemeError{}}},
		envelope.DNS:              {&transport.DNSError{Cause: errors.New("x")}},
		envelope.Connect:          {&transport.ConnectError{}},
		envelope.Blocked:          {&transport.BlockedError{}},
		envelope.Proxy:            {&proxy.Error{Proxy: &proxy.Proxy{}, Cause: &transport.ConnectError{}}, &proxy.Error{Proxy: &proxy.Proxy{}, Cause: &message.LimitError{}}},
		envelope.TLSFailed:        {&transport.TLSError{}},
		envelope.Certificate:      {&transport.CertificateError{}},
		envelope.ConnectionClosed: {&message.ClosedError{}, http2.ErrUnavailable},
		envelope.StreamReset:      {&message.ResetError{}},
		envelope.Protocol:         {&message.ProtocolError{}},
		envelope.Limit:            {&message.LimitError{}},
		envelope.Incomplete:       {&message.IncompleteError{Cause: &message.ClosedError{}}, &message.IncompleteError{Cause: &message.ResetError{}}},
		envelope.Decoding:         {&coding.Error{Cause: errors.New("x")}},
		envelope.Closed:           {transport.ErrClosed, errClosed},
		envelope.Internal:         {errors.New("x")},
	} {
		for _, err := range errs {
			for _, wrapped := range []error{err, fmt.Errorf("doing: %w", err), &exchangeError{cause: err}} {
				if got := Failure(wrapped).Kind; got != kind {
					t.Errorf("%T: %s, want %s", err, got, kind)
				}
			}
		}
	}
}

// A failure says which request it ended and how far that got.
func TestDetail(t *testing.T) {
	s, _ := onWire(t, defaults(t), inTurn(to(307, b+"x#f"), reply{head: errLost, delivery: message.Answered}))
	_, _, err := exchange(s, post(a), "body")
	got := Failure(err)
	want := map[string]string{"url": b + "x#f", "method": "POST", "delivery": "answered", "hop": "1"}
	if fmt.Sprint(got.Detail) != fmt.Sprint(want) || got.Message != errLost.Error() {
		t.Errorf("%+v, want %v", got, want)
	}
	_, _, err = exchange(s, get("http://u:p@h:x/"), "")
	if got := Failure(err).Detail; got["url"] != "http://h:x/" || got["method"] != "GET" || len(got) != 2 {
		t.Errorf("%v", got)
	}
}
