package engine

import (
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/cycletls/cycletls/golang/internal/engine/coding"
	"github.com/cycletls/cycletls/golang/internal/engine/cookie"
	"github.com/cycletls/cycletls/golang/internal/engine/target"
	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/fingerprint"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/transport"
	"github.com/cycletls/cycletls/golang/internal/wait"
	"github.com/cycletls/cycletls/golang/internal/websocket"
)

// Exchange is one request of a user and what comes of it. It is used by one
// goroutine at a time: Start, Write* and CloseWrite for a streamed body, Reply,
// Read* until io.EOF, Close.
type Exchange struct {
	session *Session
	jar     *cookie.Jar
	ctx     *wait.Context
	request *envelope.Request

	intent intent
	hop    hop

	response envelope.Response
	body     []byte // beside the message; only until Reply returns
	reader   *coding.Reader
	socket   *websocket.Conn
	events   *events
	answered bool
	length   int64 // of the response's body on the wire
	received int64 // of it, decoded
	trailers message.Fields
	failed   error
}

// intent is what the user wants, as redirects have left it.
type intent struct {
	method  string
	url     *target.URL
	kind    string
	changes []envelope.HeaderChange
	cookies message.Fields
	auth    *envelope.BasicAuth
	host    string // the caller's, "" = the session's or the URL's
	foreign bool   // a redirect has crossed an origin, for good
	hops    int
	hasBody bool
	length  int64 // of the body, message.UnknownLength when it only ends
}

// hop is one request on one connection.
type hop struct {
	route     transport.Origin
	stream    message.Stream
	conn      *message.Connection
	composed  *composed
	head      message.Request
	retried   bool
	stale     error // why it is to be retried
	began     time.Time
	opened    time.Time
	sent      time.Time
	consumed  bool             // bytes of a streamed body are gone
	delivered message.Delivery // the most that either attempt has reached
}

// Start sends the head of a request, and body with it unless that is streamed.
// body is used until Reply returns.
func (s *Session) Start(ctx *wait.Context, request *envelope.Request, body []byte) (*Exchange, error) {
	jar := s.jar
	if request.OwnCookies {
		jar = jar.Copy()
	}
	return s.StartWith(ctx, jar, request, body)
}

// StartWith is Start with a jar that stands in for the session's.
func (s *Session) StartWith(ctx *wait.Context, jar *cookie.Jar, request *envelope.Request, body []byte) (*Exchange, error) {
	x := &Exchange{session: s, ctx: ctx, request: request, body: body, jar: jar}
	if err := x.prepare(); err != nil {
		return nil, x.fail(err)
	}
	x.hop.began = ctx.Start()
	if err := x.send(); err != nil {
		return nil, x.fail(err)
	}
	return x, nil
}

// prepare refuses what must not be sent before anything is.
func (x *Exchange) prepare() error {
	r, i := x.request, &x.intent
	url := r.URL
	if r.WebSocket != nil {
		if err := checkWebSocket(r); err != nil {
			return err
		}
		url = carried(url)
	}
	parsed, err := x.session.urls.Parse(url)
	if err != nil {
		return err
	}
	*i = intent{
		method: r.Method, url: parsed.WithParams(r.Params), changes: r.Headers, cookies: r.Cookies, auth: r.Auth,
		foreign: r.Foreign, hops: r.Hops,
	}
	if err := x.checkEvents(); err != nil {
		return err
	}
	if x.events != nil {
		i.changes = x.events.asking(i.changes)
	}
	if err := i.check(); err != nil {
		return err
	}
	if i.kind, err = kindOfRequest(r); err != nil {
		return err
	}
	if i.host, err = hostIn(i.changes); err != nil {
		return err
	}
	if i.hasBody = r.Body != nil; i.hasBody {
		i.length = r.Body.Length
		if !r.Body.Streamed {
			i.length = int64(len(x.body))
		}
	}
	i.length, err = frame(i.changes, i.hasBody, i.length)
	return err
}

// check looks for what would become something else on the wire.
func (i *intent) check() error {
	if err := checkMethod(i.method); err != nil {
		return err
	}
	for _, c := range i.cookies {
		if err := cookie.Check(c.Name, c.Value); err != nil {
			return err
		}
	}
	return checkChanges(i.changes)
}

// kindOfRequest: a browser navigates with GET; the rest is scripts.
func kindOfRequest(r *envelope.Request) (string, error) {
	switch {
	case r.WebSocket != nil:
		return fingerprint.WebSocket, nil
	case fingerprint.ValidKind(r.Kind):
		return r.Kind, nil
	case r.Kind != "":
		return "", &OptionError{"kind", errors.New("no kind of request: " + strconv.Quote(r.Kind))}
	case r.Method == "GET" && r.Events == nil:
		return fingerprint.Navigate, nil
	}
	return fingerprint.Fetch, nil
}

// Write sends a piece of a streamed body. message.ErrAnswered means that the
// server has answered and wants no more of it: go on with Reply.
func (x *Exchange) Write(p []byte) (int, error) {
	if x.failed != nil {
		return 0, x.failed
	}
	if len(p) == 0 {
		return 0, nil
	}
	n := 0
	err := x.try(func() (err error) {
		n, err = x.hop.stream.Write(p)
		x.hop.consumed = x.hop.consumed || n > 0
		return err
	})
	return n, x.uploaded(err)
}

// CloseWrite ends a streamed body.
func (x *Exchange) CloseWrite() error {
	if x.failed != nil {
		return x.failed
	}
	err := x.try(func() error { return x.hop.stream.CloseWrite(nil) })
	x.hop.consumed = true
	return x.uploaded(err)
}

