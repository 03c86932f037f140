package engine

import (
	"crypto/tls"
	"sync"
	"time"

	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/message"
)

// report fills the response of this hop; earlier hops are in its history.
func (x *Exchange) report(head *message.Response) {
	now := time.Now()
	i, h, r := &x.intent, &x.hop, &x.response
	r.Status, r.Reason, r.Version = head.Status, head.Reason, head.Version
	r.URL, r.Method = i.url.String(), i.method
	r.Headers, r.Sent = head.Fields, h.composed.told
	r.Cookies = x.jar.Receive(x.place(), head.Fields)
	r.Connection = x.session.known.describe(h.conn)
	setUp := h.conn.DNS + h.conn.Connect + h.conn.Handshake
	r.Timings = envelope.Timings{
		Pool:    max(0, h.opened.Sub(h.began)-setUp),
		DNS:     h.conn.DNS,
		Connect: h.conn.Connect,
		TLS:     h.conn.Handshake,
		Send:    h.sent.Sub(h.opened),
		Wait:    now.Sub(h.sent),
		Total:   now.Sub(x.ctx.Start()),
	}
}

// remembered is how many connections a session can tell of. Their chains are
// kilobytes each, and nobody asks about one long after its response.
const remembered = 64

// connections remembers what carried the latest exchanges: the names of what TLS
// agreed on, made once for each connection, and the peers' certificates.
type connections struct {
	mu   sync.Mutex
	ring [remembered]known
	next int
}

type known struct {
	id  uint64
	raw *message.TLS
	tls *envelope.TLS
}

// describe returns what a response tells of its connection.
func (c *connections) describe(conn *message.Connection) *envelope.Connection {
	described := &envelope.Connection{
		ID:         conn.ID,
		Protocol:   conn.Protocol,
		Reused:     conn.Reused,
		RemoteAddr: conn.RemoteAddr,
		LocalAddr:  conn.LocalAddr,
	}
	if conn.TLS != nil {
		described.TLS = c.remember(conn)
	}
	return described
}

func (c *connections) remember(conn *message.Connection) *envelope.TLS {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.find(conn.ID); k != nil {
		return k.tls
	}
	k := known{id: conn.ID, raw: conn.TLS, tls: describeTLS(conn.TLS)}
	c.ring[c.next] = k
	c.next = (c.next + 1) % remembered
	return k.tls
}

// find looks from the newest back: that is the one asked for most often.
func (c *connections) find(id uint64) *known {
	for back := 1; back <= remembered; back++ {
		if k := &c.ring[(c.next-back+remembered)%remembered]; k.id == id {
			return k
		}
	}
	return nil
}

func (c *connections) certificates(id uint64) [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.find(id)
	if k == nil || k.raw == nil {
		return nil
	}
	chain := make([][]byte, len(k.raw.Certificates))
	for i, certificate := range k.raw.Certificates {
		chain[i] = certificate.Raw
	}
	return chain
}

func describeTLS(raw *message.TLS) *envelope.TLS {
	described := &envelope.TLS{
		Version:    versionName(raw.Version),
		Cipher:     tls.CipherSuiteName(raw.CipherSuite),
		ALPN:       raw.ALPN,
		ServerName: raw.ServerName,
		Resumed:    raw.Resumed,
		ECH:        raw.ECH,
		JA4:        raw.JA4,
	}
	if raw.Group != 0 {
		described.Group = tls.CurveID(raw.Group).String()
	}
	return described
}

// versionName is OpenSSL's, which Python's ssl module shares.
func versionName(version uint16) string {
	switch version {
	case tls.VersionTLS12:
		return "TLSv1.2"
	case tls.VersionTLS13:
		return "TLSv1.3"
	}
	return tls.VersionName(version)
}
