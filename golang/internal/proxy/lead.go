package proxy

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/cycletls/cycletls/golang/internal/http1"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// Destination is where a tunnel ends.
type Destination struct {
	Host string
	Addr netip.Addr // of the host, for proxies that want it looked up here
	Port uint16
}

// Head is how CONNECT is asked.
type Head struct {
	// Fields in order; Host and Proxy-Authorization are filled in at their places,
	// or else first and last.
	Fields message.Fields
	// Authorization stands in for the credentials of the proxy's URL, "" = those.
	Authorization string
	Limits        http1.Config
}

// Lead asks the proxy, at the other end of conn, to lead on to a destination.
// conn then is a connection to that. Whatever goes wrong, there is no other way.
func (p *Proxy) Lead(ctx *wait.Context, conn wait.Conn, to Destination, head Head) error {
	if p.Forwards() {
		return p.Failed(p.connect(ctx, conn, to, head))
	}
	conn.SetReadContext(ctx)
	conn.SetWriteContext(ctx)
	if p.Scheme == SOCKS4 || p.Scheme == SOCKS4A {
		return p.Failed(p.socks4(conn, to))
	}
	return p.Failed(p.socks5(conn, to))
}

// connect is RFC 9110 section 9.3.6. Of a refusal only the head is read, so that
// no body can be too long.
func (p *Proxy) connect(ctx *wait.Context, conn wait.Conn, to Destination, head Head) error {
	authority := hostPort(to.Host, to.Port)
	reply, err := http1.Connect(ctx, conn, head.Limits, &message.Request{
		Method: "CONNECT", Authority: authority, Fields: p.connectFields(authority, head),
	})
	if err != nil || reply.Status/100 == 2 {
		return err
	}
	what := fmt.Sprintf("answered CONNECT %s with %d", authority, reply.Status)
	if short(reply.Reason) {
		what += " " + reply.Reason
	}
	if reply.Status == 407 {
		what += "; credentials go into its URL: " + p.Scheme + "://user:password@…"
	}
	return &Error{Proxy: p, Status: reply.Status, What: what}
}

// short reports whether a proxy's words can be repeated as they are.
func short(reason string) bool {
	return reason != "" && len(reason) <= 80 && !strings.ContainsFunc(reason, func(r rune) bool { return r < ' ' || r > '~' })
}

func (p *Proxy) connectFields(authority string, head Head) message.Fields {
	credentials := head.Authorization
	if credentials == "" {
		credentials = p.Authorization()
	}
	fields := make(message.Fields, 0, len(head.Fields)+2)
	if !head.Fields.Has("Host") {
		fields = append(fields, message.Field{Name: "Host"})
	}
	fields = append(fields, head.Fields...)
	if !head.Fields.Has("Proxy-Authorization") {
		fields = append(fields, message.Field{Name: "Proxy-Authorization"})
	}
	kept := fields[:0]
	for _, field := range fields {
		switch {
		case strings.EqualFold(field.Name, "Host"):
			field.Value = authority
		case strings.EqualFold(field.Name, "Proxy-Authorization"):
			field.Value = credentials
		}
		if field.Value != "" {
			kept = append(kept, field)
		}
	}
	return kept
}