func (x *Exchange) uploaded(err error) error {
	x.hop.sent = time.Now()
	if err == nil || errors.Is(err, message.ErrAnswered) {
		return err
	}
	return x.fail(err)
}

// Reply returns the head of the final response, redirects followed. A guest's, which
// does not wait (wait.NewGuest), returns an error of wait.IsLater before anything that
// would, and goes on when it is called again; Read likewise.
func (x *Exchange) Reply() (*envelope.Response, error) {
	for !x.answered {
		if x.failed != nil {
			return nil, x.failed
		}
		if err := x.advance(); wait.IsLater(err) {
			return nil, err
		} else if err != nil {
			return nil, x.fail(err)
		}
	}
	return &x.response, nil
}

// advance reads the head of one response, and follows it or makes it the answer.
func (x *Exchange) advance() error {
	var head *message.Response
	err := x.try(func() (err error) {
		head, err = x.hop.stream.ReadHead()
		return err
	})
	if err != nil {
		return err
	}
	if x.ctx.Never() && isRedirect(head.Status) {
		return wait.ErrMustStay // it may need a connection
	}
	x.report(head)
	if x.request.WebSocket != nil {
		// Nothing is followed (the Fetch standard has it so), and the URL is the user's.
		x.response.URL = own(x.response.URL)
		if err := x.upgrade(head); err != nil {
			return err
		}
	} else if followed, err := x.redirect(head); followed || err != nil {
		return err
	}
	x.body = nil // its owner's again
	if err := x.decode(head); err != nil {
		return err
	}
	x.answered = true
	if x.events != nil || x.socket != nil {
		x.ctx.Unlimit() // it goes on for ever: the limit was for its head
	}
	return nil
}

// decode prepares the decoding of the body, where there is any (RFC 9110 section
// 6.4.1).
func (x *Exchange) decode(head *message.Response) error {
	x.length = head.Length
	if x.socket != nil {
		return nil
	}
	if x.intent.method == "HEAD" || head.Status == 204 || head.Status == 304 {
		x.length = 0
	}
	if x.request.Undecoded || x.length == 0 {
		return nil
	}
	codings, err := coding.Of(head.Fields)
	if err != nil || len(codings) == 0 {
		return err
	}
	x.reader = coding.NewReader(x.hop.stream, codings, coding.Limits{Expansion: x.session.config.MaxExpansion, Floor: expansionFloor})
	return nil
}

// expansionFloor is what a body or a message may always decode to, whatever the
// ratio.
const expansionFloor = 10 << 20

// Undecode leaves the content codings on. Call it before the first Read.
func (x *Exchange) Undecode() {
	if x.reader != nil {
		x.reader.Close()
		x.reader = nil
	}
}

// Decodes reports whether Read undoes content codings.
func (x *Exchange) Decodes() bool { return x.reader != nil }

// Length returns how many bytes Read will give in all, when that is known, else
// message.UnknownLength.
func (x *Exchange) Length() int64 {
	if x.reader != nil {
		return message.UnknownLength
	}
	return x.length
}

// Read reads the body without its content codings. It returns io.EOF only when
// the body was complete.
func (x *Exchange) Read(p []byte) (n int, err error) {
	if x.failed != nil {
		return 0, x.failed
	}
	if x.hop.stream == nil {
		return 0, io.EOF
	}
	if x.reader == nil {
		n, err = x.hop.stream.Read(p)
	} else if err = x.mayDecode(); err == nil {
		n, err = x.reader.Read(p)
	}
	if wait.IsLater(err) {
		return n, err
	}
	return x.took(n, err)
}

// mayDecode returns an error of wait.IsLater where the decoder, which cannot stop in
// the middle, might have to wait.
func (x *Exchange) mayDecode() error {
	if !x.ctx.Never() {
		return nil
	}
	whole, err := x.hop.stream.Whole()
	if err == nil && !whole {
		return wait.ErrMustStay
	}
	return err
}

// ReadNow is Read of what is there already: wait.ErrWouldBlock where that is
// nothing, or cannot be told because the body is decoded.
func (x *Exchange) ReadNow(p []byte) (int, error) {
	if x.failed != nil || x.hop.stream == nil || x.reader != nil {
		return 0, wait.ErrWouldBlock
	}
	n, err := x.hop.stream.ReadNow(p)
	if err == wait.ErrWouldBlock {
		return n, err
	}
	return x.took(n, err)
}

// took notes what was read of the body.
func (x *Exchange) took(n int, err error) (int, error) {
	x.received += int64(n)
	if limit := x.session.config.MaxBodyBytes; limit > 0 && x.received > limit {
		err = &message.LimitError{What: "body", Limit: limit, Unit: "bytes"}
	}
	switch err {
	case nil:
		return n, nil
	case io.EOF:
		x.trailers = x.hop.stream.Trailers()
		x.release()
		return n, err
	}
	return n, x.fail(err)
}

// Trailers returns the trailer fields once Read has returned io.EOF.
func (x *Exchange) Trailers() message.Fields { return x.trailers }

// Close ends the exchange wherever it is. Closing twice is harmless.
func (x *Exchange) Close() error {
	x.release()
	if x.failed == nil {
		x.failed = errClosed
	}
	return nil
}

// release gives the connection back as soon as nothing more comes.
func (x *Exchange) release() {
	if x.reader != nil {
		x.reader.Close()
	}
	if x.socket != nil {
		_ = x.socket.Shut()
	}
	if x.hop.stream != nil {
		x.hop.delivered = max(x.hop.delivered, x.hop.stream.Delivery())
		x.hop.stream.Close()
		x.hop.stream = nil
	}
}
