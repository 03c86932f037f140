package transport

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	utls "github.com/refraction-networking/utls"

	"github.com/cycletls/cycletls/golang/internal/fingerprint"
	"github.com/cycletls/cycletls/golang/internal/proxy"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// reach connects to an origin, or to its proxy and through that. There is no way
// from the one to the other: what fails, fails.
func (p *Pool) reach(ctx *wait.Context, o Origin) (wait.Conn, time.Duration, error) {
	if o.Proxy == nil {
		return p.dialer.dial(ctx, o.Host, o.Port)
	}
	began := time.Now()
	to, err := p.destination(ctx, o)
	if err != nil {
		return nil, time.Since(began), err
	}
	// The rule against private addresses is for what a URL leads to; the proxy is
	// the caller's own choice.
	addresses, err := p.dialer.resolver.find(ctx, o.Proxy.Host)
	looked := time.Since(began)
	if err != nil {
		return nil, looked, o.Proxy.Failed(err)
	}
	raw, err := p.dialer.connect(ctx, o.Proxy.Host, o.Proxy.Port, addresses)
	if err != nil {
		return nil, looked, o.Proxy.Failed(err)
	}
	conn, err := p.pass(ctx, raw, o, to)
	if err != nil {
		_ = raw.Close()
		return nil, looked, o.Proxy.Failed(err)
	}
	return conn, looked, nil
}

// destination is what to ask a proxy for. Its host is looked up only for proxies
// that want that.
func (p *Pool) destination(ctx *wait.Context, o Origin) (proxy.Destination, error) {
	to := proxy.Destination{Host: o.Host, Port: o.Port}
	if o.Forward || !o.Proxy.LooksUpHere() {
		return to, nil
	}
	addresses, err := p.dialer.resolver.addresses(ctx, o.Host)
	if err != nil {
		return to, err
	}
	to.Addr = addresses[0]
	if i := slices.IndexFunc(addresses, netip.Addr.Is4); i >= 0 && o.Proxy.Scheme == proxy.SOCKS4 {
		to.Addr = addresses[i]
	}
	return to, nil
}

// pass goes through a proxy that raw leads to.
func (p *Pool) pass(ctx *wait.Context, raw wait.Conn, o Origin, to proxy.Destination) (wait.Conn, error) {
	conn := raw
	if o.Proxy.Scheme == proxy.HTTPS {
		secured, err := p.toProxy.plainHandshake(ctx, raw, o.Proxy.Host)
		if err != nil {
			return nil, err
		}
		conn = secured
	}
	if o.Forward {
		return conn, nil
	}
	head := proxy.Head{Fields: p.config.Connect, Authorization: o.Credentials, Limits: p.config.HTTP1}
	return conn, o.Proxy.Lead(ctx, conn, to, head)
}

// newProxyHandshaker trusts whom cfg trusts. Who the client is and whom it means
// to reach, cfg says about origins only.
func newProxyHandshaker(cfg TLSConfig) *handshaker {
	cfg.serverName, cfg.certificate = "", nil
	return &handshaker{profile: &fingerprint.Profile{Name: "Go"}, cfg: cfg}
}

// plainHandshake speaks TLS as Go does, without resumption: a proxy need not
// know whose looks its client has.
func (h *handshaker) plainHandshake(ctx *wait.Context, raw wait.Conn, host string) (*tlsConn, error) {
	raw.SetReadContext(ctx)
	raw.SetWriteContext(ctx)
	carrier := &carrier{Conn: raw}
	conn := &tlsConn{carrier: carrier, UConn: utls.UClient(carrier, &utls.Config{
		ServerName:         host,
		InsecureSkipVerify: h.cfg.insecure,
		RootCAs:            h.cfg.roots,
		MinVersion:         max(h.cfg.minVersion, utls.VersionTLS12),
		NextProtos:         []string{"http/1.1"},
		KeyLogWriter:       h.cfg.keyLog,
		VerifyConnection:   h.verify,
	}, utls.HelloGolang)}
	if err := conn.Handshake(); err != nil {
		return nil, fmt.Errorf("TLS: %w", h.explain(err, host))
	}
	return conn, nil
}
