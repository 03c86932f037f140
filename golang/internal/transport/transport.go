// Package transport makes connections and keeps them: name look-up, TCP, TLS and
// the pool from which the engine takes a stream for every exchange.
//
// A Pool belongs to one session and so to one way of dialling and verifying:
// nothing that was set up under other rules can be reused (CVE-2022-27782,
// CVE-2024-35195).
package transport

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/cycletls/cycletls/golang/internal/fingerprint"
	"github.com/cycletls/cycletls/golang/internal/http1"
	"github.com/cycletls/cycletls/golang/internal/http2"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/proxy"
)

// Config is how a session connects. Limits of zero mean none, but for MaxIdle.
type Config struct {
	Profile    *fingerprint.Profile
	TLS        TLSConfig
	ForceHTTP1 bool // do not offer HTTP/2
	HTTP1      http1.Config
	HTTP2      http2.Config
	Connect    message.Fields // of CONNECT requests to proxies: see proxy.Head

	Resolve      map[string]string // host → IP address, instead of a look-up
	BlockPrivate bool              // connect to public addresses only, proxies excepted
	LocalAddress string            // IP address to dial from; "" = the system's choice

	Reuse          bool // keep connections for the next exchange
	MaxConnections int  // open at once
	MaxPerHost     int  // open at once to one origin
	MaxIdle        int  // kept idle, 0 = none; beyond it the longest unused is closed
	IdleTimeout    time.Duration

	// Async: exchanges run in goroutines, so waits belong to Go's network poller
	// instead of the calling thread.
	Async bool
}

// Check returns what is wrong with the addresses of a configuration.
func (c *Config) Check() error {
	_, err := newDialer(c)
	return err
}

// newDialer refuses addresses in the configuration that are none.
func newDialer(config *Config) (d dialer, err error) {
	d.async = config.Async
	if config.LocalAddress != "" {
		if d.local, err = netip.ParseAddr(config.LocalAddress); err != nil {
			return d, fmt.Errorf("local_address: %q is not an IP address", config.LocalAddress)
		}
	}
	d.resolver, err = newResolver(config.Resolve, config.BlockPrivate)
	return d, err
}

// Origin is whom a connection leads to (RFC 9110 section 4.3.1), through whom and
// what for. Connections serve no other than theirs.
type Origin struct {
	Scheme string // "http" or "https"
	Host   string // ASCII name in lower case, or IP literal without brackets
	Port   uint16
	// WebSocket asks for a connection of its own that speaks HTTP/1.1 (RFC 6455
	// section 4.1), with the ClientHello that the profile has for it.
	WebSocket bool

	Proxy *proxy.Proxy // nil = directly
	// Forward: the proxy is given requests to pass on, so that one connection
	// serves all origins; else it is asked for a tunnel.
	Forward bool
	// Credentials stand in for those of the proxy's URL, "" = those. What was
	// authenticated as one user must not serve another.
	Credentials string
}

func (o Origin) String() string { return o.Scheme + "://" + hostPort(o.Host, o.Port) }

// shared returns the origin under which connections are kept.
func (o Origin) shared() Origin {
	if o.Forward {
		o.Scheme, o.Host, o.Port = "", "", 0
	}
	return o
}
