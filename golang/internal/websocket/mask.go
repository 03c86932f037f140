package websocket

import (
	"crypto/rand"
	"encoding/binary"
	"math/bits"
)

// mask applies a masking key to p, whose first byte is at offset in the payload
// (RFC 6455 section 5.3). Applied twice it changes nothing.
func mask(p []byte, key [4]byte, offset int64) {
	k := bits.RotateLeft32(binary.LittleEndian.Uint32(key[:]), -8*int(offset&3))
	wide := uint64(k)<<32 | uint64(k)
	for len(p) >= 32 {
		for i := 0; i < 32; i += 8 {
			word := p[i : i+8 : i+8]
			binary.LittleEndian.PutUint64(word, binary.LittleEndian.Uint64(word)^wide)
		}
		p = p[32:]
	}
	for len(p) >= 8 {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^wide)
		p = p[8:]
	}
	for i := range p {
		p[i] ^= byte(k >> (8 * (i & 3)))
	}
}

// keys gives masking keys that nobody can foresee: a script that chooses what is
// sent must not be able to choose what proxies see (RFC 6455 section 10.3).
type keys struct {
	random [256]byte
	used   int
	filled bool
}

func (k *keys) next() (key [4]byte) {
	if !k.filled || k.used == len(k.random) {
		_, _ = rand.Read(k.random[:]) // never fails (crypto/rand)
		k.used, k.filled = 0, true
	}
	k.used += copy(key[:], k.random[k.used:])
	return key
}
