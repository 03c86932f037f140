package fingerprint

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// SentHello is a ClientHello message as it was sent (RFC 8446 section 4.1.2):
// every list in wire order, GREASE with the values that were drawn.
type SentHello struct {
	Version            Code // legacy_version
	SessionID          []byte
	Ciphers            []Code
	CompressionMethods []int
	Extensions         []SentExtension
}

// SentExtension is one extension of a ClientHello, its content unread.
type SentExtension struct {
	ID   Code
	Data []byte
}

const messageClientHello = 1

// ParseHello reads a handshake message, its header included.
func ParseHello(message []byte) (*SentHello, error) {
	s := cryptobyte.String(message)
	var kind uint8
	var version uint16
	var body, session, ciphers, compressions cryptobyte.String
	h := new(SentHello)
	ok := s.ReadUint8(&kind) && kind == messageClientHello && s.ReadUint24LengthPrefixed(&body) && s.Empty() &&
		body.ReadUint16(&version) && body.Skip(32) &&
		body.ReadUint8LengthPrefixed(&session) &&
		body.ReadUint16LengthPrefixed(&ciphers) && readCodes(ciphers, &h.Ciphers) &&
		body.ReadUint8LengthPrefixed(&compressions)
	if !ok {
		return nil, errors.New("not a ClientHello")
	}
	h.Version, h.SessionID = Code(version), session
	for _, method := range compressions {
		h.CompressionMethods = append(h.CompressionMethods, int(method))
	}
	if body.Empty() { // no extensions: allowed before TLS 1.3
		return h, nil
	}
	return h, h.readExtensions(body)
}

func (h *SentHello) readExtensions(body cryptobyte.String) error {
	var extensions, data cryptobyte.String
	if !body.ReadUint16LengthPrefixed(&extensions) || !body.Empty() {
		return errors.New("the ClientHello ends within its extensions")
	}
	var id uint16
	for !extensions.Empty() {
		if !extensions.ReadUint16(&id) || !extensions.ReadUint16LengthPrefixed(&data) {
			return fmt.Errorf("extension %d of the ClientHello is cut off", len(h.Extensions))
		}
		h.Extensions = append(h.Extensions, SentExtension{Code(id), data})
	}
	return nil
}

// Extension returns the content of an extension as profiles describe it, or nil
// where the hello has none of that number.
func (h *SentHello) Extension(id Code) *Extension {
	for _, sent := range h.Extensions {
		if sent.ID == id {
			content := sent.Content()
			return &content
		}
	}
	return nil
}

// ServerName returns the host that the hello names, "" where it names none.
func (h *SentHello) ServerName() string {
	for _, sent := range h.Extensions {
		list, name := cryptobyte.String(sent.Data), cryptobyte.String{}
		var kind uint8
		if sent.ID == 0 && list.ReadUint16LengthPrefixed(&list) && list.ReadUint8(&kind) && list.ReadUint16LengthPrefixed(&name) {
			return string(name)
		}
	}
	return ""
}

// Content returns what the extension says as profiles describe it: of a type
// whose builder sends exactly that, else generic with its bytes.
func (s SentExtension) Content() Extension {
	if s.ID.isGREASE() {
		return Extension{Type: "grease"}
	}
	for name, kind := range extensionTypes {
		if kind.id == s.ID && kind.id != 0 || name == "server_name" && s.ID == 0 {
			e := Extension{Type: name}
			if s.readInto(&e) {
				return e
			}
		}
	}
	if e := (Extension{Type: "application_settings", ID: s.ID}); (s.ID == 17513 || s.ID == 17613) && s.readInto(&e) {
		return e
	}
	return Extension{Type: "generic", ID: s.ID, Data: s.Data}
}

// constants are the contents of types that no field describes, as their
// builders write them; those that hold what a handshake gives are absent.
var constants = map[string][]byte{
	"status_request": {1, 0, 0, 0, 0}, "status_request_v2": {0, 7, 2, 0, 4, 0, 0, 0, 0},
	"signed_certificate_timestamp": {}, "encrypt_then_mac": {}, "extended_master_secret": {},
	"post_handshake_auth": {}, "renegotiation_info": {0},
}

