package envelope

import (
	"encoding/base64"
	"fmt"
)

// Decode reads a message that comes to the core from its envelope, base64 of
// msgpack. The result is a pointer to one of the schema's structs; the error is
// an *Error of kind InvalidMessage.
func Decode(envelope string) (any, error) {
	raw, err := base64.StdEncoding.DecodeString(envelope)
	if err != nil {
		return nil, &Error{Kind: InvalidMessage, Message: err.Error()}
	}
	return DecodeRaw(raw)
}

// DecodeRaw reads what is in an envelope; the result keeps raw, which nobody may
// change any more.
func DecodeRaw(raw []byte) (any, error) {
	d := &decoder{rest: raw}
	kind, remaining := d.opening()
	decoded, set := d.target(kind)
	if d.err == nil {
		d.each(remaining, set)
	}
	if d.err == nil && len(d.rest) > 0 {
		d.fail(fmt.Errorf("%d bytes follow the message", len(d.rest)))
	}
	if d.err != nil {
		return nil, &Error{Kind: InvalidMessage, Message: fmt.Sprintf("message %q: %v", kind, d.err)}
	}
	return decoded, nil
}

// target returns what a message of this type is read into.
func (d *decoder) target(kind string) (any, func(field string) bool) {
	switch kind {
	case "request":
		m := new(Request)
		return m, func(field string) bool { return d.request(m, field) }
	case "session":
		m := new(Session)
		return m, func(field string) bool { return d.session(m, field) }
	case "cookies":
		m := new(Cookies)
		return m, func(field string) bool { return d.cookies(m, field) }
	case "copyJar":
		return new(CopyJar), func(string) bool { return false }
	case "certificates":
		m := new(Certificates)
		return m, func(field string) bool { return d.certificates(m, field) }
	case "capture":
		m := new(Capture)
		return m, func(field string) bool { return d.capture(m, field) }
	case "captured":
		m := new(Captured)
		return m, func(field string) bool { return d.captured(m, field) }
	case "imply":
		m := new(Imply)
		return m, func(field string) bool { return d.imply(m, field) }
	case "describe":
		m := new(Describe)
		return m, func(field string) bool { return d.identity(&m.Identity, field) }
	case "serve":
		m := new(Serve)
		return m, func(field string) bool { return d.serve(m, field) }
	case "served":
		return new(Served), func(string) bool { return false }
	case "makeQueue":
		return new(MakeQueue), func(string) bool { return false }
	case "undecode":
		return new(Undecode), func(string) bool { return false }
	case "watch":
		return new(Watch), func(string) bool { return false }
	case "makeToken":
		return new(MakeToken), func(string) bool { return false }
	case "stats":
		return new(Stats), func(string) bool { return false }
	}
	d.fail(fmt.Errorf("unknown type"))
	return nil, nil
}

func (d *decoder) request(m *Request, field string) bool {
	switch field {
	case "method":
		m.Method = d.text()
	case "url":
		m.URL = d.text()
	case "params":
		m.Params = d.pairs()
	case "headers":
		m.Headers = d.changes()
	case "cookies":
		m.Cookies = d.pairs()
	case "ownCookies":
		m.OwnCookies = d.boolean()
	case "jar":
		m.Jar = d.handle()
	case "cancel":
		m.Cancel = d.handle()
	case "streamed":
		m.Streamed = d.boolean()
	case "auth":
		m.Auth = &BasicAuth{User: d.pair(), Password: d.text()}
	case "kind":
		m.Kind = d.text()
	case "body":
		m.Body = new(Body)
		d.fields(func(field string) bool { return d.body(m.Body, field) })
	case "webSocket":
		m.WebSocket = new(WebSocket)
		d.fields(func(field string) bool { return d.webSocket(m.WebSocket, field) })
	case "events":
		m.Events = new(Events)
		d.fields(func(field string) bool { return d.events(m.Events, field) })
	case "expectContinue":
		m.ExpectContinue = d.milliseconds()
	case "timeouts":
		m.Timeouts = d.timeouts()
	case "redirects":
		m.Redirects = d.redirects()
	case "undecoded":
		m.Undecoded = d.boolean()
	case "manualRedirects":
		m.ManualRedirects = d.boolean()
	case "hops":
		m.Hops = int(d.count())
	case "foreign":
		m.Foreign = d.boolean()
	case "headerOrder":
		m.HeaderOrder = d.texts()
	default:
		return false
	}
	return true
}

