package http2

import (
	"strings"

	"golang.org/x/net/http2"

	"github.com/cycletls/cycletls/golang/internal/message"
)

const (
	minMaxFrame = 1 << 14
	maxMaxFrame = 1<<24 - 1
	// maxDetails bounds what is kept of a GOAWAY's debug data.
	maxDetails = 256

	settingEnableConnectProtocol http2.SettingID = 0x8 // RFC 8441 section 3
)

// handleSettings obeys the peer's SETTINGS and acknowledges them (RFC 9113
// section 6.5.3).
func (c *Conn) handleSettings(f *http2.SettingsFrame) {
	if f.IsAck() {
		return
	}
	if !c.peer.known {
		c.peer.known = true
		c.peer.maxStreams = maxStreamID // no limit unless it names one
	}
	_ = f.ForeachSetting(func(s http2.Setting) error {
		c.applySetting(s)
		return c.err
	})
	if c.err != nil {
		return
	}
	c.out = appendSettingsAck(c.out)
	c.cut()
	c.admit()
	c.wakeReady()
}

func (c *Conn) applySetting(s http2.Setting) {
	switch s.ID {
	case http2.SettingHeaderTableSize:
		c.enc.SetTableSize(s.Val)
	case http2.SettingEnablePush:
		if s.Val != 0 {
			c.violate(http2.ErrCodeProtocol, "a server's SETTINGS_ENABLE_PUSH", "6.5.2")
		}
	case http2.SettingMaxConcurrentStreams:
		c.peer.maxStreams = min(s.Val, maxStreamID)
	case http2.SettingInitialWindowSize:
		c.resizeWindows(s.Val)
	case http2.SettingMaxFrameSize:
		if s.Val < minMaxFrame || s.Val > maxMaxFrame {
			c.violate(http2.ErrCodeProtocol, "SETTINGS_MAX_FRAME_SIZE out of range", "6.5.2")
		}
		c.peer.maxFrame = s.Val
	case settingEnableConnectProtocol:
		if s.Val > 1 || s.Val == 0 && c.peer.connect {
			c.fail(http2.ErrCodeProtocol, &message.ProtocolError{
				Protocol: "HTTP/2", What: "invalid SETTINGS_ENABLE_CONNECT_PROTOCOL", Section: "RFC 8441 section 3",
			})
		}
		c.peer.connect = s.Val == 1
	}
}

// resizeWindows changes the window of every stream by the difference; it may
// become negative (RFC 9113 section 6.9.2).
func (c *Conn) resizeWindows(size uint32) {
	if size > maxWindow {
		c.violate(http2.ErrCodeFlowControl, "SETTINGS_INITIAL_WINDOW_SIZE out of range", "6.5.2")
		return
	}
	change := int64(size) - int64(c.peer.window)
	c.peer.window = size
	for _, s := range c.streams {
		if s.sendWin += change; s.sendWin > maxWindow {
			c.violate(http2.ErrCodeFlowControl, "a stream's window beyond 2^31-1", "6.9.2")
			return
		}
	}
}

func (c *Conn) handleWindowUpdate(f *http2.WindowUpdateFrame) {
	if f.StreamID == 0 {
		if c.sendWin += int64(f.Increment); c.sendWin > maxWindow {
			c.violate(http2.ErrCodeFlowControl, "the connection's window beyond 2^31-1", "6.9.1")
			return
		}
		c.wakeReady()
		return
	}
	if c.idleStream(f.StreamID) {
		return
	}
	s := c.streams[f.StreamID]
	if s == nil {
		return
	}
	if s.sendWin += int64(f.Increment); s.sendWin > maxWindow {
		c.reset(s, http2.ErrCodeFlowControl, protocolError("a stream's window beyond 2^31-1", "6.9.1"))
		return
	}
	c.wakeReady()
}

// handleReset is the peer's RST_STREAM. After a complete response it only says
// that the rest of the request is not wanted (RFC 9113 section 8.1).
func (c *Conn) handleReset(f *http2.RSTStreamFrame) {
	if c.idleStream(f.StreamID) {
		return
	}
	s := c.streams[f.StreamID]
	if s == nil {
		return
	}
	if !s.remoteClosed {
		s.refused = f.ErrCode == http2.ErrCodeRefusedStream && s.head == nil
		s.err = &message.ResetError{Code: uint32(f.ErrCode), Name: f.ErrCode.String()}
	}
	s.leave()
	c.wake(s)
}

// handleGoAway ends what the peer did not process; the rest goes on (RFC 9113
// section 6.8).
func (c *Conn) handleGoAway(f *http2.GoAwayFrame) {
	c.away = &message.ResetError{
		Code: uint32(f.ErrCode), Name: f.ErrCode.String(), Whole: true, Details: printable(f.DebugData()),
	}
	for id, s := range c.streams {
		if id > f.LastStreamID && !s.remoteClosed {
			s.refused = s.head == nil
			s.err = c.away
			s.leave()
			c.wake(s)
		}
	}
	c.admit()
}

// printable makes debug data fit for an error message.
func printable(data []byte) string {
	data = data[:min(len(data), maxDetails)]
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, string(data))
}

// handlePushPromise refuses what the server wants to push: most clients have
// said that it must not (RFC 9113 section 6.6), for the others the promise is
// digested and cancelled.
func (c *Conn) handlePushPromise(f *http2.PushPromiseFrame) {
	if c.cfg.setting(http2.SettingEnablePush, 1) == 0 {
		c.violate(http2.ErrCodeProtocol, "PUSH_PROMISE although push is disabled", "6.6")
		return
	}
	if !f.HeadersEnded() || f.PromiseID%2 == 1 || f.PromiseID <= c.promised || c.idleStream(f.StreamID) {
		c.violate(http2.ErrCodeProtocol, "malformed PUSH_PROMISE", "6.6")
		return
	}
	c.promised = f.PromiseID
	c.beginSection(f.PromiseID, false)
	c.addFragment(f.HeaderBlockFragment(), true)
	c.out = appendReset(c.out, f.PromiseID, http2.ErrCodeRefusedStream)
}
