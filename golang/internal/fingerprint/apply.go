package fingerprint

import (
	"errors"
	"fmt"
	"slices"
)

// Apply returns base with the ClientHello that the string describes. What the
// string gives wins, its order too; what it leaves out (the content of other
// extensions, key shares) comes from base or, where base has no such extension,
// from what most clients send. GREASE comes from base only when base is of the
// same family, because it would give away any other.
func (j JA3) Apply(base *Profile) (*Profile, error) {
	p := *base
	p.Name = base.Name + " with JA3 " + j.Hash()
	p.TLS.Ciphers = slices.Clone(j.Ciphers)
	p.TLS.ExtensionOrder = orderFixed
	p.TLS.Extensions = make([]Extension, 0, len(j.Extensions)+2)
	for _, code := range j.Extensions {
		p.TLS.Extensions = append(p.TLS.Extensions, j.extension(code, &base.TLS))
	}
	if !slices.Contains(j.Extensions, 43) { // without it, 1.2 is the highest version (RFC 8446 section 4.2.1)
		p.TLS.MaxVersion = versionTLS12
	} else {
		p.TLS.MaxVersion = versionTLS13
	}
	if err := j.fillShares(&p.TLS); err != nil {
		return nil, err
	}
	if j.sameFamily(&base.TLS) {
		p.TLS.addGREASE(&base.TLS)
	}
	if err := p.TLS.check(); err != nil {
		return nil, fmt.Errorf("JA3: %w", err)
	}
	return &p, nil
}

// sameFamily tells by the order of the ciphers, which clients keep for years
// (Chrome since version 83) and which differs between TLS libraries.
func (j JA3) sameFamily(base *TLS) bool {
	ciphers := withoutGREASE(base.Ciphers)
	same := 0
	for i := range min(len(ciphers), len(j.Ciphers)) {
		if ciphers[i] == j.Ciphers[i] {
			same++
		}
	}
	return 10*same >= 9*max(len(ciphers), len(j.Ciphers))
}

// extension returns one extension of the string with its content.
func (j JA3) extension(code Code, base *TLS) Extension {
	switch code {
	case 10:
		return Extension{Type: "supported_groups", Groups: slices.Clone(j.Groups)}
	case 11:
		return Extension{Type: "ec_point_formats", Formats: slices.Clone(j.Formats)}
	case 21:
		return Extension{Type: "padding", Always: true}
	}
	for _, e := range base.Extensions {
		if e.code() == code {
			e.Algorithms, e.Versions, e.Shares = withoutGREASE(e.Algorithms), withoutGREASE(e.Versions), slices.Clone(e.Shares)
			return e
		}
	}
	if e, ok := commonContent[code]; ok {
		return e
	}
	for name, kind := range extensionTypes {
		if kind.id == code && kind.fields == "" {
			return Extension{Type: name}
		}
	}
	return Extension{Type: "generic", ID: code}
}

// commonContent is what clients put into extensions that a base may lack.
var commonContent = map[Code]Extension{
	1:     {Type: "generic", ID: 1, Data: Hex{4}},  // max_fragment_length: 4096 (RFC 6066 section 4)
	15:    {Type: "generic", ID: 15, Data: Hex{1}}, // heartbeat: peer may send (RFC 6520)
	24:    {Type: "generic", ID: 24, Data: Hex{1, 0, 3, 2, 1, 0}},
	13:    {Type: "signature_algorithms", Algorithms: commonAlgorithms},
	16:    {Type: "alpn", Protocols: []string{"h2", "http/1.1"}},
	27:    {Type: "compress_certificate", Algorithms: []Code{2}},
	28:    {Type: "record_size_limit", Limit: 0x4001},
	34:    {Type: "delegated_credentials", Algorithms: []Code{0x0403, 0x0503, 0x0603, 0x0203}},
	35:    {Type: "session_ticket"},
	43:    {Type: "supported_versions", Versions: []Code{versionTLS13, versionTLS12}},
	45:    {Type: "psk_key_exchange_modes", Modes: []Code{1}},
	50:    {Type: "signature_algorithms_cert", Algorithms: commonAlgorithms},
	51:    {Type: "key_share"},
	17513: {Type: "application_settings", ID: 17513, Protocols: []string{"h2"}},
	17613: {Type: "application_settings", ID: 17613, Protocols: []string{"h2"}},
	51764: {Type: "generic", ID: 51764, Data: Hex{0, 0}}, // trust_anchors: none named
	65037: {Type: "encrypted_client_hello_grease", Suites: [][2]Code{{1, 1}}, PayloadLengths: []int{144, 176, 208, 240}},
}

var commonAlgorithms = []Code{0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601}

// fillShares keeps the shares of base whose groups the string has; where none is
// left, it sends one for the first group that a key can be made for.
func (j JA3) fillShares(t *TLS) error {
	share := t.extension("key_share")
	if share == nil {
		return nil
	}
	share.Shares = slices.DeleteFunc(share.Shares, func(s KeyShare) bool { return !slices.Contains(j.Groups, s.Group) })
	for i := range share.Shares {
		if i == 0 || share.Shares[i-1].Group != share.Shares[i].ReuseFrom {
			share.Shares[i].ReuseFrom = 0
		}
	}
	if len(share.Shares) > 0 {
		return nil
	}
	first := slices.IndexFunc(j.Groups, canGenerate)
	if first < 0 {
		return errors.New("JA3: extension 51 without a group that a key can be made for")
	}
	share.Shares = []KeyShare{{Group: j.Groups[first]}}
	return nil
}

// addGREASE puts GREASE where base has it: in front of a list, and around the
// extensions.
func (t *TLS) addGREASE(base *TLS) {
	t.Ciphers = greaseLike(t.Ciphers, base.Ciphers)
	for i := range t.Extensions {
		e := &t.Extensions[i]
		other := base.extension(e.Type)
		if other == nil {
			continue
		}
		e.Groups = greaseLike(e.Groups, other.Groups)
		e.Versions = greaseLike(e.Versions, other.Versions)
		e.Algorithms = greaseLike(e.Algorithms, other.Algorithms)
		if len(other.Shares) > 0 && other.Shares[0].Group == GREASE {
			e.Shares = append([]KeyShare{{Group: GREASE}}, e.Shares...)
		}
	}
	if base.extension("grease") == nil {
		return
	}
	end := len(t.Extensions)
	for end > 0 && (t.Extensions[end-1].Type == "padding" || t.Extensions[end-1].Type == "pre_shared_key") {
		end--
	}
	t.Extensions = slices.Insert(t.Extensions, end, Extension{Type: "grease"})
	t.Extensions = slices.Insert(t.Extensions, 0, Extension{Type: "grease"})
}

func greaseLike(list, other []Code) []Code {
	if len(list) == 0 || len(other) == 0 || other[0] != GREASE {
		return list
	}
	return append([]Code{GREASE}, list...)
}