func (d *decoder) body(m *Body, field string) bool {
	switch field {
	case "length":
		m.Length = d.integer()
	case "streamed":
		m.Streamed = d.boolean()
	case "replayable":
		m.Replayable = d.boolean()
	case "contentType":
		m.ContentType = d.text()
	default:
		return false
	}
	return true
}

func (d *decoder) webSocket(m *WebSocket, field string) bool {
	switch field {
	case "subprotocols":
		m.Subprotocols = d.texts()
	case "compression":
		m.Compression = d.boolean()
	case "maxMessageBytes":
		m.MaxMessageBytes = d.integer()
	case "pingInterval":
		m.PingInterval = d.milliseconds()
	case "pingTimeout":
		m.PingTimeout = d.milliseconds()
	default:
		return false
	}
	return true
}

func (d *decoder) events(m *Events, field string) bool {
	switch field {
	case "lastEventId":
		m.LastEventID = d.text()
	case "retry":
		m.Retry = d.milliseconds()
	case "maxEventBytes":
		m.MaxEventBytes = d.integer()
	default:
		return false
	}
	return true
}

func (d *decoder) timeouts() *Timeouts {
	m := new(Timeouts)
	d.fields(func(field string) bool {
		switch field {
		case "total":
			m.Total = d.milliseconds()
		case "pool":
			m.Pool = d.milliseconds()
		case "connect":
			m.Connect = d.milliseconds()
		case "write":
			m.Write = d.milliseconds()
		case "read":
			m.Read = d.milliseconds()
		default:
			return false
		}
		return true
	})
	return m
}

func (d *decoder) redirects() *Redirects {
	m := new(Redirects)
	d.fields(func(field string) bool {
		switch field {
		case "follow":
			m.Follow = d.boolean()
		case "max":
			m.Max = int(d.count())
		case "allowDowngrade":
			m.AllowDowngrade = d.boolean()
		default:
			return false
		}
		return true
	})
	return m
}

func (d *decoder) session(m *Session, field string) bool {
	return d.identity(&m.Identity, field) || d.appearance(m, field) || d.verification(m, field) || d.behaviour(m, field) || d.limits(m, field)
}

// identity reads whom the other side takes us for.
func (d *decoder) identity(m *Identity, field string) bool {
	switch field {
	case "profile":
		m.Profile = d.text()
	case "bases":
		m.Bases = d.texts()
	case "ja3":
		m.JA3 = d.text()
	case "ja4r":
		m.JA4R = d.text()
	case "http2Fingerprint":
		m.HTTP2Fingerprint = d.text()
	case "disableGrease":
		m.DisableGREASE = d.boolean()
	default:
		return false
	}
	return true
}

// appearance reads what else it sees.
func (d *decoder) appearance(m *Session, field string) bool {
	switch field {
	case "userAgent":
		m.UserAgent = d.text()
	case "serverName":
		m.ServerName = d.text()
	case "forceHTTP1":
		m.ForceHTTP1 = d.boolean()
	case "headers":
		m.Headers = d.changes()
	case "headerOrder":
		m.HeaderOrder = d.texts()
	default:
		return false
	}
	return true
}

// verification reads whom this side trusts and what it shows.
func (d *decoder) verification(m *Session, field string) bool {
	switch field {
	case "insecureSkipVerify":
		m.InsecureSkipVerify = d.boolean()
	case "caFile":
		m.CAFile = d.text()
	case "certFile":
		m.CertFile = d.text()
	case "keyFile":
		m.KeyFile = d.text()
	case "keyPassword":
		m.KeyPassword = d.text()
	case "minTls":
		m.MinTLS = d.tlsVersion()
	case "keyLogFile":
		m.KeyLogFile = d.text()
	default:
		return false
	}
	return true
}

func (d *decoder) tlsVersion() uint16 {
	switch version := d.text(); {
	case d.err != nil:
	case version == "1.2":
		return 0x0303
	case version == "1.3":
		return 0x0304
	default:
		d.fail(fmt.Errorf("%q is neither 1.2 nor 1.3", version))
	}
	return 0
}

func (d *decoder) behaviour(m *Session, field string) bool {
	switch field {
	case "timeouts":
		m.Timeouts = *d.timeouts()
	case "redirects":
		m.Redirects = *d.redirects()
	case "resolve":
		m.Resolve = make(map[string]string)
		d.fields(func(host string) bool { m.Resolve[host] = d.text(); return true })
	case "async":
		m.Async = d.boolean()
	case "blockPrivate":
		m.BlockPrivate = d.boolean()
	case "localAddress":
		m.LocalAddress = d.text()
	case "proxies":
		d.items(func() { m.Proxies = append(m.Proxies, d.proxyRule()) })
	case "noProxy":
		m.NoProxy = d.text()
	case "enableConnectionReuse":
		m.EnableConnectionReuse = d.boolean()
	case "cookieJar":
		m.CookieJar = d.handle()
	default:
		return false
	}
	return true
}

