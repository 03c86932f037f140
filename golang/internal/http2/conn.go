// Package http2 is the client side of one HTTP/2 connection (RFC 9113), shared
// by any number of threads and run by none of its own.
//
// Reading. Whoever waits for something and finds nobody reading becomes the
// leader: it reads and digests frames for all streams until its own need is met
// or its wait ends, and then wakes one of those who wait to follow it. Frames
// that are there but not digested, and pieces of frames, stay in the buffer for
// the next leader.
//
// Writing. Frames are appended to one buffer under the lock; who finds nobody
// sending, sends it, and takes along what others append meanwhile. The leader
// never waits in order to send: a peer that does not read may be waiting for us
// to read.
//
// An exchange whose wait ends leaves, and the connection lives on for the
// others. With one stream open nobody is woken.
package http2

import (
	"math"
	"sync"

	"golang.org/x/net/http2"

	"github.com/cycletls/cycletls/golang/internal/hpack"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// Conn is a connection. Its methods may be called by any thread at any time.
type Conn struct {
	nc     wait.Conn
	cfg    Config
	onIdle func(*Conn, bool)

	mu       sync.Mutex // guards what follows
	streams  map[uint32]*Stream
	nextID   uint32
	taken    int // slots of streams: what the peer's limit counts
	users    int // streams that their owners have not closed
	openers  []chan struct{}
	err      error // why it has ended; streams carry their own
	code     http2.ErrCode
	quiet    bool // there is no use in telling the peer why
	closed   bool
	away     *message.ResetError // the peer's GOAWAY
	peer     peerSettings
	sendWin  int64
	checked  message.Fields // the last ones that may be sent
	repeated encoded
	recv     inflow
	// streamWindow is what the peer may send on each stream.
	streamWindow int64

	writer
	reader
	attendance
}

var _ message.Opener = (*Conn)(nil)

// peerSettings is what the peer announced (RFC 9113 section 6.5.2).
type peerSettings struct {
	known      bool
	maxStreams uint32
	window     uint32
	maxFrame   uint32
	connect    bool // it takes extended CONNECT
}

// unknownStreams is how many streams we open before the peer has told its
// limit: what RFC 9113 section 6.5.2 asks it to allow at the least.
const unknownStreams = 100

// NewConn begins a connection. What opens it on the wire leaves with the first
// request, in a record of its own.
func NewConn(nc wait.Conn, cfg Config) *Conn {
	c := &Conn{
		nc:      nc,
		cfg:     cfg,
		streams: make(map[uint32]*Stream),
		nextID:  cfg.FirstStreamID,
		peer:    peerSettings{maxStreams: unknownStreams, window: defaultWindow, maxFrame: dataSize},
		sendWin: defaultWindow,
		recv:    newInflow(defaultWindow + int64(cfg.WindowUpdate)),
	}
	c.streamWindow = int64(c.cfg.setting(http2.SettingInitialWindowSize, defaultWindow)) + int64(cfg.StreamWindow)
	c.enc = hpack.NewEncoder(cfg.HPACK)
	c.out = appendPreface(nil, &c.cfg)
	c.cut()
	c.reader.init(c)
	return c
}

// OnIdle sets what is called when the last stream is closed by its owner: true
// says that the connection takes more. Set it before the first Open.
func (c *Conn) OnIdle(f func(*Conn, bool)) { c.onIdle = f }

// Open implements message.Opener. Where the peer allows no further stream, it
// waits for one to end.
func (c *Conn) Open(ctx *wait.Context) (message.Stream, error) {
	c.mu.Lock()
	defer c.unlock()
	for {
		if !c.usable() {
			return nil, ErrUnavailable
		}
		if c.slotFree() {
			break
		}
		if err := c.awaitSlot(ctx); err != nil {
			return nil, err
		}
	}
	return c.open(ctx), nil
}

// TryOpen is Open for who would rather go elsewhere than wait.
func (c *Conn) TryOpen(ctx *wait.Context) (message.Stream, error) {
	c.mu.Lock()
	defer c.unlock()
	switch {
	case !c.usable():
		return nil, ErrUnavailable
	case !c.slotFree():
		return nil, ErrBusy
	}
	return c.open(ctx), nil
}

func (c *Conn) open(ctx *wait.Context) *Stream {
	c.taken++
	c.users++
	s := &Stream{c: c, length: message.UnknownLength}
	s.reading, s.writing = waiter{s: s, ctx: ctx}, waiter{s: s, ctx: ctx}
	return s
}

// awaitSlot waits until a slot may be free. A server may allow none for a while,
// and then nobody else reads what allows one.
func (c *Conn) awaitSlot(ctx *wait.Context) error {
	if ctx.Never() {
		return wait.ErrWouldBlock
	}
	ready := make(chan struct{})
	c.openers = append(c.openers, ready)
	until, why := ctx.Until(wait.Pool)
	for {
		turn := slice(until)
		if ctx.Prompt() && c.openers[0] != ready {
			turn = ctx.Before(until, why) // the first one looks for all
		}
		c.release()
		err := turn.Await(ready, wait.Total)
		c.mu.Lock()
		if err == nil {
			return nil
		}
		c.look()
		if err := ctx.Expired(until, why); err != nil {
			if !c.dropOpener(ready) {
				c.admit() // it was our turn: the next one's
			}
			return err
		}
	}
}

// dropOpener reports whether the opener was still waiting.
func (c *Conn) dropOpener(ready chan struct{}) bool {
	for i, other := range c.openers {
		if other == ready {
			c.openers = append(c.openers[:i], c.openers[i+1:]...)
			return true
		}
	}
	return false
}

// admit wakes as many openers as there are slots; all when there will be none.
func (c *Conn) admit() {
	free := math.MaxInt
	if c.usable() {
		free = max(0, int(c.peer.maxStreams)-c.taken)
	}
	for ; free > 0 && len(c.openers) > 0; free-- {
		close(c.openers[0])
		c.openers = c.openers[1:]
	}
}

func (c *Conn) slotFree() bool { return c.taken < int(c.peer.maxStreams) }

// usable reports whether new streams can ever be opened.
func (c *Conn) usable() bool {
	return c.err == nil && c.away == nil && c.broken == nil && c.nextID <= maxStreamID
}

// Available reports whether Open would return a stream without waiting.
func (c *Conn) Available() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.usable() && c.slotFree()
}

