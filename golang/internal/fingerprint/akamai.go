package fingerprint

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Akamai is the opening of an HTTP/2 connection in Akamai's notation ("Passive
// Fingerprinting of HTTP/2 Clients", Black Hat Europe 2017). It leaves out the
// priority of HEADERS, HPACK and later window updates.
type Akamai struct {
	Settings       []Setting // in wire order
	WindowUpdate   uint32    // on the connection; 0: none
	PriorityFrames []PriorityFrame
	PseudoOrder    string // "masp"
}

// akamaiFields are the notation's parts, in order.
var akamaiFields = [...]string{"settings", "window update", "priorities", "pseudo-headers"}

// ParseAkamai reads "1:65536;2:0;…|15663105|0|m,a,s,p". The settings may be
// separated by commas, as curl_cffi writes them.
func ParseAkamai(s string) (Akamai, error) {
	fields := strings.Split(s, "|")
	if len(fields) != len(akamaiFields) {
		return Akamai{}, fmt.Errorf("http2_fingerprint: %d fields where four belong (%s)", len(fields), strings.Join(akamaiFields[:], ", "))
	}
	a := Akamai{Settings: []Setting{}}
	for i, parse := range []func(string) error{a.parseSettings, a.parseWindow, a.parsePriorities, a.parsePseudo} {
		if err := parse(fields[i]); err != nil {
			return Akamai{}, fmt.Errorf("http2_fingerprint: %s%w", akamaiFields[i], err)
		}
	}
	return a, nil
}

func (a *Akamai) parseSettings(s string) error {
	if s == "" {
		return nil
	}
	for i, item := range strings.Split(strings.ReplaceAll(s, ",", ";"), ";") {
		numbers, err := parseNumbers(item, 1<<16-1, 1<<32-1)
		if err != nil {
			return fmt.Errorf("[%d]: %q is not identifier:value: %w", i, item, err)
		}
		setting := Setting{numbers[0], numbers[1]}
		if err := setting.check(); err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
		a.Settings = append(a.Settings, setting)
	}
	return nil
}

func (a *Akamai) parseWindow(s string) error {
	if s == "00" {
		return nil
	}
	numbers, err := parseNumbers(s, maxWindow-defaultWindow)
	if err != nil {
		return fmt.Errorf(": %q is no increment: %w", s, err)
	}
	a.WindowUpdate = numbers[0]
	return nil
}

func (a *Akamai) parsePriorities(s string) error {
	if s == "0" {
		return nil
	}
	for i, item := range strings.Split(s, ",") {
		numbers, err := parseNumbers(item, maxWindow, 1, maxWindow, 256)
		if err != nil {
			return fmt.Errorf("[%d]: %q is not stream:exclusive:depends_on:weight: %w", i, item, err)
		}
		frame := PriorityFrame{numbers[0], Priority{Exclusive: numbers[1] == 1, DependsOn: numbers[2], Weight: int(numbers[3])}}
		if !frame.valid() {
			return fmt.Errorf("[%d]: %q: stream and weight count from 1, and a stream does not depend on itself", i, item)
		}
		a.PriorityFrames = append(a.PriorityFrames, frame)
	}
	return nil
}

func (a *Akamai) parsePseudo(s string) error {
	a.PseudoOrder = strings.ReplaceAll(s, ",", "")
	if !isPermutation(a.PseudoOrder, "masp") || len(s) != len("m,a,s,p") {
		return fmt.Errorf(": %q does not name m, a, s and p once each", s)
	}
	return nil
}

// parseNumbers reads as many numbers as there are limits, separated by colons.
func parseNumbers(s string, limits ...uint32) ([]uint32, error) {
	items := strings.Split(s, ":")
	if len(items) != len(limits) {
		return nil, fmt.Errorf("%d numbers where %d belong", len(items), len(limits))
	}
	numbers := make([]uint32, len(items))
	for i, item := range items {
		number, err := strconv.ParseUint(item, 10, 32)
		if err != nil || strconv.FormatUint(number, 10) != item || number > uint64(limits[i]) {
			return nil, fmt.Errorf("%q is not a number from 0 to %d", item, limits[i])
		}
		numbers[i] = uint32(number)
	}
	return numbers, nil
}

// String returns the notation.
func (a Akamai) String() string {
	settings := make([]string, len(a.Settings))
	for i, s := range a.Settings {
		settings[i] = fmt.Sprintf("%d:%d", s[0], s[1])
	}
	window := "00"
	if a.WindowUpdate > 0 {
		window = fmt.Sprint(a.WindowUpdate)
	}
	priorities := []string{"0"}
	if len(a.PriorityFrames) > 0 {
		priorities = nil
	}
	for _, f := range a.PriorityFrames {
		priorities = append(priorities, fmt.Sprintf("%d:%d:%d:%d", f.Stream, bit(f.Priority.Exclusive), f.Priority.DependsOn, f.Priority.Weight))
	}
	return strings.Join([]string{
		strings.Join(settings, ";"), window, strings.Join(priorities, ","), strings.Join(strings.Split(a.PseudoOrder, ""), ","),
	}, "|")
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Hash returns the MD5 sum by which the notation is quoted.
func (a Akamai) Hash() string { return md5Hex(a.String()) }

// Akamai returns the notation of the profile's HTTP/2.
func (p *Profile) Akamai() Akamai {
	return Akamai{p.HTTP2.Settings, p.HTTP2.WindowUpdate, p.HTTP2.PriorityFrames, p.HTTP2.PseudoOrder}
}

// Apply returns base with the opening that the string describes; the rest of
// HTTP/2 is base's. A base that never speaks HTTP/2 has no use for one.
func (a Akamai) Apply(base *Profile) (*Profile, error) {
	if alpn := base.TLS.extension("alpn"); alpn == nil || !slices.Contains(alpn.Protocols, "h2") {
		return nil, fmt.Errorf("http2_fingerprint: the ClientHello of profile %q does not offer h2, so HTTP/2 is never spoken", base.Name)
	}
	p := *base
	p.Name = base.Name + " with HTTP/2 " + a.Hash()
	p.HTTP2.Settings, p.HTTP2.WindowUpdate = a.Settings, a.WindowUpdate
	p.HTTP2.PriorityFrames, p.HTTP2.PseudoOrder = a.PriorityFrames, a.PseudoOrder
	for _, f := range a.PriorityFrames { // as Firefox did: requests behind the streams that only group them
		p.HTTP2.FirstStreamID = max(p.HTTP2.FirstStreamID, (f.Stream+2)|1)
	}
	return &p, nil
}
