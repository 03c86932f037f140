package fingerprint

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
)

// Code is a code point of a TLS registry: a suite, a version, a group, a
// signature algorithm. In a document it is "0x1301", a number, the name of a
// group, or "GREASE" for a value that is drawn anew for each connection.
type Code uint16

// GREASE stands for any of the reserved values (RFC 8701).
const GREASE Code = 0x0a0a

// isGREASE reports whether c is one of the sixteen reserved values.
func (c Code) isGREASE() bool { return c&0x0f0f == 0x0a0a && c>>8 == c&0xff }

// greaseValue draws one of the sixteen reserved values.
func greaseValue() uint16 { return uint16(rand.Uint32N(16))*0x1010 + uint16(GREASE) }

// Groups by the names people use (IANA's where it has one without brackets).
var groupNames = map[string]Code{
	"P-256": 0x0017, "P-384": 0x0018, "P-521": 0x0019,
	"X25519": 0x001d, "X448": 0x001e, "X25519MLKEM768": 0x11ec,
	"X25519Kyber768Draft00": 0x6399, // Chrome 124 to 130 (draft-tls-westerbaan-xyber768d00)
}

// UnmarshalJSON implements json.Unmarshaler.
func (c *Code) UnmarshalJSON(raw []byte) error {
	text := string(raw)
	if raw[0] == '"' {
		if err := json.Unmarshal(raw, &text); err != nil {
			return err
		}
		if text == "GREASE" {
			*c = GREASE
			return nil
		}
		if group, ok := groupNames[text]; ok {
			*c = group
			return nil
		}
	}
	value, err := strconv.ParseUint(text, 0, 16)
	if err != nil {
		return fmt.Errorf("%q is no code point (\"0x1301\", a number from 0 to 65535, \"GREASE\" or the name of a group)", text)
	}
	*c = Code(value)
	return nil
}

// MarshalJSON implements json.Marshaler.
func (c Code) MarshalJSON() ([]byte, error) {
	if c.isGREASE() {
		return []byte(`"GREASE"`), nil
	}
	return fmt.Appendf(nil, `"0x%04x"`, uint16(c)), nil
}

// Hex is bytes, written in hexadecimal.
type Hex []byte

// UnmarshalJSON implements json.Unmarshaler.
func (h *Hex) UnmarshalJSON(raw []byte) error {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return err
	}
	decoded, err := hex.DecodeString(text)
	if err != nil {
		return fmt.Errorf("%q is not hexadecimal", text)
	}
	*h = decoded
	return nil
}

// MarshalJSON implements json.Marshaler.
func (h Hex) MarshalJSON() ([]byte, error) { return json.Marshal(hex.EncodeToString(h)) }