// readInto reports whether the content is of e's type and nothing else.
func (s SentExtension) readInto(e *Extension) bool {
	in := cryptobyte.String(s.Data)
	switch e.Type {
	case "server_name", "session_ticket", "pre_shared_key":
		return true // what is in there belongs to the connection
	case "padding":
		e.Always = len(s.Data) == 0 // BoringSSL never pads with nothing
		return true
	case "supported_groups":
		return readList16(&in, &e.Groups) && in.Empty()
	case "ec_point_formats":
		return readBytes(&in, &e.Formats) && in.Empty()
	case "signature_algorithms", "signature_algorithms_cert", "delegated_credentials":
		return readList16(&in, &e.Algorithms) && in.Empty()
	case "alpn", "application_settings":
		return readProtocols(&in, &e.Protocols) && in.Empty()
	case "compress_certificate":
		return readList8(&in, &e.Algorithms) && in.Empty()
	case "record_size_limit":
		return in.ReadUint16((*uint16)(&e.Limit)) && in.Empty()
	case "supported_versions":
		return readList8(&in, &e.Versions) && in.Empty()
	case "psk_key_exchange_modes":
		return readBytes(&in, &e.Modes) && in.Empty()
	case "key_share":
		return readShares(&in, &e.Shares) && in.Empty()
	case "trust_anchors":
		return readIDs(&in, &e.IDs) && in.Empty()
	case "encrypted_client_hello_grease":
		return readECH(&in, e) && in.Empty()
	}
	constant, ok := constants[e.Type]
	return ok && bytes.Equal(s.Data, constant)
}

func readCodes(list cryptobyte.String, into *[]Code) bool {
	var code uint16
	for list.ReadUint16(&code) {
		*into = append(*into, Code(code))
	}
	return list.Empty()
}

func readList16(in *cryptobyte.String, into *[]Code) bool {
	var list cryptobyte.String
	return in.ReadUint16LengthPrefixed(&list) && readCodes(list, into)
}

func readList8(in *cryptobyte.String, into *[]Code) bool {
	var list cryptobyte.String
	return in.ReadUint8LengthPrefixed(&list) && readCodes(list, into)
}

func readBytes(in *cryptobyte.String, into *[]Code) bool {
	var list cryptobyte.String
	if !in.ReadUint8LengthPrefixed(&list) {
		return false
	}
	for _, value := range list {
		*into = append(*into, Code(value))
	}
	return true
}

func readProtocols(in *cryptobyte.String, into *[]string) bool {
	var list, name cryptobyte.String
	ok := in.ReadUint16LengthPrefixed(&list)
	for ok && !list.Empty() {
		if ok = list.ReadUint8LengthPrefixed(&name) && len(name) > 0; ok {
			*into = append(*into, string(name))
		}
	}
	return ok
}

func readIDs(in *cryptobyte.String, into *[]Hex) bool {
	var list, id cryptobyte.String
	ok := in.ReadUint16LengthPrefixed(&list)
	for ok && !list.Empty() {
		if ok = list.ReadUint8LengthPrefixed(&id); ok {
			*into = append(*into, Hex(id))
		}
	}
	return ok
}

// readShares knows a classical share that repeats the half of the hybrid one in
// front of it (draft-ietf-tls-ecdhe-mlkem: the X25519 key comes last there).
func readShares(in *cryptobyte.String, into *[]KeyShare) bool {
	var list, key, before cryptobyte.String
	var group uint16
	ok := in.ReadUint16LengthPrefixed(&list)
	for ok && !list.Empty() {
		if ok = list.ReadUint16(&group) && list.ReadUint16LengthPrefixed(&key); !ok {
			break
		}
		share := KeyShare{Group: Code(group)}
		if last := len(*into) - 1; last >= 0 && (*into)[last].Group == groupNames["X25519MLKEM768"] &&
			share.Group == groupNames["X25519"] && bytes.HasSuffix(before, key) {
			share.ReuseFrom = groupNames["X25519MLKEM768"]
		}
		*into, before = append(*into, share), key
	}
	return ok
}

// readECH reads the outer form (RFC 9849 section 5), which GREASE imitates.
func readECH(in *cryptobyte.String, e *Extension) bool {
	var form, config uint8
	var kdf, aead uint16
	var key, payload cryptobyte.String
	ok := in.ReadUint8(&form) && form == 0 && in.ReadUint16(&kdf) && in.ReadUint16(&aead) && in.ReadUint8(&config) &&
		in.ReadUint16LengthPrefixed(&key) && in.ReadUint16LengthPrefixed(&payload)
	e.Suites, e.PayloadLengths = [][2]Code{{Code(kdf), Code(aead)}}, []int{len(payload)}
	return ok
}
