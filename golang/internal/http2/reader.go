package http2

import (
	"errors"

	"golang.org/x/net/http2"

	"github.com/cycletls/cycletls/golang/internal/message"
)

// maxIdleFrames is how many frames in a row may bring nothing: PING, SETTINGS,
// empty DATA, … (CVE-2019-9512, -9515, -9518). The largest that is known to be
// of honest use is one WINDOW_UPDATE for each DATA frame of ours, and those
// count as progress.
const maxIdleFrames = 10_000

// reader is the receiving side of a connection. What is beneath waiting belongs
// to the leader, the rest is guarded by Conn.mu.
type reader struct {
	leading bool
	leader  *waiter   // nil: it only looks
	heir    *waiter   // was woken to lead next
	waiting []*waiter // followers, longest first
	woken   []*waiter // those to be woken when the lock is given back

	in        buffer
	framer    *http2.Framer
	frameRoom int               // what the largest frame takes in the buffer
	header    http2.FrameHeader // of the frame that has begun
	begun     bool
	data      dataFrame
	section   section
	idle      int    // frames since the last that brought something
	promised  uint32 // the last stream that the peer promised
}

func (r *reader) init(c *Conn) {
	maxFrame := c.cfg.setting(http2.SettingMaxFrameSize, dataSize)
	r.frameRoom = frameHeaderSize + int(maxFrame)
	r.framer = http2.NewFramer(nil, &r.in)
	r.framer.SetMaxReadFrameSize(maxFrame)
	r.framer.SetReuseFrames()
	r.section.init(c.cfg.MaxHeaderBytes, c.cfg.setting(http2.SettingHeaderTableSize, defaultTableSize))
}

// digest processes the frames that are there, as far as the leader lets it.
func (c *Conn) digest() {
	for c.err == nil && !c.sated() && c.step() {
	}
}

// step processes one frame, or a piece of a DATA frame, and reports whether
// there was one.
func (c *Conn) step() bool {
	if !c.begun && !c.begin() {
		return false
	}
	if c.header.Type == http2.FrameData {
		return c.digestData()
	}
	if c.in.len() < int(c.header.Length) {
		return false
	}
	c.begun = false
	frame, err := c.framer.ReadFrameForHeader(c.header)
	if err != nil {
		c.badFrame(err)
		return true
	}
	c.handle(frame)
	return true
}

// begin takes the header of the next frame.
func (c *Conn) begin() bool {
	if c.in.len() < frameHeaderSize {
		return false
	}
	header, err := c.framer.ReadFrameHeader()
	if err != nil {
		c.badFrame(err)
		return false
	}
	if !c.peer.known && (header.Type != http2.FrameSettings || header.Flags.Has(http2.FlagSettingsAck)) {
		c.violate(http2.ErrCodeProtocol, "the server did not begin with SETTINGS", "3.4")
		return false
	}
	if c.idle++; c.idle > maxIdleFrames {
		c.fail(http2.ErrCodeEnhanceYourCalm,
			&message.LimitError{What: "run of frames without content", Limit: maxIdleFrames, Unit: "frames"})
		return false
	}
	c.header, c.begun = header, true
	return true
}

// badFrame ends what a frame that cannot be parsed ends.
func (c *Conn) badFrame(err error) {
	var onStream http2.StreamError
	var onConn http2.ConnectionError
	switch {
	case errors.As(err, &onStream):
		if s := c.streams[onStream.StreamID]; s != nil {
			c.refuse(s, c.detail("malformed frame"), "5.4.2")
		}
	case errors.As(err, &onConn):
		c.violate(http2.ErrCode(onConn), c.detail("malformed frame"), "5.4.1")
	case errors.Is(err, http2.ErrFrameTooLarge):
		c.violate(http2.ErrCodeFrameSize, "frame larger than SETTINGS_MAX_FRAME_SIZE", "4.2")
	default:
		c.violate(http2.ErrCodeFrameSize, "frame too short for its content", "4.2")
	}
}

// detail is what the framer knows of the error it returned.
func (c *Conn) detail(otherwise string) string {
	if err := c.framer.ErrorDetail(); err != nil {
		return err.Error()
	}
	return otherwise
}

func (c *Conn) handle(frame http2.Frame) {
	switch f := frame.(type) {
	case *http2.HeadersFrame:
		c.beginSection(f.StreamID, f.StreamEnded())
		c.addFragment(f.HeaderBlockFragment(), f.HeadersEnded())
	case *http2.ContinuationFrame:
		c.addFragment(f.HeaderBlockFragment(), f.HeadersEnded())
	case *http2.SettingsFrame:
		c.handleSettings(f)
	case *http2.PingFrame:
		if !f.IsAck() {
			c.out = appendPingAck(c.out, f.Data)
		}
	case *http2.WindowUpdateFrame:
		c.handleWindowUpdate(f)
	case *http2.RSTStreamFrame:
		c.handleReset(f)
	case *http2.GoAwayFrame:
		c.handleGoAway(f)
	case *http2.PushPromiseFrame:
		c.handlePushPromise(f)
	}
	// PRIORITY and frames of unknown types are ignored (RFC 9113 sections 5.3.2
	// and 5.5).
}

// idleStream reports whether a frame names a stream that nobody has opened:
// all but those of ours and those that were promised. It ends the connection.
func (c *Conn) idleStream(id uint32) bool {
	if id%2 == 1 && id < c.nextID || id%2 == 0 && id <= c.promised {
		return false
	}
	c.violate(http2.ErrCodeProtocol, "frame for a stream that was never opened", "5.1")
	return true
}
