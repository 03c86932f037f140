package capture

import (
	"encoding/binary"
	"strings"

	"github.com/cycletls/cycletls/golang/internal/fingerprint"
)

// Fingerprint is a ClientHello in the notations that servers know clients by.
type Fingerprint struct {
	JA3       string `json:"ja3"`
	JA3Hash   string `json:"ja3Hash"`
	JA4       string `json:"ja4"`
	JA4R      string `json:"ja4r"`
	JA4O      string `json:"ja4o"`
	JA4RO     string `json:"ja4ro"`
	PeetPrint string `json:"peetPrint"`
}

// notations reads a ClientHello message; what it cannot read gives none.
func notations(message []byte) *Fingerprint {
	sent, err := fingerprint.ParseHello(message)
	if err != nil {
		return nil
	}
	h := sent.ClientHello()
	ja3, ja4, original := h.JA3(), h.JA4(false), h.JA4(true)
	return &Fingerprint{
		JA3: ja3.String(), JA3Hash: ja3.Hash(), JA4: ja4.Hash(), JA4R: ja4.String(), JA4O: original.Hash(), JA4RO: original.String(),
		PeetPrint: h.PeetPrint(),
	}
}

// akamai reads the opening of an HTTP/2 connection: what comes before the first
// request, and the pseudo-header fields of that.
func akamai(frames []Frame, fields []Field) fingerprint.Akamai {
	var a fingerprint.Akamai
	for _, frame := range frames {
		switch p := frame.Payload; {
		case frame.Type == "HEADERS":
			a.PseudoOrder = pseudoOrder(fields)
			return a
		case frame.Type == "SETTINGS" && frame.Flags&1 == 0:
			for ; len(p) >= 6; p = p[6:] {
				a.Settings = append(a.Settings, fingerprint.Setting{uint32(binary.BigEndian.Uint16(p)), binary.BigEndian.Uint32(p[2:])})
			}
		case frame.Type == "WINDOW_UPDATE" && frame.Stream == 0 && a.WindowUpdate == 0 && len(p) == 4:
			a.WindowUpdate = binary.BigEndian.Uint32(p)
		case frame.Type == "PRIORITY" && len(p) == 5:
			a.PriorityFrames = append(a.PriorityFrames, fingerprint.PriorityFrame{Stream: frame.Stream, Priority: readPriority(p)})
		}
	}
	a.PseudoOrder = pseudoOrder(fields)
	return a
}

// readPriority reads five bytes (RFC 7540 section 6.3).
func readPriority(p []byte) fingerprint.Priority {
	parent := binary.BigEndian.Uint32(p)
	return fingerprint.Priority{Weight: int(p[4]) + 1, Exclusive: parent>>31 == 1, DependsOn: parent &^ (1 << 31)}
}

func pseudoOrder(fields []Field) string {
	var order strings.Builder
	for _, field := range fields {
		if len(field[0]) > 1 && field[0][0] == ':' {
			order.WriteByte(field[0][1])
		}
	}
	return order.String()
}
