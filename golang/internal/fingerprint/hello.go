package fingerprint

import (
	cryptorand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"slices"

	"filippo.io/edwards25519"
	utls "github.com/refraction-networking/utls"
)

// HelloOptions is what a ClientHello depends on beside its profile.
type HelloOptions struct {
	ServerName string   // "" or an IP address: no server_name
	Protocols  []string // those of the profile's ALPN that are allowed; nil: all
	Without    []string // types of extensions that are left out
	MinVersion uint16   // refuse an older one, though the hello still offers it; 0: as the profile
	// PSKLength is how long the pre_shared_key extension will be when a TLS 1.3
	// session is offered, header included.
	PSKLength int
}

func (o *HelloOptions) allowed(protocols []string) []string {
	if o.Protocols == nil {
		return protocols
	}
	return slices.DeleteFunc(slices.Clone(protocols), func(p string) bool {
		return !slices.Contains(o.Protocols, p)
	})
}

// Hello builds the ClientHello of one connection. utls writes into what it is
// given, and GREASE, order and padding are drawn anew: never use one twice.
func (p *Profile) Hello(o HelloOptions) (*utls.ClientHelloSpec, error) {
	t := &p.TLS
	minVersion := max(uint16(t.MinVersion), o.MinVersion)
	if minVersion > uint16(t.MaxVersion) {
		return nil, fmt.Errorf("profile %q does not reach the TLS version that is asked for", p.Name)
	}
	extensions := make([]utls.TLSExtension, 0, len(t.Extensions))
	for _, i := range t.order() {
		e := &t.Extensions[i]
		if slices.Contains(o.Without, e.Type) {
			continue
		}
		if built := extensionTypes[e.Type].build(e, &o); built != nil {
			extensions = append(extensions, built)
		}
	}
	return &utls.ClientHelloSpec{
		CipherSuites:       codes[uint16](t.Ciphers),
		CompressionMethods: []uint8{0},
		Extensions:         extensions,
		TLSVersMin:         minVersion,
		TLSVersMax:         uint16(t.MaxVersion),
	}, nil
}

// order returns the indices of the extensions in the order to send. The shuffle
// is Chromium's: every order is equally likely (utls' own shuffle is biased by
// far, measured), GREASE, padding and pre_shared_key keep their places.
func (t *TLS) order() []int {
	order := make([]int, len(t.Extensions))
	movable := make([]int, 0, len(order))
	for i := range order {
		order[i] = i
		switch t.Extensions[i].Type {
		case "grease", "padding", "pre_shared_key":
		default:
			movable = append(movable, i)
		}
	}
	if t.ExtensionOrder != orderShuffle {
		return order
	}
	for i, j := range rand.Perm(len(movable)) {
		order[movable[i]] = movable[j]
	}
	return order
}

// aeadOverhead is the tag that both AEADs of ECH append.
const aeadOverhead = 16

// buildECHGrease imitates a client without an ECH configuration (RFC 9849
// section 6.2).
func buildECHGrease(e *Extension, o *HelloOptions) utls.TLSExtension {
	suites := make([]utls.HPKESymmetricCipherSuite, len(e.Suites))
	for i, suite := range e.Suites {
		suites[i] = utls.HPKESymmetricCipherSuite{KdfId: uint16(suite[0]), AeadId: uint16(suite[1])}
	}
	return &utls.GREASEEncryptedClientHelloExtension{
		CandidateCipherSuites: suites,
		EncapsulatedKey:       publicX25519(),
		CandidatePayloadLens:  []uint16{uint16(e.payloadLength(o) - aeadOverhead)}, // utls adds the tag
	}
}

// publicX25519 returns an X25519 key whose secret nobody wants. It must be one,
// because half of all strings are no point of the curve. That it comes by way of
// the Edwards form, which has tables of its base point, makes it four times as
// quick as crypto/ecdh (measured).
func publicX25519() []byte {
	var secret [32]byte
	_, _ = cryptorand.Read(secret[:]) // does not fail (crypto/rand)
	scalar, err := edwards25519.NewScalar().SetBytesWithClamping(secret[:])
	if err != nil {
		panic(err) // 32 bytes are no error
	}
	return new(edwards25519.Point).ScalarBaseMult(scalar).BytesMontgomery()
}

// payloadLength returns the length of the encrypted inner hello that is faked:
// BoringSSL draws one of a few, NSS computes what a real one would have. Its
// inner hello grows with a name beyond 100 bytes and with the session offered,
// and is padded to 31 modulo 32 (measured against Firefox 153).
func (e *Extension) payloadLength(o *HelloOptions) int {
	if e.PayloadPolicy == "" {
		return e.PayloadLengths[rand.IntN(len(e.PayloadLengths))]
	}
	inner := e.InnerBase + max(0, len(o.ServerName)-100) + o.PSKLength
	return (inner | 31) + aeadOverhead
}
