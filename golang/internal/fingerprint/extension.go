package fingerprint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"strings"

	utls "github.com/refraction-networking/utls"
)

// extensionType is what the library must know of an extension: its number, the
// fields that say what is in it, and how to build it. The first field listed
// must be given, unless it is marked with "?".
type extensionType struct {
	id     Code
	fields string
	build  func(*Extension, *HelloOptions) utls.TLSExtension
}

// Extensions whose content no field describes.
func constant(id Code, data ...byte) extensionType {
	return extensionType{id, "", func(*Extension, *HelloOptions) utls.TLSExtension {
		return &utls.GenericExtension{Id: uint16(id), Data: data}
	}}
}

var extensionTypes = map[string]extensionType{
	"grease": {GREASE, "", func(*Extension, *HelloOptions) utls.TLSExtension {
		return &utls.UtlsGREASEExtension{}
	}},
	"server_name": {0, "", func(_ *Extension, o *HelloOptions) utls.TLSExtension {
		return &utls.SNIExtension{ServerName: o.ServerName}
	}},
	"status_request": {5, "", func(*Extension, *HelloOptions) utls.TLSExtension {
		return &utls.StatusRequestExtension{}
	}},
	"supported_groups": {10, "groups", func(e *Extension, _ *HelloOptions) utls.TLSExtension {
		return &utls.SupportedCurvesExtension{Curves: codes[utls.CurveID](e.Groups)}
	}},
	"ec_point_formats": {11, "formats", func(e *Extension, _ *HelloOptions) utls.TLSExtension {
		return &utls.SupportedPointsExtension{SupportedPoints: codes[uint8](e.Formats)}
	}},
	"signature_algorithms": {13, "algorithms", func(e *Extension, _ *HelloOptions) utls.TLSExtension {
		return &utls.SignatureAlgorithmsExtension{SupportedSignatureAlgorithms: signatureSchemes(e.Algorithms)}
	}},
	"alpn": {16, "protocols", func(e *Extension, o *HelloOptions) utls.TLSExtension {
		protocols := o.allowed(e.Protocols)
		if len(protocols) == 0 {
			return nil
		}
		return &utls.ALPNExtension{AlpnProtocols: protocols}
	}},
	"status_request_v2": {17, "", func(*Extension, *HelloOptions) utls.TLSExtension {
		return &utls.StatusRequestV2Extension{}
	}},
	"signed_certificate_timestamp": {18, "", func(*Extension, *HelloOptions) utls.TLSExtension {
		return &utls.SCTExtension{}
	}},
	"padding":          {21, "always?", buildPadding},
	"encrypt_then_mac": constant(22),
	"extended_master_secret": {23, "", func(*Extension, *HelloOptions) utls.TLSExtension {
		return &utls.ExtendedMasterSecretExtension{}
	}},
	"compress_certificate": {27, "algorithms", func(e *Extension, _ *HelloOptions) utls.TLSExtension {
		return &utls.UtlsCompressCertExtension{Algorithms: codes[utls.CertCompressionAlgo](e.Algorithms)}
	}},
	"record_size_limit": {28, "limit", func(e *Extension, _ *HelloOptions) utls.TLSExtension {
		return &utls.FakeRecordSizeLimitExtension{Limit: uint16(e.Limit)}
	}},
	"delegated_credentials": {34, "algorithms", func(e *Extension, _ *HelloOptions) utls.TLSExtension {
		return &utls.FakeDelegatedCredentialsExtension{SupportedSignatureAlgorithms: signatureSchemes(e.Algorithms)}
	}},
	"session_ticket": {35, "omit_with_psk?", func(e *Extension, o *HelloOptions) utls.TLSExtension {
		if e.OmitWithPSK && o.PSKLength > 0 {
			return nil
		}
		return &utls.SessionTicketExtension{}
	}},
	"pre_shared_key": {41, "", func(*Extension, *HelloOptions) utls.TLSExtension {
		return &utls.UtlsPreSharedKeyExtension{}
	}},
	"supported_versions": {43, "versions", func(e *Extension, _ *HelloOptions) utls.TLSExtension {
		return &utls.SupportedVersionsExtension{Versions: codes[uint16](e.Versions)}
	}},
	"psk_key_exchange_modes": {45, "modes", func(e *Extension, _ *HelloOptions) utls.TLSExtension {
		return &utls.PSKKeyExchangeModesExtension{Modes: codes[uint8](e.Modes)}
	}},
	"post_handshake_auth": constant(49),
	"signature_algorithms_cert": {50, "algorithms", func(e *Extension, _ *HelloOptions) utls.TLSExtension {
		return &utls.SignatureAlgorithmsCertExtension{SupportedSignatureAlgorithms: signatureSchemes(e.Algorithms)}
	}},
	"key_share":                     {51, "shares", buildKeyShare},
	"application_settings":          {0, "protocols id", buildApplicationSettings},
	"trust_anchors":                 {0xca34, "ids", buildTrustAnchors},
	"encrypted_client_hello_grease": {0xfe0d, "suites payload_lengths? payload_policy? inner_base?", buildECHGrease},
	"renegotiation_info": {0xff01, "", func(*Extension, *HelloOptions) utls.TLSExtension {
		return &utls.RenegotiationInfoExtension{Renegotiation: utls.RenegotiateNever}
	}},
	"generic": {0, "id data?", func(e *Extension, _ *HelloOptions) utls.TLSExtension {
		return &utls.GenericExtension{Id: uint16(e.ID), Data: e.Data}
	}},
}

