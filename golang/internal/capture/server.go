// Package capture is an HTTP server that answers each request with what it saw
// on the wire: the ClientHello's bytes, the frames, the header block, the head
// exactly as it came. Tests and users see with it what a client sends; it
// shares no code with the client that it judges.
package capture

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"sync"
)

// Config says where a Server listens and what it speaks.
type Config struct {
	Address   string           // "127.0.0.1:0" when empty: loopback, a free port
	TLS       bool             // with a certificate of its own making unless one is given
	Cert      *tls.Certificate // presented when TLS is on
	Protocols []string         // ALPN, in the server's order of preference; all when empty
}

// Server is a running capture server.
type Server struct {
	listener  net.Listener
	tls       *tls.Config // nil in the clear
	authority []byte

	running  sync.WaitGroup
	mu       sync.Mutex
	closed   bool
	accepted uint64
	open     map[net.Conn]struct{}
	failures []error
}

// maxFailures bounds what Failures remembers.
const maxFailures = 100

// Serve starts a server; Close ends it.
func Serve(cfg Config) (*Server, error) {
	s := &Server{open: make(map[net.Conn]struct{})}
	if cfg.TLS {
		if err := s.configureTLS(cfg); err != nil {
			return nil, err
		}
	}
	address := cfg.Address
	if address == "" {
		address = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	s.listener = listener
	s.running.Go(s.accept)
	return s, nil
}

func (s *Server) configureTLS(cfg Config) error {
	if cfg.Cert == nil {
		cert, authority, err := selfMade()
		if err != nil {
			return fmt.Errorf("make a certificate: %w", err)
		}
		cfg.Cert, s.authority = cert, authority
	}
	if len(cfg.Protocols) == 0 {
		cfg.Protocols = []string{"h2", "http/1.1"}
	}
	s.tls = &tls.Config{Certificates: []tls.Certificate{*cfg.Cert}, NextProtos: cfg.Protocols}
	return nil
}

// Addr is the address the server listens on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// URL is the server's root.
func (s *Server) URL() string {
	if s.tls == nil {
		return "http://" + s.Addr().String()
	}
	return "https://" + s.Addr().String()
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
			return
		}
		s.running.Go(func() {
			defer s.release(conn)
			s.note(s.guard(conn, id))
		})
	}
}

func (s *Server) admit(conn net.Conn) (uint64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
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

// guard keeps a fault of ours from taking down the process, which may be a
// Python interpreter.
func (s *Server) guard(conn net.Conn, id uint64) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v\n%s", p, debug.Stack())
		}
	}()
	return s.serve(conn, id)
}

// serve speaks to one client until it goes.
func (s *Server) serve(raw net.Conn, id uint64) error {
	seen := &connection{about: Connection{ID: id, RemoteAddr: raw.RemoteAddr().String(), Protocol: "http/1.1"}}
	conn := raw
	if s.tls != nil {
		seen.tap = &tap{Conn: raw}
		secure := tls.Server(seen.tap, s.tls)
		if err := secure.Handshake(); err != nil {
			return fmt.Errorf("TLS handshake: %w", err)
		}
		// The close_notify that ends TLS politely; the connection itself is release's.
		defer secure.CloseWrite()
		state := secure.ConnectionState()
		seen.state, conn = &state, secure
	}
	if seen.state != nil && seen.state.NegotiatedProtocol == "h2" {
		seen.about.Protocol = "h2"
		return ended(newConn2(conn, seen).serve())
	}
	return ended((&conn1{conn: conn, seen: seen}).serve())
}

// ended drops the error that is only the client's leaving.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
