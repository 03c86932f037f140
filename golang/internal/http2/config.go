package http2

import (
	"golang.org/x/net/http2"

	"github.com/cycletls/cycletls/golang/internal/hpack"
)

// Setting is one entry of a SETTINGS frame (RFC 9113 section 6.5.1).
type Setting struct {
	ID    uint16
	Value uint32
}

// Priority is what RFC 7540 section 5.3 says about a stream.
type Priority struct {
	Weight    int // 1 to 256
	Exclusive bool
	Dep       uint32
}

// PriorityFrame is a PRIORITY frame for a stream that may never be opened.
type PriorityFrame struct {
	StreamID uint32
	Priority Priority
}

// Config is how a client presents itself, and what it puts up with.
type Config struct {
	Settings        []Setting // in wire order
	WindowUpdate    uint32    // for the connection, right after SETTINGS; 0: none
	StreamWindow    uint32    // WINDOW_UPDATE for each stream after its HEADERS; 0: none
	Priorities      []PriorityFrame
	HeadersPriority *Priority // of every HEADERS frame; nil: none
	// UrgencyWeights are the weights of HEADERS by the urgency, 0 to 7, in the
	// request's priority field; nil: that of HeadersPriority always.
	UrgencyWeights []int
	DataSize       int // most content of a DATA frame; 0: 16384
	Upload         *Upload
	FirstStreamID  uint32
	PseudoOrder    string // of m(ethod), a(uthority), s(cheme), p(ath)
	HPACK          hpack.Policy
	SilentClose    bool // no GOAWAY where nothing is wrong

	MaxHeaderBytes   int64 // of a header or trailer section, counted as RFC 9113 section 10.5.1 does
	MaxInformational int   // 1xx responses before the final one
}

// setting returns what we announce; the last of several counts.
func (c *Config) setting(id http2.SettingID, otherwise uint32) uint32 {
	for _, s := range c.Settings {
		if http2.SettingID(s.ID) == id {
			otherwise = s.Value
		}
	}
	return otherwise
}