// code returns the extension's number.
func (e *Extension) code() Code {
	if e.ID != 0 {
		return e.ID
	}
	return extensionTypes[e.Type].id
}

// check makes sure that the extension has the fields of its type and no others.
func (e *Extension) check() error {
	kind, ok := extensionTypes[e.Type]
	if !ok {
		return fmt.Errorf("type: %q is not known", e.Type)
	}
	v := reflect.ValueOf(e).Elem()
	for i := 1; i < v.NumField(); i++ {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		required, optional := hasField(kind.fields, name)
		switch given := !v.Field(i).IsZero(); {
		case given && !required && !optional:
			return fmt.Errorf("%s: does not belong to %s", name, e.Type)
		case !given && required:
			return fmt.Errorf("%s: missing for %s", name, e.Type)
		}
	}
	return e.checkContent()
}

func hasField(fields, name string) (required, optional bool) {
	for _, field := range strings.Fields(fields) {
		required = required || field == name
		optional = optional || field == name+"?"
	}
	return required, optional
}

func (e *Extension) checkContent() error {
	switch {
	case e.Type == "encrypted_client_hello_grease" && (len(e.PayloadLengths) > 0) == (e.PayloadPolicy != ""):
		return errors.New("either payload_lengths or payload_policy belongs to encrypted_client_hello_grease")
	case e.PayloadPolicy != "" && e.PayloadPolicy != "nss":
		return fmt.Errorf("payload_policy: %q is not known", e.PayloadPolicy)
	case e.Type == "application_settings" && e.ID != 17513 && e.ID != 17613:
		return errors.New("id: application_settings has 17513 or 17613")
	}
	for _, length := range e.PayloadLengths {
		if length <= aeadOverhead || length > 0x4000 {
			return fmt.Errorf("payload_lengths: %d is out of range", length)
		}
	}
	for _, protocol := range e.Protocols {
		if protocol == "" || len(protocol) > 255 {
			return fmt.Errorf("protocols: %q has not 1 to 255 bytes (RFC 7301 section 3.1)", protocol)
		}
	}
	return nil
}

// codes converts code points to the type that utls has for their registry.
func codes[T ~uint8 | ~uint16](from []Code) []T {
	to := make([]T, len(from))
	for i, code := range from {
		to[i] = T(code)
	}
	return to
}

// signatureSchemes draws GREASE itself: utls would send the placeholder.
// Chromium 152 and later draw it anew for each connection.
func signatureSchemes(from []Code) []utls.SignatureScheme {
	to := codes[utls.SignatureScheme](from)
	for i := range to {
		if from[i] == GREASE {
			to[i] = utls.SignatureScheme(greaseValue())
		}
	}
	return to
}

func buildKeyShare(e *Extension, _ *HelloOptions) utls.TLSExtension {
	shares := make([]utls.KeyShare, 0, len(e.Shares))
	for _, share := range e.Shares {
		key := utls.KeyShare{Group: utls.CurveID(share.Group)}
		switch {
		case share.Group == GREASE:
			key.Data = []byte{0}
		case share.ReuseFrom != 0: // check has seen the hybrid share in front
			last := len(shares) - 1
			shares = append(shares[:last], utls.ReuseHybridAndClassicalKeyShares(shares[last], key)...)
			continue
		}
		shares = append(shares, key)
	}
	return &utls.KeyShareExtension{KeyShares: shares}
}

func buildApplicationSettings(e *Extension, o *HelloOptions) utls.TLSExtension {
	protocols := o.allowed(e.Protocols)
	switch {
	case len(protocols) == 0:
		return nil
	case e.ID == 17513:
		return &utls.ApplicationSettingsExtension{SupportedProtocols: protocols}
	default:
		return &utls.ApplicationSettingsExtensionNew{SupportedProtocols: protocols}
	}
}

// buildTrustAnchors writes the list of draft-ietf-tls-trust-anchor-ids.
func buildTrustAnchors(e *Extension, _ *HelloOptions) utls.TLSExtension {
	list := make([]byte, 2, 512)
	for _, id := range e.IDs {
		list = append(list, byte(len(id)))
		list = append(list, id...)
	}
	binary.BigEndian.PutUint16(list, uint16(len(list)-2))
	return &utls.GenericExtension{Id: 0xca34, Data: list}
}
