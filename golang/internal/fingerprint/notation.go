package fingerprint

import (
	"crypto/md5"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
)

// ClientHello is what the notations tell of a hello, whether it was sent or a
// profile describes it: its lists in wire order, GREASE included.
type ClientHello struct {
	Version      Code // legacy_version
	Ciphers      []Code
	Extensions   []Code
	Groups       []Code
	Formats      []Code // of elliptic curve points
	Algorithms   []Code // of signatures
	Versions     []Code // of supported_versions
	Modes        []Code // of PSK key exchange
	Compressions []Code // of certificates
	Protocols    []string
}

// Extensions that the notations look into.
const (
	idServerName   Code = 0
	idGroups       Code = 10
	idFormats      Code = 11
	idAlgorithms   Code = 13
	idALPN         Code = 16
	idPadding      Code = 21
	idCompressions Code = 27
	idPSK          Code = 41
	idVersions     Code = 43
	idModes        Code = 45
	idShares       Code = 51
)

// ClientHello returns what the notations tell of a hello that was sent. Of an
// extension whose content is malformed that is the number alone.
func (h *SentHello) ClientHello() *ClientHello {
	told := &ClientHello{Version: h.Version, Ciphers: h.Ciphers}
	for _, e := range h.Extensions {
		content := e.Content()
		told.add(e.ID, &content)
	}
	return told
}

// ClientHello returns the hello that offers no session to a named host. Where
// the order of extensions is drawn, it is that of the document: one of many.
func (p *Profile) ClientHello() *ClientHello {
	t := &p.TLS
	h := &ClientHello{Version: t.LegacyVersion, Ciphers: t.Ciphers}
	for i := range t.Extensions {
		e := &t.Extensions[i]
		if e.Type != "pre_shared_key" && (e.Type != "padding" || e.Always || t.pads()) {
			h.add(e.code(), e)
		}
	}
	return h
}

func (h *ClientHello) add(id Code, content *Extension) {
	h.Extensions = append(h.Extensions, id)
	switch id {
	case idGroups:
		h.Groups = content.Groups
	case idFormats:
		h.Formats = content.Formats
	case idAlgorithms:
		h.Algorithms = content.Algorithms
	case idALPN:
		h.Protocols = content.Protocols
	case idCompressions:
		h.Compressions = content.Algorithms
	case idVersions:
		h.Versions = content.Versions
	case idModes:
		h.Modes = content.Modes
	}
}

func withoutGREASE(list []Code) []Code {
	return slices.DeleteFunc(slices.Clone(list), Code.isGREASE)
}

func decimals(list []Code) string {
	texts := make([]string, len(list))
	for i, code := range list {
		texts[i] = strconv.Itoa(int(code))
	}
	return strings.Join(texts, "-")
}

// md5Hex is the form in which JA3, Akamai's and Peet's notations are quoted.
func md5Hex(notation string) string {
	sum := md5.Sum([]byte(notation))
	return hex.EncodeToString(sum[:])
}
