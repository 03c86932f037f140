package node

import (
	"slices"
	"strings"

	"github.com/cycletls/cycletls/golang/internal/engine/cookie"
	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/sse"
)

// request is what the options mean to a session.
func (o *options) request() *envelope.Request {
	r := &envelope.Request{Method: o.method, URL: o.url, Headers: o.changes(), HeaderOrder: o.headerOrder, Streamed: true}
	for _, c := range o.cookies {
		if c.Domain == "" {
			r.Cookies = append(r.Cookies, message.Field{Name: string(c.Name), Value: string(c.Value)})
		}
	}
	if body := o.content(); len(body) > 0 {
		r.Body = &envelope.Body{Length: int64(len(body))}
	}
	if o.noRedirects {
		r.Redirects = &envelope.Redirects{}
	}
	switch {
	case o.protocol == protocolWebSocket:
		r.WebSocket = &envelope.WebSocket{Compression: true, MaxMessageBytes: maxSocketMessage}
	case o.protocol == protocolEvents && !o.headers.mention("Accept"):
		r.Headers = append(r.Headers, envelope.HeaderChange{Name: "Accept", Value: sse.ContentType})
	}
	return r
}

// content is the body of the request. That of a WebSocket is its first message.
func (o *options) content() []byte {
	if o.protocol == protocolWebSocket {
		return nil
	}
	return o.body
}

// jar holds the cookies for the hosts that the client names. What is set on the way
// is forgotten with the request: npm's client has no sessions.
func (o *options) jar() (*cookie.Jar, error) {
	jar := cookie.New()
	for _, c := range o.cookies {
		if c.Domain == "" {
			continue
		}
		stored := envelope.Cookie{Name: string(c.Name), Value: string(c.Value), Domain: c.Domain, Path: c.Path, Secure: c.Secure}
		if err := jar.Set(stored); err != nil {
			return nil, err
		}
	}
	return jar, nil
}

// clientHints are the profile's fields that tell what its User-Agent tells.
var clientHints = []string{"sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform"}

// changes are the fields of a request. A User-Agent of the client's own takes the
// profile's client hints out, which would contradict it.
func (o *options) changes() []envelope.HeaderChange {
	changes := slices.Clone(o.headers)
	if o.userAgent != "" && !changes.mention("User-Agent") {
		changes = append(changes, envelope.HeaderChange{Name: "User-Agent", Value: o.userAgent})
	}
	if !changes.mention("User-Agent") {
		return changes
	}
	for _, name := range clientHints {
		if !changes.mention(name) {
			changes = append(changes, envelope.HeaderChange{Name: name, Remove: true})
		}
	}
	return changes
}

func (h headers) mention(name string) bool {
	return slices.ContainsFunc(h, func(c envelope.HeaderChange) bool { return strings.EqualFold(c.Name, name) })
}
