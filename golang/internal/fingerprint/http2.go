package fingerprint

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cycletls/cycletls/golang/internal/hpack"
)

// HTTP2 is how a client opens an HTTP/2 connection (RFC 9113) and writes its
// requests. The zero value of FirstStreamID, PseudoOrder and HPACK is filled in
// by Parse.
type HTTP2 struct {
	Settings        []Setting       `json:"settings,omitempty"`         // in wire order
	WindowUpdate    uint32          `json:"window_update"`              // on the connection, right after SETTINGS; 0: none
	StreamWindow    uint32          `json:"stream_window,omitempty"`    // WINDOW_UPDATE on each stream after its HEADERS; 0: none
	PriorityFrames  []PriorityFrame `json:"priority_frames,omitempty"`  // sent before the first request
	HeadersPriority *Priority       `json:"headers_priority,omitempty"` // of HEADERS frames; nil: no priority flag
	// UrgencyWeights are eight: the weight follows the urgency, 0 to 7, of the priority field.
	UrgencyWeights []int `json:"urgency_weights,omitempty"`
	DataSize       int   `json:"data_size,omitempty"` // most content of a DATA frame; 0: as much as every peer takes
	// Upload says more of how bodies are cut into DATA frames; nil: into pieces of DataSize.
	Upload        *Upload `json:"upload,omitempty"`
	FirstStreamID uint32  `json:"first_stream_id,omitempty"`
	PseudoOrder   string  `json:"pseudo_order,omitempty"` // m method, a authority, s scheme, p path
	HPACK         string  `json:"hpack,omitempty"`        // whose encoder: "quiche", "gecko" or "plain"
	SilentClose   bool    `json:"silent_close,omitempty"` // end a connection without GOAWAY where nothing is wrong
}

// Upload is a client that takes requests as texts, the head as HTTP/1.1 writes
// it and the body behind it, and cuts those: at every multiple of Buffer, and at
// the end of each turn, of which the first takes First bytes and the others Turn.
type Upload struct {
	First  int `json:"first"`
	Turn   int `json:"turn"`
	Buffer int `json:"buffer"`
}

// Setting is one entry of the SETTINGS frame, [id, value] in the document.
type Setting [2]uint32

// Priority is RFC 7540's section 5.3; Weight counts from 1 to 256.
type Priority struct {
	Weight    int    `json:"weight"`
	Exclusive bool   `json:"exclusive,omitempty"`
	DependsOn uint32 `json:"depends_on,omitempty"`
}

// PriorityFrame is a PRIORITY frame for a stream.
type PriorityFrame struct {
	Stream   uint32   `json:"stream"`
	Priority Priority `json:"priority"`
}

const (
	defaultWindow = 1<<16 - 1 // of a connection (RFC 9113 section 6.9.2)
	maxWindow     = 1<<31 - 1 // and the last stream
	urgencies     = 8         // RFC 9218 section 4.1
	maxDataSize   = 1 << 14   // that every peer takes (RFC 9113 section 4.2)
)

func (h *HTTP2) check() error {
	if h.FirstStreamID == 0 {
		h.FirstStreamID = 1
	}
	if h.PseudoOrder == "" {
		h.PseudoOrder = "masp"
	}
	if h.HPACK == "" {
		h.HPACK = hpack.Plain.String()
	}
	if _, err := hpack.ParsePolicy(h.HPACK); err != nil {
		return fmt.Errorf("http2.hpack: %w", err)
	}
	switch {
	case h.FirstStreamID%2 == 0:
		return errors.New("http2.first_stream_id: a client's streams have odd numbers (RFC 9113 section 5.1.1)")
	case !isPermutation(h.PseudoOrder, "masp"):
		return fmt.Errorf("http2.pseudo_order: %q does not name m, a, s and p once each", h.PseudoOrder)
	case h.WindowUpdate > maxWindow-defaultWindow:
		return errors.New("http2.window_update: the window would pass 2^31-1 (RFC 9113 section 6.9.1)")
	case h.DataSize < 0 || h.DataSize > maxDataSize:
		return fmt.Errorf("http2.data_size: not from 0 to %d", maxDataSize)
	case h.Upload != nil && min(h.Upload.First, h.Upload.Turn, h.Upload.Buffer) < 1:
		return errors.New("http2.upload: first, turn and buffer are numbers of bytes, 1 or more")
	case h.StreamWindow > maxWindow:
		return errors.New("http2.stream_window: more than 2^31-1")
	}
	return h.checkEntries()
}

func (h *HTTP2) checkEntries() error {
	for i, setting := range h.Settings {
		if err := setting.check(); err != nil {
			return fmt.Errorf("http2.settings[%d]: %w", i, err)
		}
	}
	if h.HeadersPriority != nil && !h.HeadersPriority.valid() {
		return errors.New("http2.headers_priority: weight goes from 1 to 256, depends_on to 2^31-1")
	}
	if err := h.checkWeights(); err != nil {
		return err
	}
	for i, frame := range h.PriorityFrames {
		if !frame.valid() {
			return fmt.Errorf("http2.priority_frames[%d]: weight goes from 1 to 256, stream from 1 to 2^31-1, and it does not depend on itself", i)
		}
	}
	return nil
}

func (h *HTTP2) checkWeights() error {
	if h.UrgencyWeights == nil {
		return nil
	}
	if len(h.UrgencyWeights) != urgencies || h.HeadersPriority == nil {
		return errors.New("http2.urgency_weights: one for each urgency from 0 to 7 (RFC 9218 section 4.1), and only with headers_priority")
	}
	for i, weight := range h.UrgencyWeights {
		if !(&Priority{Weight: weight}).valid() {
			return fmt.Errorf("http2.urgency_weights[%d]: weight goes from 1 to 256", i)
		}
	}
	return nil
}

// settingRanges are the values that do not end the connection (RFC 9113 section
// 6.5.2, RFC 8441 section 3, RFC 9218 section 2.1).
var settingRanges = map[uint32][2]uint32{2: {0, 1}, 4: {0, maxWindow}, 5: {1 << 14, 1<<24 - 1}, 8: {0, 1}, 9: {0, 1}}

func (s Setting) check() error {
	if s[0] > 1<<16-1 {
		return errors.New("an identifier has 16 bits")
	}
	if r, ok := settingRanges[s[0]]; ok && (s[1] < r[0] || s[1] > r[1]) {
		return fmt.Errorf("setting %d goes from %d to %d", s[0], r[0], r[1])
	}
	return nil
}

func (p *Priority) valid() bool {
	return p.Weight >= 1 && p.Weight <= 256 && p.DependsOn <= maxWindow
}

func (f *PriorityFrame) valid() bool {
	return f.Priority.valid() && f.Stream != 0 && f.Stream <= maxWindow && f.Stream != f.Priority.DependsOn
}

func isPermutation(s, of string) bool {
	if len(s) != len(of) {
		return false
	}
	for _, letter := range of {
		if strings.Count(s, string(letter)) != 1 {
			return false
		}
	}
	return true
}
