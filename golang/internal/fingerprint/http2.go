package fingerprint

import (
	"errors"
	"fmt"
	"strings"
)

// HTTP2 is how a client opens an HTTP/2 connection (RFC 9113) and writes its
// requests. The zero value of FirstStreamID, PseudoOrder and HPACK is filled in
// by Parse.
type HTTP2 struct {
	Settings        []Setting       `json:"settings"`                   // in wire order
	WindowUpdate    uint32          `json:"window_update"`              // on the connection, right after SETTINGS; 0: none
	StreamWindow    uint32          `json:"stream_window,omitempty"`    // WINDOW_UPDATE on each stream after its HEADERS; 0: none
	PriorityFrames  []PriorityFrame `json:"priority_frames,omitempty"`  // sent before the first request
	HeadersPriority *Priority       `json:"headers_priority,omitempty"` // of HEADERS frames; nil: no priority flag
	// UrgencyWeights: the weight follows the urgency of the priority field.
	UrgencyWeights bool   `json:"urgency_weights,omitempty"`
	FirstStreamID  uint32 `json:"first_stream_id,omitempty"`
	PseudoOrder    string `json:"pseudo_order,omitempty"` // m method, a authority, s scheme, p path
	HPACK          string `json:"hpack,omitempty"`        // whose encoder: "quiche", "gecko" or "plain"
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

func (h *HTTP2) check() error {
	if h.FirstStreamID == 0 {
		h.FirstStreamID = 1
	}
	if h.PseudoOrder == "" {
		h.PseudoOrder = "masp"
	}
	if h.HPACK == "" {
		h.HPACK = "plain"
	}
	switch {
	case h.FirstStreamID%2 == 0:
		return errors.New("http2.first_stream_id: a client's streams have odd numbers (RFC 9113 section 5.1.1)")
	case !isPermutation(h.PseudoOrder, "masp"):
		return fmt.Errorf("http2.pseudo_order: %q does not name m, a, s and p once each", h.PseudoOrder)
	case h.HPACK != "quiche" && h.HPACK != "gecko" && h.HPACK != "plain":
		return fmt.Errorf("http2.hpack: %q is none of quiche, gecko and plain", h.HPACK)
	case h.WindowUpdate > 1<<31-1-65535:
		return errors.New("http2.window_update: the window would pass 2^31-1 (RFC 9113 section 6.9.1)")
	case h.StreamWindow > 1<<31-1:
		return errors.New("http2.stream_window: more than 2^31-1")
	}
	return h.checkEntries()
}

func (h *HTTP2) checkEntries() error {
	for i, setting := range h.Settings {
		if setting[0] > 0xffff {
			return fmt.Errorf("http2.settings[%d]: an identifier has 16 bits", i)
		}
	}
	if h.HeadersPriority != nil && !h.HeadersPriority.valid() {
		return errors.New("http2.headers_priority: weight goes from 1 to 256, depends_on to 2^31-1")
	}
	for i, frame := range h.PriorityFrames {
		if !frame.Priority.valid() || frame.Stream == 0 || frame.Stream > 1<<31-1 {
			return fmt.Errorf("http2.priority_frames[%d]: weight goes from 1 to 256, stream from 1 to 2^31-1", i)
		}
	}
	return nil
}

func (p *Priority) valid() bool {
	return p.Weight >= 1 && p.Weight <= 256 && p.DependsOn <= 1<<31-1
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

// Akamai returns the HTTP/2 fingerprint in Akamai's notation (Black Hat EU
// 2017): settings | connection window | priorities | order of pseudo-headers.
func (p *Profile) Akamai() string {
	h := &p.HTTP2
	settings := make([]string, len(h.Settings))
	for i, s := range h.Settings {
		settings[i] = fmt.Sprintf("%d:%d", s[0], s[1])
	}
	window := "00"
	if h.WindowUpdate > 0 {
		window = fmt.Sprint(h.WindowUpdate)
	}
	priorities := "0"
	if len(h.PriorityFrames) > 0 {
		frames := make([]string, len(h.PriorityFrames))
		for i, f := range h.PriorityFrames {
			frames[i] = fmt.Sprintf("%d:%d:%d:%d", f.Stream, bit(f.Priority.Exclusive), f.Priority.DependsOn, f.Priority.Weight)
		}
		priorities = strings.Join(frames, ",")
	}
	return strings.Join([]string{
		strings.Join(settings, ";"), window, priorities, strings.Join(strings.Split(h.PseudoOrder, ""), ","),
	}, "|")
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