// Tunnels reports whether the peer has said that it takes extended CONNECT (RFC
// 8441 section 3).
func (c *Conn) Tunnels() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.peer.connect
}

// Alive looks, without waiting, at what the peer sent while nobody read, and
// reports whether the connection can be used.
func (c *Conn) Alive() bool {
	c.mu.Lock()
	defer c.unlock()
	if c.err == nil && c.started() {
		c.look()
		_ = c.flush(wait.Now)
	}
	return c.usable()
}

// Streams counts the streams that their owners have not closed.
func (c *Conn) Streams() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.users
}

// Close ends the connection and all its streams.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.unlock()
	c.fail(http2.ErrCodeNo, errShut())
	return nil
}

// started reports whether anything was sent.
func (c *Conn) started() bool { return c.nextID != c.cfg.FirstStreamID }

// unlock gives the lock back. A connection that has ended is closed on this
// way, because closing may wait and needs no lock.
func (c *Conn) unlock() {
	ending := c.err != nil && !c.closed
	silent := c.quiet || c.cfg.SilentClose && c.code == http2.ErrCodeNo
	telling := ending && !silent && !c.flushing && c.broken == nil && c.started()
	if ending {
		c.closed = true
		c.admit()
	}
	var last []byte
	if telling {
		c.flushing = true // for good
		last, c.out = appendGoAway(c.out, c.code), nil
	}
	c.release()
	if telling {
		c.nc.SetWriteContext(wait.Now)
		_, _ = c.nc.Write(last)
	}
	if ending {
		_ = c.nc.Close()
	}
}
