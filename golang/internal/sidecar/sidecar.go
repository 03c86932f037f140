// Package sidecar serves the library to other processes: to children of fork,
// which cannot use the Go of their parent, to hosts that must not load Go, to
// those who share one pool of connections.
//
// It is a WebSocket server on loopback. Each of its messages is one verb of
// package library, or what came of one (frame.go), so that whatever a host can do
// with the library in its own process it can do from afar. Every process that
// connects has a library of its own, which ends with its last connection: nobody
// can name what is another's.
//
// Whoever can send requests from this process can do much, so strangers are kept
// out by what they cannot know or send (handshake.go), and a client that breaks
// the rules or does not read loses its connection, nothing else.
package sidecar

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/fault"
	"github.com/cycletls/cycletls/golang/internal/library"
	"github.com/cycletls/cycletls/golang/internal/sidecar/node"
	"github.com/cycletls/cycletls/golang/internal/wait"
	"github.com/cycletls/cycletls/golang/internal/websocket"
)

// Config is what a server is; zero limits are replaced by defaults.
type Config struct {
	Version  string // clients of another one are refused
	Token    string
	IdleExit time.Duration // 0: serve for ever
	// Node: clients are npm's, which have neither token nor version, and this holds
	// where they say nothing; nil: they are our own.
	Node *envelope.Node

	Patience       time.Duration // for a handshake
	Stall          time.Duration // that a client may take to read what waits for it
	MaxConnections int
	MaxStrangers   int // connections whose handshake is not done
	MaxMessage     int64
	MaxBody        int64 // of what one connection sends: bodies whose requests have not ended yet
	MaxOperations  int   // of one connection, under way
}

const (
	defaultPatience       = 5 * time.Second
	defaultStall          = time.Minute
	defaultMaxConnections = 4096
	defaultMaxStrangers   = 64
	defaultMaxMessage     = 4 << 20
	defaultMaxBody        = 2 << 30
	defaultMaxOperations  = 1 << 16

	// minToken is 256 bits in base64 without padding.
	minToken = 43
)

func (c Config) withDefaults() Config {
	c.Patience = cmp.Or(c.Patience, defaultPatience)
	c.Stall = cmp.Or(c.Stall, defaultStall)
	c.MaxConnections = cmp.Or(c.MaxConnections, defaultMaxConnections)
	c.MaxStrangers = cmp.Or(c.MaxStrangers, defaultMaxStrangers)
	c.MaxMessage = cmp.Or(c.MaxMessage, defaultMaxMessage)
	c.MaxBody = cmp.Or(c.MaxBody, defaultMaxBody)
	c.MaxOperations = cmp.Or(c.MaxOperations, defaultMaxOperations)
	return c
}

// Server is a sidecar that listens.
type Server struct {
	cfg      Config
	listener net.Listener
	host     string // what a request's Host must be
	port     int
	ended    chan struct{}
	end      sync.Once

	mu        sync.Mutex // guards what follows
	open      map[net.Conn]struct{}
	strangers int
	clients   map[string]*client
	idle      *time.Timer // ends the server; nil: it serves for ever
}

var _ library.Sidecar = (*Server)(nil)

// Starter returns what makes a library of this version able to start servers.
func Starter(version string) func(*envelope.Serve) (library.Sidecar, error) {
	return func(m *envelope.Serve) (library.Sidecar, error) {
		listener, err := listen(m)
		if err != nil {
			return nil, err
		}
		return Serve(listener, Config{Version: version, Token: m.Token, IdleExit: m.IdleExit, Node: m.Node})
	}
}

func listen(m *envelope.Serve) (net.Listener, error) {
	if m.Descriptor == 0 {
		return net.Listen("tcp", cmp.Or(m.Address, "127.0.0.1:0"))
	}
	file := os.NewFile(uintptr(m.Descriptor), "listener")
	defer file.Close()
	return net.FileListener(file)
}

// Serve serves on a listener, which it closes in the end; Close ends it.
func Serve(listener net.Listener, cfg Config) (*Server, error) {
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok || !address.IP.IsLoopback() {
		listener.Close()
		return nil, fmt.Errorf("%v is not a loopback address", listener.Addr())
	}
	if cfg.Node == nil && len(cfg.Token) < minToken {
		listener.Close()
		return nil, errors.New("the token must have 256 random bits")
	}
	s := &Server{
		cfg: cfg.withDefaults(), listener: listener, host: address.String(), port: address.Port, ended: make(chan struct{}),
		open: make(map[net.Conn]struct{}), clients: make(map[string]*client),
	}
	if cfg.IdleExit > 0 {
		s.idle = time.AfterFunc(cfg.IdleExit, s.Close)
	}
	go s.accept()
	return s, nil
}

// Address is where the server listens.
func (s *Server) Address() string { return s.host }

// Await waits for the server's end.
func (s *Server) Await(ctx *wait.Context) error { return ctx.Await(s.ended, wait.Total) }

// Close ends the server and everything that its clients have under way.
func (s *Server) Close() {
	s.end.Do(func() {
		close(s.ended)
		s.listener.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		for conn := range s.open {
			conn.Close()
		}
		if s.idle != nil {
			s.idle.Stop()
		}
	})
}

// accept takes connections until the listener is closed. Where descriptors have
// run out, it waits for some to come back.
func (s *Server) accept() {
	const pause = 50 * time.Millisecond
	for {
		conn, err := s.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			ctx, cancel := context.WithTimeout(context.Background(), pause)
			select {
			case <-ctx.Done():
			case <-s.ended:
			}
			cancel()
		case !s.admit(conn):
			conn.Close()
		default:
			go s.serve(conn)
		}
	}
}

// admit counts a connection whose handshake begins.
func (s *Server) admit(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over() || len(s.open) >= s.cfg.MaxConnections || s.strangers >= s.cfg.MaxStrangers {
		return false
	}
	s.open[conn] = struct{}{}
	s.strangers++
	if s.idle != nil {
		s.idle.Stop()
	}
	return true
}

func (s *Server) over() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// known says that a handshake is done, whatever came of it.
func (s *Server) known() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.strangers--
}

// release forgets a connection. The server's time runs when nobody is left.
func (s *Server) release(conn net.Conn) {
	conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, conn)
	if len(s.open) == 0 && s.idle != nil && !s.over() {
		s.idle.Reset(s.cfg.IdleExit)
	}
}

// serve speaks to one client until it goes.
func (s *Server) serve(conn net.Conn) {
	defer fault.Survive()
	defer s.release(conn)
	hello, err := s.welcome(conn)
	s.known()
	if err != nil {
		return
	}
	if s.cfg.Node != nil {
		socket := websocket.New(&duplex{conn}, websocket.Config{Server: true, MaxMessage: node.MaxMessage})
		node.Serve(socket, &node.Config{Defaults: s.cfg.Node, Stall: s.cfg.Stall})
		return
	}
	c := s.join(hello.client)
	defer s.leave(hello.client)
	newConnection(conn, c, &s.cfg).serve()
}
