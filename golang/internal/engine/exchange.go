package engine

import (
	"encoding/base64"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/cycletls/cycletls/golang/internal/engine/coding"
	"github.com/cycletls/cycletls/golang/internal/engine/cookie"
	"github.com/cycletls/cycletls/golang/internal/engine/target"
	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/fingerprint"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/transport"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// Exchange is one request of a user and what comes of it. It is used by one
// goroutine at a time: Start, Write* and CloseWrite for a streamed body, Reply,
// Read* until io.EOF, Close.
type Exchange struct {
	session *Session
	ctx     *wait.Context
	request *envelope.Request

	intent intent
	hop    hop

	response envelope.Response
	body     []byte // beside the message; only until Reply returns
	reader   *coding.Reader
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
	foreign bool // a redirect has crossed an origin, for good
	hops    int
	hasBody bool
	length  int64 // of the body, message.UnknownLength when it only ends
}

// hop is one request on one connection.
type hop struct {
	stream    message.Stream
	conn      *message.Connection
	head      message.Request
	retried   bool
	began     time.Time
	opened    time.Time
	sent      time.Time
	consumed  bool // bytes of a streamed body are gone
	delivered message.Delivery
}

// Start sends the head of a request, and body with it unless that is streamed.
// body is used until Reply returns.
func (s *Session) Start(ctx *wait.Context, request *envelope.Request, body []byte) (*Exchange, error) {
	x := &Exchange{session: s, ctx: ctx, request: request, body: body}
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
	i.method, i.kind = r.Method, r.Kind
	i.changes, i.cookies, i.auth, i.hops = r.Headers, r.Cookies, r.Auth, r.Hops
	parsed, err := target.Parse(r.URL)
	if err != nil {
		return err
	}
	i.url = parsed.WithParams(r.Params)
	if err := checkMethod(r.Method); err != nil {
		return err
	}
	if i.kind == "" {
		i.kind = fingerprint.Fetch
		if r.Method == "GET" {
			i.kind = fingerprint.Navigate
		}
	}
	if !fingerprint.ValidKind(i.kind) {
		return &OptionError{"kind", errors.New("no kind of request: " + strconv.Quote(i.kind))}
	}
	if err := checkChanges(i.changes); err != nil {
		return err
	}
	for _, c := range i.cookies {
		if err := cookie.Check(c.Name, c.Value); err != nil {
			return err
		}
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

// send opens a stream and sends what is there of the request, once more on a
// fresh connection if the first was stale.
func (x *Exchange) send() error {
	err := x.attempt(false)
	if x.mayRetry(err) {
		err = x.retry()
	}
	return err
}

func (x *Exchange) retry() error {
	x.hop.retried = true
	x.hop.stream.Close()
	return x.attempt(true)
}

func (x *Exchange) attempt(fresh bool) (err error) {
	h, u := &x.hop, x.intent.url
	origin := transport.Origin{Scheme: u.Scheme, Host: u.Host, Port: u.Port}
	if h.stream, h.conn, err = x.session.pool.Open(x.ctx, origin, fresh); err != nil {
		h.stream = nil
		return err
	}
	h.opened = time.Now()
	if err := x.compose(); err != nil {
		return err
	}
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

// mayRetry: only what failed because a reused connection had gone stale is sent
// again, once. The server must not have acted on it: either it cannot have seen
// it, or acting twice does no harm (RFC 9110 section 9.2.2).
func (x *Exchange) mayRetry(err error) bool {
	h := &x.hop
	if err == nil || h.stream == nil || h.retried || !h.conn.Reused || h.consumed || !isConnectionLoss(err) {
		return false
	}
	switch h.stream.Delivery() {
	case message.Unsent:
		return true
	case message.Sent:
		return isIdempotent(x.intent.method)
	}
	return false
}

func isConnectionLoss(err error) bool {
	var closed *message.ClosedError
	var reset *message.ResetError
	return errors.As(err, &closed) || errors.As(err, &reset)
}

func isIdempotent(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}

// compose lays the request out for the protocol of its connection.
func (x *Exchange) compose() error {
	i, h := &x.intent, &x.hop
	authority, err := x.authority()
	if err != nil {
		return err
	}
	h2 := h.conn.Protocol == "h2"
	m := merge{layout: x.session.layoutFor(i.kind, h2, i.foreign), changes: i.changes, order: x.request.HeaderOrder, h2: h2}
	if m.order == nil {
		m.order = x.session.config.HeaderOrder
	}
	m.values[host] = authority
	x.describeBody(&m)
	m.values[authorization] = x.authorization(m.layout)
	m.values[cookies] = x.cookies(m.layout)
	h.head = message.Request{
		Method:    i.method,
		Scheme:    i.url.Scheme,
		Authority: authority,
		Path:      i.url.Target,
		Fields:    m.fields(),
		HasBody:   i.hasBody,
		Length:    i.length,
	}
	return nil
}

// authority is the caller's Host, or else the URL's: what is connected to is
// always the URL's.
func (x *Exchange) authority() (string, error) {
	authority := ""
	for n := range x.intent.changes {
		c := &x.intent.changes[n]
		if c.Remove || !same(c.Name, roleNames[host]) {
			continue
		}
		if authority != "" || c.Value == "" || strings.ContainsAny(c.Value, " \t,/\\?#@\"<>") {
			return "", &FieldError{c.Name, "not one host (RFC 9110 section 7.2)"}
		}
		authority = c.Value
	}
	if authority == "" {
		authority = x.intent.url.Authority
	}
	return authority, nil
}

// describeBody sets the fields that tell of the body. Methods that expect one
// say so when there is none (RFC 9110 section 8.6).
func (x *Exchange) describeBody(m *merge) {
	i := &x.intent
	switch {
	case i.hasBody && i.length < 0:
		m.values[transferEncoding] = "chunked"
	case i.hasBody:
		m.values[contentLength] = strconv.FormatInt(i.length, 10)
	case i.method == "POST" || i.method == "PUT" || i.method == "PATCH":
		m.values[contentLength] = "0"
	}
	if i.hasBody {
		m.values[contentType] = x.request.Body.ContentType
	}
	if x.expects() {
		m.values[expect] = "100-continue"
	}
}

// authorization returns Basic credentials (RFC 7617): those that were given for
// the request always, those in its URL where no header says otherwise.
func (x *Exchange) authorization(l layout) string {
	if auth := x.intent.auth; auth != nil {
		return basic(auth.User, auth.Password)
	}
	u := x.intent.url
	_, said := l.value(authorization)
	if !u.HasUser || said || mentions(x.intent.changes, roleNames[authorization]) {
		return ""
	}
	return basic(u.User, u.Password)
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func mentions(changes []envelope.HeaderChange, name string) bool {
	for i := range changes {
		if same(changes[i].Name, name) {
			return true
		}
	}
	return false
}

// cookies returns the one Cookie field. A Cookie header of the caller's or the
// session's stands in for the jar, as in requests and httpx; the cookies of the
// request join either.
func (x *Exchange) cookies(l layout) string {
	explicit, said := "", false
	for n := range x.intent.changes {
		if c := &x.intent.changes[n]; same(c.Name, roleNames[cookies]) {
			explicit, said = joinCookies(explicit, c.Value), true
		}
	}
	if !said {
		explicit, said = l.value(cookies)
	}
	if !said {
		return x.session.jar.Header(x.place(), x.intent.cookies)
	}
	for _, c := range x.intent.cookies {
		explicit = joinCookies(explicit, c.Name+"="+c.Value)
	}
	return explicit
}

func joinCookies(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

func (x *Exchange) place() cookie.Place {
	u := x.intent.url
	return cookie.Place{Host: u.Host, Path: u.Path, Secure: u.Secure(), Foreign: x.intent.foreign}
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
	n, err := x.hop.stream.Write(p)
	if n == 0 && x.mayRetry(err) {
		if err = x.retry(); err == nil {
			n, err = x.hop.stream.Write(p)
		}
	}
	x.hop.consumed = true
	return n, x.uploaded(err)
}

// CloseWrite ends a streamed body.
func (x *Exchange) CloseWrite() error {
	if x.failed != nil {
		return x.failed
	}
	err := x.hop.stream.CloseWrite(nil)
	if x.mayRetry(err) {
		if err = x.retry(); err == nil {
			err = x.hop.stream.CloseWrite(nil)
		}
	}
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

// Reply returns the head of the final response, redirects followed.
func (x *Exchange) Reply() (*envelope.Response, error) {
	if x.failed != nil {
		return nil, x.failed
	}
	for {
		head, err := x.readHead()
		if err != nil {
			return nil, x.fail(err)
		}
		x.report(head)
		followed, err := x.redirect(head)
		if err != nil {
			return nil, x.fail(err)
		}
		if !followed {
			x.body, x.length = nil, head.Length // the request's body is its owner's again
			if err := x.decode(head); err != nil {
				return nil, x.fail(err)
			}
			return &x.response, nil
		}
	}
}

func (x *Exchange) readHead() (*message.Response, error) {
	head, err := x.hop.stream.ReadHead()
	if x.mayRetry(err) {
		if err = x.retry(); err == nil {
			head, err = x.hop.stream.ReadHead()
		}
	}
	return head, err
}

// decode prepares the decoding of the body, where there is any.
func (x *Exchange) decode(head *message.Response) error {
	if x.request.Undecoded || head.Length == 0 || x.intent.method == "HEAD" || head.Status == 204 || head.Status == 304 {
		return nil
	}
	codings, err := coding.Of(head.Fields)
	if err != nil || len(codings) == 0 {
		return err
	}
	x.reader = coding.NewReader(x.hop.stream, codings, coding.Limits{Expansion: x.session.config.MaxExpansion, Floor: expansionFloor})
	return nil
}

// expansionFloor is what a body may always decode to, whatever the ratio.
const expansionFloor = 10 << 20

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
	if x.reader != nil {
		n, err = x.reader.Read(p)
	} else {
		n, err = x.hop.stream.Read(p)
	}
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
	if x.hop.stream != nil {
		x.hop.delivered = x.hop.stream.Delivery()
		x.hop.stream.Close()
		x.hop.stream = nil
	}
}
