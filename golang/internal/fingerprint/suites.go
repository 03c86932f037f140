package fingerprint

import (
	"errors"
	"slices"

	utls "github.com/refraction-networking/utls"
)

// Acceptable reports whether a suite of TLS 1.2 may be agreed on: everything
// that browsers still use. RC4, 3DES, NULL, export and anonymous suites may be
// offered, where a fingerprint lists them, and are never accepted.
func Acceptable(suite uint16) bool { return slices.Contains(acceptable, suite) }

var acceptable = []uint16{
	utls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, utls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	utls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, utls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	utls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, utls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	utls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, utls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	utls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, utls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
	utls.TLS_RSA_WITH_AES_128_GCM_SHA256, utls.TLS_RSA_WITH_AES_256_GCM_SHA384,
	utls.TLS_RSA_WITH_AES_128_CBC_SHA, utls.TLS_RSA_WITH_AES_256_CBC_SHA,
}

var acceptable13 = []uint16{utls.TLS_AES_128_GCM_SHA256, utls.TLS_AES_256_GCM_SHA384, utls.TLS_CHACHA20_POLY1305_SHA256}

// checkAgreement finds what no server could agree to: a version that is not
// offered, or only suites that no version between the two can use.
func (t *TLS) checkAgreement() error {
	if e := t.extension("supported_versions"); e != nil && !slices.Contains(e.Versions, t.MaxVersion) {
		return errors.New("tls.max_version: supported_versions does not offer it")
	}
	for _, suite := range t.Ciphers {
		if t.MaxVersion == versionTLS13 && slices.Contains(acceptable13, uint16(suite)) || t.MinVersion == versionTLS12 && Acceptable(uint16(suite)) {
			return nil
		}
	}
	return errors.New("tls.ciphers: none may be agreed on in the versions from min_version to max_version")
}
