package transport

import (
	"bytes"
	"errors"
	"sync"
	"sync/atomic"

	utls "github.com/refraction-networking/utls"

	"github.com/cycletls/cycletls/golang/internal/fingerprint"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// tlsConn is a TLS connection whose waits obey contexts, as those of the
// connection beneath do. An exchange that ends during a wait does not spoil it
// for the others: nothing read is lost, nothing written is cut.
type tlsConn struct {
	*utls.UConn
	carrier *carrier
	hello   []byte // the first; a server may ask for another
}

var (
	_ wait.Conn      = (*tlsConn)(nil)
	_ wait.Watchable = (*tlsConn)(nil)
	_ wait.Gatherer  = (*tlsConn)(nil)
	_ wait.Attender  = (*tlsConn)(nil)
)

// SetReadContext implements wait.Conn.
func (c *tlsConn) SetReadContext(ctx *wait.Context) { c.carrier.SetReadContext(ctx) }

// SetWriteContext implements wait.Conn.
func (c *tlsConn) SetWriteContext(ctx *wait.Context) { c.carrier.SetWriteContext(ctx) }

// Watch implements wait.Watchable: what is behind a read that would block is in the
// connection beneath.
func (c *tlsConn) Watch() (int, error) {
	if beneath, ok := c.carrier.Conn.(wait.Watchable); ok {
		return beneath.Watch()
	}
	return -1, errors.ErrUnsupported
}

// recordSize is the plaintext of one full record (RFC 8446 section 5.1).
const recordSize = 16384

// Write implements net.Conn. When the wait ends early, it returns how much of p
// is in records: those leave, whole, in front of what is written next.
func (c *tlsConn) Write(p []byte) (int, error) {
	if err := c.carrier.flush(); err != nil {
		return 0, err
	}
	written := 0
	for {
		n, err := c.UConn.Write(p[written:min(len(p), written+recordSize)])
		written += n
		if err == nil {
			err = c.carrier.takeStop()
		}
		if err != nil || written == len(p) {
			return written, err
		}
	}
}

// Attend implements wait.Attender: what was there has been read, whole records or not.
func (c *tlsConn) Attend(ctx *wait.Context) bool {
	beneath, ok := c.carrier.Conn.(wait.Attender)
	return ok && beneath.Attend(ctx)
}

// Gather implements wait.Gatherer.
func (c *tlsConn) Gather(write func() (int, error)) (int, error) {
	if err := c.carrier.flush(); err != nil {
		return 0, err
	}
	c.carrier.gather()
	n, err := write()
	if left := c.carrier.scatter(); err == nil {
		err = left
	}
	return n, err
}

// agreed tells what the handshake came to.
func (c *tlsConn) agreed(name string) *message.TLS {
	state := c.ConnectionState()
	info := &message.TLS{
		Version:      state.Version,
		CipherSuite:  state.CipherSuite,
		ALPN:         state.NegotiatedProtocol,
		ServerName:   name,
		Resumed:      state.DidResume,
		Certificates: state.PeerCertificates,
	}
	if hello := c.HandshakeState.ServerHello; hello != nil {
		info.Group = uint16(hello.ServerShare.Group)
	}
	if hello, err := fingerprint.ParseHello(c.hello); err == nil {
		info.JA4 = hello.ClientHello().JA4(false).Hash()
	}
	c.hello = nil
	return info
}

// Close implements net.Conn. It says goodbye (close_notify), but waits for
// nobody: the peer may have stopped reading.
func (c *tlsConn) Close() error {
	c.carrier.closing.Store(true)
	return c.UConn.Close()
}

// carrier is what utls writes its records to. utls takes an error in the middle
// of a record for the end of the connection, as its peer would; so when a wait
// ends early, the carrier keeps the rest of the record and says that it was
// written, and why it was not.
type carrier struct {
	wait.Conn
	closing atomic.Bool

	mu        sync.Mutex // a reader writes, too: alerts, answers to KeyUpdate
	gathering bool       // records wait to leave together
	gathered  []byte
	pending   []byte // of one record, seldom more; nil: nothing
	stop      error
}

// maxPending bounds the answers to a peer that sends KeyUpdates without end, and
// reads none of them.
const maxPending = 4 * recordSize

var errStalled = errors.New("the peer asks for answers that it does not read")

// Write implements net.Conn for utls.
func (c *carrier) Write(record []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing.Load() {
		c.SetWriteContext(wait.Now)
	}
	if c.pending != nil {
		if len(c.pending) > maxPending {
			return 0, errStalled
		}
		c.pending = append(c.pending, record...)
		return len(record), nil
	}
	if c.gathering {
		if c.gathered = append(c.gathered, record...); len(c.gathered) < recordSize {
			return len(record), nil
		}
		return len(record), c.leave()
	}
	n, err := c.Conn.Write(record)
	if err != nil && wait.IsStop(err) {
		c.pending = bytes.Clone(record[n:])
		c.stop = err
		return len(record), nil
	}
	return n, err
}

// flush writes what an earlier wait left behind.
func (c *carrier) flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stop = nil
	if c.pending == nil {
		return nil
	}
	n, err := c.Conn.Write(c.pending)
	c.pending = c.pending[n:]
	if err == nil {
		c.pending = nil
	}
	return err
}

// gather has records wait for one another until scatter.
func (c *carrier) gather() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gathering = true
}

func (c *carrier) scatter() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gathering = false
	err := c.leave()
	if err == nil {
		err, c.stop = c.stop, nil
	}
	return err
}

// leave writes what was gathered; c.mu is held.
func (c *carrier) leave() error {
	if len(c.gathered) == 0 {
		return nil
	}
	n, err := c.Conn.Write(c.gathered)
	if err != nil && wait.IsStop(err) {
		c.pending, c.stop, err = bytes.Clone(c.gathered[n:]), err, nil
	}
	c.gathered = c.gathered[:0]
	return err
}

// takeStop returns why the last write did not reach the connection.
func (c *carrier) takeStop() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	stop := c.stop
	c.stop = nil
	return stop
}
