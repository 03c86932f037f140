package capture

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/cycletls/cycletls/golang/internal/fingerprint"
	"github.com/cycletls/cycletls/golang/internal/hpack"
)

const (
	flagPadded   = 0x08
	flagPriority = 0x20
)

// impliedHTTP2 reads the HTTP/2 connection that carried most requests.
func impliedHTTP2(seen []Seen, note func(string, ...any)) fingerprint.HTTP2 {
	h := fingerprint.HTTP2{Settings: []fingerprint.Setting{}}
	var best *Seen
	for i := range seen {
		s := &seen[i]
		if s.Connection.Protocol == "h2" && len(s.Requests) > 0 && (best == nil || len(s.Requests) > len(best.Requests)) {
			best = s
		}
	}
	if best == nil {
		note("No HTTP/2 was captured.")
		return h
	}
	requests := slices.SortedFunc(slices.Values(best.Requests), func(a, b Request) int { return cmp.Compare(a.Stream, b.Stream) })
	opening := akamai(best.Frames, requests[0].Fields)
	h.Settings = append(h.Settings, opening.Settings...)
	h.WindowUpdate, h.PriorityFrames, h.PseudoOrder = opening.WindowUpdate, opening.PriorityFrames, opening.PseudoOrder
	h.FirstStreamID = requests[0].Stream
	h.StreamWindow, h.DataSize = streamWindow(best.Frames), dataSize(best.Frames)
	h.Upload, h.SilentClose = impliedUpload(best, h.DataSize), closesSilently(seen)
	h.HeadersPriority, h.UrgencyWeights = headersPriority(best.Frames, requests)
	policies, exact := impliedPolicies(requests)
	h.HPACK = policies[0].String()
	if !exact {
		note("Its HPACK is none that is known; %s comes closest.", h.HPACK)
	}
	if len(policies) > 1 {
		note("Its HPACK could also be %s: too little was captured to tell.", policies[1])
	}
	return h
}

// streamWindow is the WINDOW_UPDATE that follows the HEADERS of every stream.
func streamWindow(frames []Frame) (increment uint32) {
	for i, frame := range frames {
		if frame.Type != "HEADERS" {
			continue
		}
		if i+1 == len(frames) {
			return 0
		}
		next := frames[i+1]
		if next.Type != "WINDOW_UPDATE" || next.Stream != frame.Stream || len(next.Payload) != 4 {
			return 0
		}
		increment = binary.BigEndian.Uint32(next.Payload)
	}
	return increment
}

// headersPriority is what the first HEADERS says, and the weights by urgency if
// they follow that of the requests, which takes two that differ to see.
func headersPriority(frames []Frame, requests []Request) (first *fingerprint.Priority, weights []int) {
	found := make(map[uint32]int)
	for _, frame := range frames {
		priority := priorityOf(frame)
		if priority == nil {
			continue
		}
		if found[frame.Stream] = priority.Weight; first == nil {
			first = priority
		}
	}
	seen := make(map[int]int)
	for _, r := range requests {
		u, weight := urgency(value(r.Fields, "priority")), found[r.Stream]
		if known := seen[u]; weight == 0 || known != 0 && known != weight {
			return first, nil
		}
		seen[u] = weight
	}
	if weights = weightsLike(seen); weights != nil {
		first.Weight = weights[0] // of a navigation, whatever came first
	}
	return first, weights
}

// chromiumWeights are Chromium's: 256 - 73/2 of the urgency.
var chromiumWeights = []int{256, 220, 183, 147, 110, 74, 37, 1}

// weightsLike are all weights of a client that showed some. What no known client
// has is taken from the nearest urgency that was seen.
func weightsLike(seen map[int]int) []int {
	weights, equal := make([]int, len(chromiumWeights)), true
	for u, weight := range seen {
		equal = equal && chromiumWeights[u] == weight
	}
	for u := range weights {
		for distance := 0; weights[u] == 0 && distance < len(weights); distance++ {
			weights[u] = cmp.Or(seen[u+distance], seen[u-distance])
		}
	}
	switch {
	case slices.Max(weights) == slices.Min(weights):
		return nil
	case equal:
		return chromiumWeights
	}
	return weights
}

// priorityOf returns the priority in a HEADERS frame (RFC 7540 section 6.2).
func priorityOf(frame Frame) *fingerprint.Priority {
	payload := frame.Payload
	if frame.Type != "HEADERS" || frame.Flags&flagPriority == 0 {
		return nil
	}
	if frame.Flags&flagPadded != 0 && len(payload) > 0 {
		payload = payload[1:]
	}
	if len(payload) < 5 {
		return nil
	}
	priority := readPriority(payload[:5])
	return &priority
}

// urgency goes from 0 to 7, and is 3 where nothing is said (RFC 9218 section 4.1).
func urgency(priority string) int {
	urgency := 3
	for member := range strings.SplitSeq(priority, ",") {
		if digit, ok := strings.CutPrefix(strings.TrimSpace(member), "u="); ok && len(digit) == 1 && digit >= "0" && digit <= "7" {
			urgency = int(digit[0] - '0')
		}
	}
	return urgency
}

// impliedPolicies writes the header blocks again with each policy and returns
// those that come closest to the bytes that came, and whether all are equal. The
// tables agree only if no block is missing: these begin with the connection's
// first.
func impliedPolicies(requests []Request) (best []hpack.Policy, exact bool) {
	most := -1
	for _, policy := range []hpack.Policy{hpack.Quiche, hpack.Gecko, hpack.Plain} {
		encoder, equal := hpack.NewEncoder(policy), 0
		for i := range requests {
			if bytes.Equal(encodeAgain(encoder, requests[i].Fields), requests[i].Head) {
				equal++
			}
		}
		if equal > most {
			best, most = nil, equal
		}
		if equal == most {
			best = append(best, policy)
		}
	}
	return best, most == len(requests)
}

// encodeAgain puts cookie crumbs together first: into how many a policy splits
// them is its own affair.
func encodeAgain(encoder *hpack.Encoder, fields []Field) []byte {
	block := encoder.Begin(nil)
	for i := 0; i < len(fields); i++ {
		name, content := fields[i][0], octets(fields[i][1])
		for name == "cookie" && i+1 < len(fields) && fields[i+1][0] == "cookie" {
			i++
			content += "; " + octets(fields[i][1])
		}
		block = encoder.Append(block, octets(name), content)
	}
	return block
}

// octets undoes latin1.
func octets(text string) string {
	raw := make([]byte, 0, len(text))
	for _, r := range text {
		raw = append(raw, byte(r))
	}
	return string(raw)
}