// proxyRule reads [match, url, option].
func (d *decoder) proxyRule() ProxyRule {
	if count := d.arrayLen(); count != 3 && d.err == nil {
		d.fail(fmt.Errorf("%d items where a proxy's rule has three", count))
	}
	return ProxyRule{Match: d.text(), URL: d.text(), Option: d.text()}
}

func (d *decoder) limits(m *Session, field string) bool {
	switch field {
	case "maxConnections":
		m.MaxConnections = int(d.count())
	case "maxConnectionsPerHost":
		m.MaxConnectionsPerHost = int(d.count())
	case "maxIdleConnections":
		m.MaxIdleConnections = int(d.count())
	case "idleTimeout":
		m.IdleTimeout = d.milliseconds()
	case "maxHeaderBytes":
		m.MaxHeaderBytes = d.count()
	case "maxInformational":
		m.MaxInformational = int(d.count())
	case "maxExpansion":
		m.MaxExpansion = d.number()
	case "maxBodyBytes":
		m.MaxBodyBytes = d.count()
	default:
		return false
	}
	return true
}

func (d *decoder) cookies(m *Cookies, field string) bool {
	switch field {
	case "action":
		m.Action = d.text()
	case "set":
		d.items(func() { m.Set = append(m.Set, d.cookie()) })
	case "name":
		m.Name = d.text()
	case "domain":
		m.Domain = d.text()
	case "path":
		m.Path = d.text()
	default:
		return false
	}
	return true
}

func (d *decoder) cookie() (c Cookie) {
	d.fields(func(field string) bool {
		switch field {
		case "name":
			c.Name = d.text()
		case "value":
			c.Value = d.text()
		case "domain":
			c.Domain = d.text()
		case "path":
			c.Path = d.text()
		case "hostOnly":
			c.HostOnly = d.boolean()
		case "secure":
			c.Secure = d.boolean()
		case "httpOnly":
			c.HTTPOnly = d.boolean()
		case "sameSite":
			c.SameSite = d.text()
		case "expires":
			c.Expires = d.integer()
		default:
			return false
		}
		return true
	})
	return c
}

func (d *decoder) certificates(m *Certificates, field string) bool {
	if field != "connection" {
		return false
	}
	m.Connection = d.handle()
	return true
}

func (d *decoder) capture(m *Capture, field string) bool {
	switch field {
	case "address":
		m.Address = d.text()
	case "tls":
		m.TLS = d.boolean()
	case "certFile":
		m.CertFile = d.text()
	case "keyFile":
		m.KeyFile = d.text()
	case "protocols":
		m.Protocols = d.texts()
	case "retry":
		m.Retry = d.boolean()
	case "noTickets":
		m.NoTickets = d.boolean()
	default:
		return false
	}
	return true
}

func (d *decoder) captured(m *Captured, field string) bool {
	switch field {
	case "requests":
		m.Requests = int(d.count())
	case "target":
		m.Target = d.text()
	case "timeout":
		m.Timeout = d.milliseconds()
	default:
		return false
	}
	return true
}

func (d *decoder) imply(m *Imply, field string) bool {
	switch field {
	case "captures":
		m.Captures = d.texts()
	case "name":
		m.Name = d.text()
	case "browser":
		m.Browser = d.text()
	case "version":
		m.Version = d.text()
	case "os":
		m.OS = d.text()
	case "date":
		m.Date = d.text()
	default:
		return false
	}
	return true
}

func (d *decoder) serve(m *Serve, field string) bool {
	switch field {
	case "address":
		m.Address = d.text()
	case "descriptor":
		m.Descriptor = int(d.count())
	case "token":
		m.Token = d.text()
	case "idleExit":
		m.IdleExit = d.milliseconds()
	case "node":
		m.Node = new(Node)
		d.fields(func(field string) bool { return d.node(m.Node, field) })
	default:
		return false
	}
	return true
}

func (d *decoder) node(m *Node, field string) bool {
	switch field {
	case "names":
		for count := d.arrayLen(); count > 0 && d.err == nil; count-- {
			m.Names = append(m.Names, d.texts())
		}
	case "maxEventBytes":
		m.MaxEventBytes = d.integer()
	default:
		return d.session(&m.Session, field)
	}
	return true
}
