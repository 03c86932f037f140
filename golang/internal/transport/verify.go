package transport

import (
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	utls "github.com/refraction-networking/utls"
	"golang.org/x/net/publicsuffix"

	"github.com/cycletls/cycletls/golang/internal/fingerprint"
)

// utls verifies the chain and the name with crypto/x509. What is checked here
// comes on top, before any request leaves, whether the handshake was full or
// resumed: a fingerprint may have to offer what must not be agreed on.

// minRSABits is the smallest RSA key that is trusted; browsers refuse less, too.
const minRSABits = 1025

// verify is the last word on a handshake.
func (h *handshaker) verify(state utls.ConnectionState) error {
	if state.Version < utls.VersionTLS13 && !fingerprint.Acceptable(state.CipherSuite) {
		return fmt.Errorf("the server chose %s, which is not secure", utls.CipherSuiteName(state.CipherSuite))
	}
	if h.cfg.insecure {
		return nil
	}
	leaf := state.PeerCertificates[0]
	if err := checkWildcard(leaf, state.ServerName); err != nil {
		return err
	}
	return checkKeys(state.VerifiedChains)
}

// checkKeys wants a chain without short RSA keys.
func checkKeys(chains [][]*x509.Certificate) error {
	var weak *x509.Certificate
	for _, chain := range chains {
		i := slices.IndexFunc(chain, hasShortKey)
		if i < 0 {
			return nil
		}
		weak = chain[i]
	}
	if weak == nil {
		return errors.New("no verified chain")
	}
	return &weakKeyError{weak}
}

func hasShortKey(c *x509.Certificate) bool {
	key, ok := c.PublicKey.(*rsa.PublicKey)
	return ok && key.N.BitLen() < minRSABits
}

// weakKeyError is a certificate whose key can be broken.
type weakKeyError struct{ certificate *x509.Certificate }

func (e *weakKeyError) Error() string { return "RSA key of 1024 bits or less" }

// checkWildcard refuses a name that matches only a wildcard for a whole public
// suffix, such as *.com or *.co.uk: nobody owns those (RFC 6125 section 7.2).
// Suffixes that companies run themselves, such as github.io, are theirs.
func checkWildcard(leaf *x509.Certificate, name string) error {
	if _, err := netip.ParseAddr(name); err == nil {
		return nil
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	_, parent, _ := strings.Cut(name, ".")
	if suffix, icann := publicsuffix.PublicSuffix(parent); !icann || suffix != parent {
		return nil
	}
	for _, pattern := range leaf.DNSNames {
		if strings.EqualFold(pattern, name) {
			return nil
		}
	}
	return &wildcardError{leaf, parent}
}

// wildcardError is a certificate for everything beneath a public suffix.
type wildcardError struct {
	certificate *x509.Certificate
	suffix      string
}

func (e *wildcardError) Error() string { return fmt.Sprintf("wildcard for all of .%s", e.suffix) }
