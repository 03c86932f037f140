// Package engine turns a request as a user means it into exchanges on the wire
// and back: the profile's headers, cookies, credentials, redirects, the retry of
// a connection that went stale, content codings. It runs from top to bottom on
// the goroutine that called; what it waits for obeys a wait.Context.
package engine

import (
	"sync/atomic"

	"github.com/cycletls/cycletls/golang/internal/engine/cookie"
	"github.com/cycletls/cycletls/golang/internal/engine/target"
	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/fingerprint"
	"github.com/cycletls/cycletls/golang/internal/hpack"
	"github.com/cycletls/cycletls/golang/internal/http1"
	"github.com/cycletls/cycletls/golang/internal/http2"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/proxy"
	"github.com/cycletls/cycletls/golang/internal/transport"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// pool is what the engine needs of transport.Pool.
type pool interface {
	Open(ctx *wait.Context, origin transport.Origin, fresh bool) (message.Stream, *message.Connection, error)
	OpenTunnel(ctx *wait.Context, origin transport.Origin) (message.Stream, *message.Connection, error)
	Connections() int
	Close()
}

// Session is a configuration with what it gathers: cookies, connections, TLS
// tickets. It may be used by many at a time.
type Session struct {
	config  *envelope.Session
	profile *fingerprint.Profile
	host    string // of the session's headers
	pool    pool
	proxies *proxy.Rules
	jar     *cookie.Jar
	known   connections
	urls    target.Cache
	layouts [len(kinds) * 8]atomic.Pointer[prepared]
}

// OptionError is a value of a session's configuration that cannot be used.
type OptionError struct {
	Option string // "" where Cause names it
	Cause  error
}

func (e *OptionError) Error() string {
	if e.Option == "" {
		return e.Cause.Error()
	}
	return e.Option + ": " + e.Cause.Error()
}

func (e *OptionError) Unwrap() error { return e.Cause }

// NewSession makes a session that keeps its cookies in jar; nil is a jar of its
// own. config must not change afterwards.
func NewSession(config *envelope.Session, jar *cookie.Jar) (*Session, error) {
	if err := checkSessionHeaders(config); err != nil {
		return nil, err
	}
	host, err := hostIn(config.Headers)
	if err != nil {
		return nil, err
	}
	profile, err := profileOf(config)
	if err != nil {
		return nil, &OptionError{Cause: err}
	}
	connecting, err := transportConfig(config, profile)
	if err != nil {
		return nil, err
	}
	proxies, err := rulesOf(config)
	if err != nil {
		return nil, err
	}
	if jar == nil {
		jar = cookie.New()
	}
	return &Session{
		config: config, profile: profile, host: host, pool: transport.NewPool(connecting), proxies: proxies, jar: jar,
	}, nil
}

func checkSessionHeaders(config *envelope.Session) error {
	if err := checkChanges(config.Headers); err != nil {
		return err
	}
	for _, c := range config.Headers {
		if isAny(c.Name, "Content-Length", "Transfer-Encoding") {
			return &FieldError{c.Name, "it belongs to one request, not to a session"}
		}
	}
	return checkChanges([]envelope.HeaderChange{{Name: "User-Agent", Value: config.UserAgent}})
}

func profileOf(config *envelope.Session) (*fingerprint.Profile, error) {
	choice := choiceOf(&config.Identity)
	choice.ForceHTTP1, choice.MinVersion = config.ForceHTTP1, config.MinTLS
	return choice.Resolve()
}

func choiceOf(i *envelope.Identity) fingerprint.Choice {
	return fingerprint.Choice{
		Profile: i.Profile, Bases: i.Bases, JA3: i.JA3, JA4R: i.JA4R, HTTP2: i.HTTP2Fingerprint, DisableGREASE: i.DisableGREASE,
	}
}

func transportConfig(config *envelope.Session, profile *fingerprint.Profile) (transport.Config, error) {
	tls, err := transport.LoadTLS(transport.TLSOptions{
		ServerName:  config.ServerName,
		Insecure:    config.InsecureSkipVerify,
		CAFile:      config.CAFile,
		CertFile:    config.CertFile,
		KeyFile:     config.KeyFile,
		KeyPassword: config.KeyPassword,
		MinVersion:  config.MinTLS,
		KeyLogFile:  config.KeyLogFile,
	})
	if err != nil {
		return transport.Config{}, &OptionError{Cause: err}
	}
	connecting := transport.Config{
		Profile:    profile,
		TLS:        tls,
		ForceHTTP1: config.ForceHTTP1,
		HTTP1: http1.Config{
			MaxHeaderBytes: config.MaxHeaderBytes, MaxInformational: config.MaxInformational, JoinedBody: profile.HTTP1.JoinedBody,
		},
		HTTP2:   http2Config(config, &profile.HTTP2),
		Connect: connectFields(config, profile),

		Resolve:      config.Resolve,
		BlockPrivate: config.BlockPrivate,
		Async:        config.Async,
		LocalAddress: config.LocalAddress,

		Reuse:          config.EnableConnectionReuse,
		MaxConnections: config.MaxConnections,
		MaxPerHost:     config.MaxConnectionsPerHost,
		MaxIdle:        config.MaxIdleConnections,
		IdleTimeout:    config.IdleTimeout,
	}
	if err := connecting.Check(); err != nil {
		return transport.Config{}, &OptionError{Cause: err}
	}
	return connecting, nil
}

func http2Config(config *envelope.Session, profile *fingerprint.HTTP2) http2.Config {
	policy, _ := hpack.ParsePolicy(profile.HPACK) // the profile has been checked
	c := http2.Config{
		WindowUpdate:     profile.WindowUpdate,
		StreamWindow:     profile.StreamWindow,
		UrgencyWeights:   profile.UrgencyWeights,
		DataSize:         profile.DataSize,
		Upload:           (*http2.Upload)(profile.Upload),
		SilentClose:      profile.SilentClose,
		FirstStreamID:    profile.FirstStreamID,
		PseudoOrder:      profile.PseudoOrder,
		HPACK:            policy,
		MaxHeaderBytes:   config.MaxHeaderBytes,
		MaxInformational: config.MaxInformational,
	}
	for _, s := range profile.Settings {
		c.Settings = append(c.Settings, http2.Setting{ID: uint16(s[0]), Value: s[1]})
	}
	for _, f := range profile.PriorityFrames {
		c.Priorities = append(c.Priorities, http2.PriorityFrame{StreamID: f.Stream, Priority: http2Priority(&f.Priority)})
	}
	if profile.HeadersPriority != nil {
		priority := http2Priority(profile.HeadersPriority)
		c.HeadersPriority = &priority
	}
	return c
}

func http2Priority(p *fingerprint.Priority) http2.Priority {
	return http2.Priority{Weight: p.Weight, Exclusive: p.Exclusive, Dep: p.DependsOn}
}

// Jar returns the session's cookies.
func (s *Session) Jar() *cookie.Jar { return s.jar }

// Timeouts returns the limits that hold for a request.
func (s *Session) Timeouts(request *envelope.Request) envelope.Timeouts {
	if request.Timeouts != nil {
		return *request.Timeouts
	}
	return s.config.Timeouts
}

// Certificates returns the peer's chain on a connection of late, DER, leaf
// first.
func (s *Session) Certificates(connection uint64) [][]byte { return s.known.certificates(connection) }

// Connections counts the open ones.
func (s *Session) Connections() int { return s.pool.Connections() }

// Close closes the idle connections, the others as their exchanges end. What is
// started afterwards fails.
func (s *Session) Close() { s.pool.Close() }
