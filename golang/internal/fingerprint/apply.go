package fingerprint

import (
	"errors"
	"fmt"
	"slices"
)

// Apply returns base with the ClientHello that the string describes. What the
// string gives wins, its order too; what it leaves out (the content of other
// extensions, key shares) comes from base or, where base has no such extension,
// from what most clients send.
func (j JA3) Apply(base *Profile) (*Profile, error) {
	o := outline{ciphers: j.Ciphers, extensions: j.Extensions, order: orderFixed, version: versionTLS12, content: map[Code]Extension{
		idGroups:  {Type: "supported_groups", Groups: slices.Clone(j.Groups)},
		idFormats: {Type: "ec_point_formats", Formats: slices.Clone(j.Formats)},
	}}
	if slices.Contains(j.Extensions, idVersions) { // without it, 1.2 is the highest version (RFC 8446 section 4.2.1)
		o.version = versionTLS13
	}
	o.grease = j.sameFamily(base.ClientHello())
	p, err := o.over(base)
	if err != nil {
		return nil, fmt.Errorf("ja3: %w", err)
	}
	p.Name = base.Name + " with JA3 " + j.Hash()
	return p, nil
}

// Apply returns base with the ClientHello that the string describes. JA4_r says
// which ciphers and extensions there are; base says in which order, and draws
// one where it does that.
func (j JA4) Apply(base *Profile) (*Profile, error) {
	hello := base.ClientHello()
	o := outline{ciphers: j.Ciphers, extensions: j.Extensions, order: orderFixed, version: j.Version, content: map[Code]Extension{
		idAlgorithms: {Type: "signature_algorithms", Algorithms: slices.Clone(j.Algorithms)},
		idALPN:       {Type: "alpn", Protocols: alpnProtocols[j.ALPN]},
	}}
	if len(hello.Protocols) > 0 && ja4ALPN(hello.Protocols[0]) == j.ALPN {
		delete(o.content, idALPN)
	}
	if !j.Original {
		o.ciphers = inOrderOf(hello.Ciphers, j.Ciphers)
		o.extensions = inOrderOf(hello.Extensions, j.allExtensions())
		o.order = base.TLS.ExtensionOrder
	}
	o.grease = j.sameFamily(hello)
	p, err := o.over(base)
	if err != nil {
		return nil, fmt.Errorf("ja4r: %w", err)
	}
	p.Name = base.Name + " with JA4 " + j.Hash()
	return p, nil
}

// allExtensions lists those, too, that JA4_r leaves to part a.
func (j JA4) allExtensions() []Code {
	all := slices.Clone(j.Extensions)
	if j.Named {
		all = append(all, idServerName)
	}
	if j.ALPN != "00" {
		all = append(all, idALPN)
	}
	return all
}

// inOrderOf sorts a set as known has it. What known lacks goes behind, TLS 1.3's
// ciphers in front; padding and a session are last in any hello that has them.
func inOrderOf(known, set []Code) []Code {
	place := func(code Code) int {
		switch i := slices.Index(known, code); {
		case code == idPSK:
			return len(known) + 3
		case code == idPadding:
			return len(known) + 2
		case i >= 0:
			return i
		case code>>8 == 0x13:
			return -1
		}
		return len(known) + 1
	}
	sorted := slices.Clone(set)
	slices.SortStableFunc(sorted, func(a, b Code) int { return place(a) - place(b) })
	return sorted
}

// outline is what a notation gives of a hello.
type outline struct {
	ciphers, extensions []Code
	order               string
	version             Code               // the newest
	content             map[Code]Extension // of extensions that the notation knows
	grease              bool               // base's
}

// over fills the outline in with what base sends.
func (o *outline) over(base *Profile) (*Profile, error) {
	p := *base
	t := &p.TLS
	t.Ciphers = slices.Clone(o.ciphers)
	t.ExtensionOrder = o.order
	t.WebSocket = nil // what the notation says is sent, whatever for
	t.MaxVersion, t.MinVersion = o.version, min(base.TLS.MinVersion, o.version)
	t.Extensions = make([]Extension, 0, len(o.extensions)+2)
	for _, code := range o.extensions {
		t.Extensions = append(t.Extensions, o.extension(code, &base.TLS))
	}
	t.fillVersions()
	if err := t.fillShares(); err != nil {
		return nil, err
	}
	if o.grease {
		t.addGREASE(&base.TLS)
	}
	return &p, t.check()
}

// extension returns one extension with its content.
func (o *outline) extension(code Code, base *TLS) Extension {
	if e, ok := o.content[code]; ok {
		return e
	}
	if code == idPadding {
		return Extension{Type: "padding", Always: true}
	}
	for _, e := range base.Extensions {
		if e.code() == code {
			e.dropGREASE()
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
	10:    {Type: "supported_groups", Groups: []Code{0x001d, 0x0017, 0x0018}},
	11:    {Type: "ec_point_formats", Formats: []Code{0}},
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

// fillVersions makes supported_versions say what the outline does.
func (t *TLS) fillVersions() {
	e := t.extension("supported_versions")
	switch {
	case e == nil:
	case t.MaxVersion == versionTLS12:
		e.Versions = []Code{versionTLS12}
	case !slices.Contains(e.Versions, versionTLS13):
		e.Versions = commonContent[idVersions].Versions
	}
}

// fillShares keeps the shares whose groups are offered; where none is left, it
// sends one for the first group that a key can be made for.
func (t *TLS) fillShares() error {
	share := t.extension("key_share")
	if share == nil {
		return nil
	}
	var groups []Code
	if e := t.extension("supported_groups"); e != nil {
		groups = e.Groups
	}
	share.Shares = slices.DeleteFunc(share.Shares, func(s KeyShare) bool { return !slices.Contains(groups, s.Group) })
	for i := range share.Shares {
		if i == 0 || share.Shares[i-1].Group != share.Shares[i].ReuseFrom {
			share.Shares[i].ReuseFrom = 0
		}
	}
	if len(share.Shares) > 0 {
		return nil
	}
	first := slices.IndexFunc(groups, canGenerate)
	if first < 0 {
		return errors.New("key_share, without a group that a key can be made for")
	}
	share.Shares = []KeyShare{{Group: groups[first]}}
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
