package fingerprint

import (
	"errors"
	"fmt"
	"slices"
)

// TLS is a ClientHello (RFC 8446 section 4.1.2).
type TLS struct {
	MinVersion         Code        `json:"min_version"`
	MaxVersion         Code        `json:"max_version"`
	LegacyVersion      Code        `json:"legacy_version"`
	RecordVersion      Code        `json:"record_version"`
	SessionIDLength    int         `json:"session_id_length"`
	Ciphers            []Code      `json:"ciphers"`
	CompressionMethods []int       `json:"compression_methods"`
	ExtensionOrder     string      `json:"extension_order"` // "fixed", or "shuffle" per connection
	Extensions         []Extension `json:"extensions"`
	WebSocket          *Variation  `json:"websocket,omitempty"` // nil: it offers HTTP/1.1 alone
}

// Extension is one entry of the ClientHello. Type says which other fields
// belong to it: see extensionTypes.
type Extension struct {
	Type string `json:"type"`

	ID             Code       `json:"id,omitempty"`
	Data           Hex        `json:"data,omitempty"`
	Groups         []Code     `json:"groups,omitempty"`
	Formats        []Code     `json:"formats,omitempty"`
	Protocols      []string   `json:"protocols,omitempty"`
	Algorithms     []Code     `json:"algorithms,omitempty"`
	Shares         []KeyShare `json:"shares,omitempty"`
	Modes          []Code     `json:"modes,omitempty"`
	Versions       []Code     `json:"versions,omitempty"`
	Limit          Code       `json:"limit,omitempty"`
	IDs            []Hex      `json:"ids,omitempty"`
	Suites         [][2]Code  `json:"suites,omitempty"`          // HPKE: KDF and AEAD; one is drawn
	PayloadLengths []int      `json:"payload_lengths,omitempty"` // one is drawn
	PayloadPolicy  string     `json:"payload_policy,omitempty"`  // "nss": as long as a real inner hello
	InnerBase      int        `json:"inner_base,omitempty"`
	OmitWithPSK    bool       `json:"omit_with_psk,omitempty"` // left out when a TLS 1.3 session is offered
	Always         bool       `json:"always,omitempty"`        // padding: there even when it pads nothing
}

// KeyShare is a group to send a key for. In the document it is the group alone
// where it has a key of its own.
type KeyShare struct {
	Group Code `json:"group"`
	// ReuseFrom is a hybrid group in front of this one whose classical half is
	// sent here again.
	ReuseFrom Code `json:"reuse_from,omitempty"`
}

const (
	versionTLS12 Code = 0x0303
	versionTLS13 Code = 0x0304

	orderFixed   = "fixed"
	orderShuffle = "shuffle"
)

func (t *TLS) check() error {
	switch {
	case t.MinVersion < versionTLS12 || t.MaxVersion > versionTLS13 || t.MinVersion > t.MaxVersion:
		return errors.New("tls.min_version, tls.max_version: TLS 1.2 (0x0303) and 1.3 (0x0304) can be spoken")
	case t.LegacyVersion != versionTLS12:
		return errors.New("tls.legacy_version: only 0x0303 can be sent")
	case t.RecordVersion != 0x0301:
		return errors.New("tls.record_version: only 0x0301 can be sent")
	case t.SessionIDLength != 0 && t.SessionIDLength != 32:
		return errors.New("tls.session_id_length: 0 or 32")
	case !slices.Equal(t.CompressionMethods, []int{0}):
		return errors.New("tls.compression_methods: only [0] is allowed (RFC 8446 section 4.1.2)")
	case len(t.Ciphers) == 0:
		return errors.New("tls.ciphers: missing")
	case t.ExtensionOrder != orderFixed && t.ExtensionOrder != orderShuffle:
		return fmt.Errorf("tls.extension_order: %q is neither fixed nor shuffle", t.ExtensionOrder)
	}
	if v := t.WebSocket; v != nil {
		if err := v.check(); err != nil {
			return fmt.Errorf("tls.websocket.%w", err)
		}
	}
	return t.checkExtensions()
}

func (t *TLS) checkExtensions() error {
	seen := make(map[Code]int)
	for i := range t.Extensions {
		e := &t.Extensions[i]
		if err := e.check(); err != nil {
			return fmt.Errorf("tls.extensions[%d]: %w", i, err)
		}
		limit := 1
		if e.code() == GREASE {
			limit = 2 // the library draws values for two
		}
		if seen[e.code()]++; seen[e.code()] > limit {
			return fmt.Errorf("tls.extensions[%d]: %s is there too often", i, e.Type)
		}
		if e.Type == "pre_shared_key" && i != len(t.Extensions)-1 {
			return fmt.Errorf("tls.extensions[%d]: pre_shared_key is the last one (RFC 8446 section 4.2.11)", i)
		}
	}
	if t.MaxVersion == versionTLS13 && (t.extension("supported_versions") == nil || t.extension("key_share") == nil) {
		return errors.New("tls.extensions: TLS 1.3 needs supported_versions and key_share (RFC 8446 section 9.2)")
	}
	if err := t.checkShares(); err != nil {
		return err
	}
	return t.checkAgreement()
}

// checkShares makes sure that a key can be made for every share, and that its
// group is offered (RFC 8446 section 4.2.8).
func (t *TLS) checkShares() error {
	share := t.extension("key_share")
	if share == nil {
		return nil
	}
	groups := t.extension("supported_groups")
	for i, s := range share.Shares {
		switch {
		case groups == nil || !slices.Contains(groups.Groups, s.Group):
			return fmt.Errorf("tls.extensions: key_share.shares[%d]: 0x%04x is not among supported_groups", i, uint16(s.Group))
		case s.Group != GREASE && !canGenerate(s.Group):
			return fmt.Errorf("tls.extensions: key_share.shares[%d]: no key can be made for group 0x%04x", i, uint16(s.Group))
		case s.ReuseFrom != 0 && (i == 0 || s.Group != groupNames["X25519"] || s.ReuseFrom != groupNames["X25519MLKEM768"] ||
			share.Shares[i-1] != KeyShare{Group: s.ReuseFrom}):
			return fmt.Errorf("tls.extensions: key_share.shares[%d]: only X25519 right behind X25519MLKEM768 can reuse its key", i)
		}
	}
	return nil
}

func canGenerate(group Code) bool {
	for _, name := range []string{"X25519MLKEM768", "X25519Kyber768Draft00", "X25519", "P-256", "P-384", "P-521"} {
		if groupNames[name] == group {
			return true
		}
	}
	return false
}

// extension returns the extension of a type, or nil.
func (t *TLS) extension(kind string) *Extension {
	for i := range t.Extensions {
		if t.Extensions[i].Type == kind {
			return &t.Extensions[i]
		}
	}
	return nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (k *KeyShare) UnmarshalJSON(raw []byte) error {
	if raw[0] != '{' {
		*k = KeyShare{}
		return k.Group.UnmarshalJSON(raw)
	}
	type members KeyShare // without this method
	return decode(raw, (*members)(k))
}

// MarshalJSON implements json.Marshaler.
func (k KeyShare) MarshalJSON() ([]byte, error) {
	if k.ReuseFrom == 0 {
		return k.Group.MarshalJSON()
	}
	return fmt.Appendf(nil, `{"group":"0x%04x","reuse_from":"0x%04x"}`, uint16(k.Group), uint16(k.ReuseFrom)), nil
}
