// Package capture is an HTTP server that remembers what it saw on the wire, and
// answers each request with it: the ClientHello's bytes, the frames, the header
// block, the head exactly as it came. Tests and users see with it what a client
// sends, and a log of a client can be made into the profile that it implies. It
// shares none of the code that sends.
package capture

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/cycletls/cycletls/golang/internal/fault"
)

// Config says where a Server listens and what it speaks.
type Config struct {
	Address   string           // host:port; without a host loopback, without a port a free one
	TLS       bool             // with a certificate of its own making unless one is given
	Cert      *tls.Certificate // presented when TLS is on
	Protocols []string         // ALPN, in the server's order of preference; all when empty
	Retry     bool             // accept only a group that clients send no key for: HelloRetryRequest
	NoTickets bool             // give no session tickets
}

// Server is a running capture server.
type Server struct {
	listener  net.Listener
	tls       *tls.Config // nil in the clear
	authority []byte
	log       *log

	running  sync.WaitGroup
	mu       sync.Mutex
	closed   bool
	accepted uint64
	open     map[net.Conn]struct{}
	failures []error
}

const (
	maxFailures = 100 // that Failures remembers
	maxOpen     = 1000
	// idle is how long a client may say nothing.
	idle = 2 * time.Minute
)

// Serve starts a server; Close ends it.
func Serve(cfg Config) (*Server, error) {
	s := &Server{open: make(map[net.Conn]struct{}), log: newLog()}
	if cfg.TLS {
		if err := s.configureTLS(cfg); err != nil {
			return nil, err
		}
	}
	listener, err := net.Listen("tcp", listenAddress(cfg.Address))
	if err != nil {
		return nil, err
	}
	s.listener = listener
	s.running.Go(s.accept)
	return s, nil
}

// listenAddress fills in loopback, where net.Listen would take all interfaces:
// that has to be asked for by name.
func listenAddress(address string) string {
	if port, ok := strings.CutPrefix(address, ":"); ok {
		return "127.0.0.1:" + port
	}
	return cmp.Or(address, "127.0.0.1:0")
}

func (s *Server) configureTLS(cfg Config) error {
	if cfg.Cert == nil {
		cert, authority, err := selfMade(cfg.Address)
		if err != nil {
			return fmt.Errorf("make a certificate: %w", err)
		}
		cfg.Cert, s.authority = cert, authority
	}
	if len(cfg.Protocols) == 0 {
		cfg.Protocols = []string{"h2", "http/1.1"}
	}
	s.tls = &tls.Config{
		Certificates: []tls.Certificate{*cfg.Cert}, NextProtos: cfg.Protocols, SessionTicketsDisabled: cfg.NoTickets,
	}
	if cfg.Retry {
		s.tls.CurvePreferences = []tls.CurveID{tls.CurveP384}
	}
	return nil
}

// Addr is the address the server listens on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// URL is the server's root as this machine reaches it. Loopback goes by its
// name: a client sends no server_name for an address.
func (s *Server) URL() string {
	host, port, _ := net.SplitHostPort(s.Addr().String())
	if host == "127.0.0.1" || net.ParseIP(host).IsUnspecified() {
		host = "localhost"
	}
	if s.tls == nil {
		return "http://" + net.JoinHostPort(host, port)
	}
	return "https://" + net.JoinHostPort(host, port)
}

// Leaf is the server's certificate in DER; nil in the clear.
func (s *Server) Leaf() []byte {
	if s.tls == nil {
		return nil
	}
	return s.tls.Certificates[0].Certificate[0]
}

// Authority is the PEM certificate of the authority that signed the server's
// own certificate; nil when a certificate was given, and in the clear.
func (s *Server) Authority() []byte { return s.authority }

// Failures tells what ended connections other than their clients closing them.
func (s *Server) Failures() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]error(nil), s.failures...)
}

// Close closes the listener and every connection, and waits for their ends.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	for conn := range s.open {
		conn.Close()
	}
	s.mu.Unlock()
	err := s.listener.Close()
	s.running.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		id, ok := s.admit(conn)
		if !ok {
			conn.Close()
			continue
		}
		s.running.Go(func() {
			defer s.release(conn)
			s.note(s.serve(conn, id))
		})
	}
}

func (s *Server) admit(conn net.Conn) (uint64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.open) == maxOpen {
		return 0, false
	}
	s.accepted++
	s.open[conn] = struct{}{}
	return s.accepted, true
}

func (s *Server) release(conn net.Conn) {
	conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, conn)
}

func (s *Server) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil || s.closed || len(s.failures) == maxFailures {
		return
	}
	s.failures = append(s.failures, err)
}

// serve speaks to one client until it goes.
func (s *Server) serve(raw net.Conn, id uint64) (err error) {
	defer fault.Catch(&err)
	seen := &connection{
		log:   s.log,
		about: Connection{ID: id, RemoteAddr: raw.RemoteAddr().String(), Protocol: "http/1.1"},
	}
	err = s.speak(patient{raw}, seen)
	seen.failed = err
	seen.publish(nil)
	return err
}

func (s *Server) speak(conn net.Conn, seen *connection) error {
	if s.tls != nil {
		seen.tap = &tap{Conn: conn}
		secure := tls.Server(seen.tap, s.tls)
		seen.state, conn = secure.ConnectionState, secure
		if err := secure.Handshake(); err != nil {
			return fmt.Errorf("TLS handshake: %w", err)
		}
		// The close_notify that ends TLS politely; the connection itself is release's.
		defer secure.CloseWrite()
		if secure.ConnectionState().NegotiatedProtocol == "h2" {
			seen.about.Protocol = "h2"
		}
	}
	seen.publish(nil)
	if seen.about.Protocol == "h2" {
		return ended(newConn2(conn, seen).serve())
	}
	return ended((&conn1{conn: conn, seen: seen}).serve())
}

// patient is a connection that gives up on a client that says nothing, and on
// one that does not listen.
type patient struct{ net.Conn }

func (p patient) Read(b []byte) (int, error) {
	p.SetReadDeadline(time.Now().Add(idle))
	return p.Conn.Read(b)
}

func (p patient) Write(b []byte) (int, error) {
	p.SetWriteDeadline(time.Now().Add(idle))
	return p.Conn.Write(b)
}

// ended drops the error that is only the client's leaving.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
