package fingerprint

import utls "github.com/refraction-networking/utls"

// BoringSSL pads a ClientHello of 256 to 511 bytes to 512 with an extension of
// its own (RFC 7685), because some servers hang on that range. Whether a client
// has the extension therefore depends on what else it sends: Safari 17 always
// does, Chrome 120 in the quarter of its hellos that draw the shortest ECH
// payload, and nobody who sends a hybrid key share.

// buildPadding pads as BoringSSL does, or always where a fingerprint's string
// lists the extension.
func buildPadding(e *Extension, _ *HelloOptions) utls.TLSExtension {
	if !e.Always {
		return &utls.UtlsPaddingExtension{GetPaddingLen: utls.BoringPaddingStyle}
	}
	return &utls.UtlsPaddingExtension{GetPaddingLen: func(unpadded int) (int, bool) {
		length, _ := utls.BoringPaddingStyle(unpadded)
		return length, true
	}}
}

// pads reports whether every first hello to an ordinary name is padded.
func (t *TLS) pads() bool {
	if t.extension("encrypted_client_hello_grease") != nil {
		return false // its draw decides
	}
	_, pads := utls.BoringPaddingStyle(t.unpadded())
	return pads
}

// unpadded returns the length of a first hello to an ordinary name, without
// padding.
func (t *TLS) unpadded() int {
	const header, version, random, lengths = 4, 2, 32, 1 + 2 + 1 + 2
	size := header + version + random + lengths + t.SessionIDLength + 2*len(t.Ciphers) + len(t.CompressionMethods)
	for i := range t.Extensions {
		e := &t.Extensions[i]
		if e.Type == "padding" || e.Type == "pre_shared_key" {
			continue
		}
		if built := extensionTypes[e.Type].build(e, &HelloOptions{ServerName: "www.example.org"}); built != nil {
			size += built.Len()
		}
		for _, share := range e.Shares {
			size += publicKeySize[share.Group]
		}
	}
	return size
}

// publicKeySize is what the build of key_share leaves to utls.
var publicKeySize = map[Code]int{
	0x0017: 65, 0x0018: 97, 0x0019: 133, 0x001d: 32, 0x11ec: 1184 + 32, 0x6399: 32 + 1184,
}
