package transport

import (
	"crypto/x509"
	"fmt"
	"io"

	utls "github.com/refraction-networking/utls"

	"github.com/cycletls/cycletls/golang/internal/fingerprint"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// TLSOptions is what a session says about TLS; paths are not read yet.
type TLSOptions struct {
	ServerName  string // SNI and the name that is verified, instead of the host
	Insecure    bool   // accept any certificate
	CAFile      string // file or folder of PEM certificates, "" = the system's roots
	CertFile    string // client certificate with its chain, PEM
	KeyFile     string // its key, "" = in CertFile
	KeyPassword string
	MinVersion  uint16 // 0 = TLS 1.2
	KeyLogFile  string // NSS key log
}

// TLSConfig is TLSOptions with everything loaded. The zero value verifies
// against the system's roots.
type TLSConfig struct {
	serverName  string
	insecure    bool
	roots       *x509.CertPool // nil = the system's
	certificate []utls.Certificate
	minVersion  uint16
	keyLog      io.Writer
}

// LoadTLS reads the files that o names. Its errors say which option is wrong.
func LoadTLS(o TLSOptions) (TLSConfig, error) {
	cfg := TLSConfig{serverName: o.ServerName, insecure: o.Insecure, minVersion: o.MinVersion}
	var err error
	if o.CAFile != "" {
		if cfg.roots, err = loadRoots(o.CAFile); err != nil {
			return TLSConfig{}, fmt.Errorf("verify: %w", err)
		}
	}
	if o.CertFile != "" {
		certificate, err := loadClientCertificate(o.CertFile, o.KeyFile, o.KeyPassword)
		if err != nil {
			return TLSConfig{}, fmt.Errorf("cert: %w", err)
		}
		cfg.certificate = []utls.Certificate{certificate}
	}
	if o.KeyLogFile != "" {
		if cfg.keyLog, err = openKeyLog(o.KeyLogFile); err != nil {
			return TLSConfig{}, fmt.Errorf("key_log_file: %w", err)
		}
	}
	return cfg, nil
}

// handshaker makes TLS connections of one configuration. Its tickets belong to
// it alone, so none can be offered under another one (CVE-2025-68121).
type handshaker struct {
	profile   *fingerprint.Profile
	cfg       TLSConfig
	protocols []string // of the profile's ALPN, nil = all
	tickets   tickets
}

func newHandshaker(profile *fingerprint.Profile, cfg TLSConfig, onlyHTTP1 bool) *handshaker {
	h := &handshaker{profile: profile, cfg: cfg}
	if onlyHTTP1 {
		h.protocols = []string{"http/1.1"}
	}
	return h
}

// handshake speaks TLS over raw with the server of host. One attempt, with what
// the profile offers: a failed handshake is never tried again with less (RFC
// 7507 tells why). When it fails, raw is of no more use; the caller closes it.
func (h *handshaker) handshake(ctx *wait.Context, raw wait.Conn, o Origin) (*tlsConn, *message.TLS, error) {
	return h.handshakeWith(ctx, raw, o, h.offer())
}

// offer is what a ClientHello depends on beside the server and the session.
func (h *handshaker) offer() fingerprint.HelloOptions {
	return fingerprint.HelloOptions{Protocols: h.protocols, MinVersion: h.cfg.minVersion}
}

// handshakeWith is handshake with another offer.
func (h *handshaker) handshakeWith(ctx *wait.Context, raw wait.Conn, o Origin, offer fingerprint.HelloOptions) (*tlsConn, *message.TLS, error) {
	name := o.Host
	if h.cfg.serverName != "" {
		name = h.cfg.serverName
	}
	raw.SetReadContext(ctx)
	raw.SetWriteContext(ctx)
	offer.ServerName = name
	o.WebSocket = false // sessions are the origin's, whatever the connection is for
	conn, err := h.client(raw, o, offer)
	if err != nil {
		return nil, nil, err
	}
	if err := conn.Handshake(); err != nil {
		return nil, nil, h.explain(err, name)
	}
	return conn, conn.agreed(name), nil
}

// client prepares a connection: its ClientHello is ready, nothing is sent.
func (h *handshaker) client(raw wait.Conn, key Origin, offer fingerprint.HelloOptions) (*tlsConn, error) {
	ticket := h.tickets.take(key)
	offer.PSKLength = ticket.pskLength()
	spec, err := h.profile.Hello(offer)
	if err != nil {
		return nil, err
	}
	carrier := &carrier{Conn: raw}
	conn := &tlsConn{carrier: carrier}
	conn.UConn = utls.UClient(carrier, h.config(offer.ServerName, key, ticket), utls.HelloCustom)
	if err := conn.ApplyPreset(spec); err != nil {
		return nil, fmt.Errorf("profile %q: %w", h.profile.Name, err)
	}
	if h.profile.TLS.SessionIDLength == 0 {
		conn.HandshakeState.Hello.SessionId = nil // utls always makes one
	}
	if err := conn.BuildHandshakeState(); err != nil {
		return nil, fmt.Errorf("profile %q: %w", h.profile.Name, err)
	}
	conn.hello = conn.HandshakeState.Hello.Raw
	return conn, nil
}

// config is made anew for each connection: utls writes into it what the
// ClientHello says.
func (h *handshaker) config(name string, key Origin, ticket *ticket) *utls.Config {
	return &utls.Config{
		ServerName:         name,
		InsecureSkipVerify: h.cfg.insecure,
		RootCAs:            h.cfg.roots,
		Certificates:       h.cfg.certificate,
		KeyLogWriter:       h.cfg.keyLog,
		VerifyConnection:   h.verify,
		ClientSessionCache: &ticketSlot{&h.tickets, key, ticket},
		// Browsers fill their records; Go would begin with small ones.
		DynamicRecordSizingDisabled: true,
		// Chromium answers ALPS with no settings.
		ApplicationSettings: map[string][]byte{"h2": nil},
		OmitEmptyPsk:        true,
		// A profile without the extension does not resume, instead of a panic.
		PreferSkipResumptionOnNilExtension: true,
	}
}
