// Package proxy is what stands between this side and an origin: the URL that
// names a proxy, the rules that say which requests go through which, and the
// handshakes by which one is asked to lead on (SOCKS 4, 4a and 5, CONNECT). The
// connection to it is the caller's.
package proxy

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/cycletls/cycletls/golang/internal/engine/target"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// Schemes of proxies. With SOCKS4 and SOCKS5 names are looked up on this side,
// with SOCKS4A and SOCKS5H never.
const (
	HTTP    = "http"
	HTTPS   = "https"
	SOCKS4  = "socks4"
	SOCKS4A = "socks4a"
	SOCKS5  = "socks5"
	SOCKS5H = "socks5h"
)

var defaultPorts = map[string]uint16{HTTP: 80, HTTPS: 443, SOCKS4: 1080, SOCKS4A: 1080, SOCKS5: 1080, SOCKS5H: 1080}

// Proxy is one proxy. It is immutable; the pool tells proxies apart by their
// pointers.
type Proxy struct {
	Scheme         string
	Host           string // as in target.URL
	Port           uint16
	User, Password string // decoded
	HasUser        bool
}

// Parse reads scheme://[user[:password]@]host[:port]; without a scheme it is an
// http proxy. Its errors repeat no credentials.
func Parse(text string) (*Proxy, error) {
	p := &Proxy{Scheme: HTTP}
	rest := strings.TrimSpace(text)
	if scheme, after, found := strings.Cut(rest, "://"); found && isAlphanumeric(scheme) {
		p.Scheme, rest = strings.ToLower(scheme), after
	}
	port, known := defaultPorts[p.Scheme]
	if !known {
		return nil, fmt.Errorf("the scheme %q is none of http, https, socks4, socks4a, socks5 and socks5h", p.Scheme)
	}
	u, err := target.ParseAuthority(strings.TrimSuffix(rest, "/"))
	if err != nil {
		return nil, err
	}
	p.Host, p.Port, p.User, p.Password, p.HasUser = u.Host, u.Port, u.User, u.Password, u.HasUser
	if p.Port == 0 {
		p.Port = port
	}
	return p, p.checkCredentials()
}

// checkCredentials refuses what the protocol of the proxy has no room for.
func (p *Proxy) checkCredentials() error {
	const longest = 255 // RFC 1929 section 2
	switch {
	case !p.HasUser:
		return nil
	case p.Scheme == SOCKS4 || p.Scheme == SOCKS4A:
		if p.Password != "" || strings.Contains(p.User, "\x00") {
			return fmt.Errorf("%s has a user id without NUL, and no password", p.Scheme)
		}
	case p.Scheme == SOCKS5 || p.Scheme == SOCKS5H:
		if p.User == "" || len(p.User) > longest || len(p.Password) > longest {
			return fmt.Errorf("user and password of %s are no longer than %d bytes, and a user there must be", p.Scheme, longest)
		}
	case strings.Contains(p.User, ":"):
		return errors.New("the user of an http proxy has no colon (RFC 7617 section 2)")
	}
	return nil
}

func isAlphanumeric(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z')
	})
}

// String names the proxy without its credentials.
func (p *Proxy) String() string { return p.Scheme + "://" + hostPort(p.Host, p.Port) }

// Forwards reports whether the proxy speaks HTTP, and so takes requests for
// http origins as they are (RFC 9112 section 3.2.2).
func (p *Proxy) Forwards() bool { return p.Scheme == HTTP || p.Scheme == HTTPS }

// LooksUpHere reports whether the proxy wants addresses, not names.
func (p *Proxy) LooksUpHere() bool { return p.Scheme == SOCKS4 || p.Scheme == SOCKS5 }

// Authorization returns the Proxy-Authorization that the proxy's own URL
// stands for, "" where it has no credentials.
func (p *Proxy) Authorization() string {
	if !p.HasUser || !p.Forwards() {
		return ""
	}
	return message.Basic(p.User, p.Password)
}

// Error is a proxy that could not be reached, or does not lead on.
type Error struct {
	Proxy  *Proxy
	Status int    // of its reply to CONNECT, 0 where it gave none
	What   string // "" = as Cause says
	Cause  error
}

func (e *Error) Error() string {
	what := e.What
	if what == "" {
		what = e.Cause.Error()
	}
	return "proxy " + e.Proxy.String() + ": " + what
}

func (e *Error) Unwrap() error { return e.Cause }

// Failed makes an Error of what went wrong on the way through the proxy, but
// for the end of the exchange that wanted it.
func (p *Proxy) Failed(err error) error {
	var already *Error
	if err == nil || wait.IsStop(err) || errors.As(err, &already) {
		return err
	}
	return &Error{Proxy: p, Cause: err}
}

func hostPort(host string, port uint16) string {
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}
