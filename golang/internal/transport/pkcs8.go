package transport

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"hash"
)

// The encryption of private keys that OpenSSL writes: PKCS #5 PBES2 (RFC 8018
// section 6.2) with PBKDF2 and AES in CBC mode.

type encryptedPrivateKeyInfo struct { // RFC 5958 section 3
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

type pbes2Parameters struct {
	KeyDerivation, Encryption pkix.AlgorithmIdentifier
}

type pbkdf2Parameters struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
)

var pbkdf2Hashes = map[string]func() hash.Hash{
	"":                    sha1.New, // the default of RFC 8018
	"1.2.840.113549.2.7":  sha1.New,
	"1.2.840.113549.2.9":  sha256.New,
	"1.2.840.113549.2.10": sha512.New384,
	"1.2.840.113549.2.11": sha512.New,
}

var aesKeyLengths = map[string]int{
	"2.16.840.1.101.3.4.1.2":  16,
	"2.16.840.1.101.3.4.1.22": 24,
	"2.16.840.1.101.3.4.1.42": 32,
}

// maxIterations bounds what a file can make us compute; OpenSSL uses 2,048 by
// default, OWASP recommends 600,000.
const maxIterations = 3_000_000

var (
	errKeyEncryption = errors.New("encrypted in a way that is not supported: use PBES2 with PBKDF2 and AES-CBC, as openssl pkcs8 -topk8 -v2 aes256 does")
	errKeyPassword   = errors.New("the password does not fit")
)

// decryptPKCS8 returns the PKCS #8 key in an EncryptedPrivateKeyInfo.
func decryptPKCS8(der []byte, password string) ([]byte, error) {
	var info encryptedPrivateKeyInfo
	var scheme pbes2Parameters
	var derivation pbkdf2Parameters
	var iv []byte
	if !unmarshalAll(der, &info) || !info.Algorithm.Algorithm.Equal(oidPBES2) ||
		!unmarshalAll(info.Algorithm.Parameters.FullBytes, &scheme) ||
		!scheme.KeyDerivation.Algorithm.Equal(oidPBKDF2) ||
		!unmarshalAll(scheme.KeyDerivation.Parameters.FullBytes, &derivation) ||
		!unmarshalAll(scheme.Encryption.Parameters.FullBytes, &iv) {
		return nil, errKeyEncryption
	}
	newHash, keyLength := pbkdf2Hashes[derivation.PRF.Algorithm.String()], aesKeyLengths[scheme.Encryption.Algorithm.String()]
	if newHash == nil || keyLength == 0 || len(iv) != aes.BlockSize ||
		derivation.Iterations < 1 || derivation.Iterations > maxIterations {
		return nil, errKeyEncryption
	}
	key, err := pbkdf2.Key(newHash, password, derivation.Salt, derivation.Iterations, keyLength)
	if err != nil {
		return nil, err
	}
	return decryptCBC(key, iv, info.Data)
}

// decryptCBC also takes the padding off (RFC 8018 section 6.1.1).
func decryptCBC(key, iv, data []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	if len(data) == 0 || len(data)%aes.BlockSize != 0 {
		return nil, errKeyEncryption
	}
	clear := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(clear, data)
	padding := int(clear[len(clear)-1])
	if padding == 0 || padding > aes.BlockSize {
		return nil, errKeyPassword
	}
	clear = clear[:len(clear)-padding]
	// Of wrong passwords one in 16 leaves good padding, one in 4096 any value.
	var info asn1.RawValue
	if !unmarshalAll(clear, &info) || !info.IsCompound || info.Tag != asn1.TagSequence {
		return nil, errKeyPassword
	}
	return clear, nil
}

// unmarshalAll parses der, all of it, into v.
func unmarshalAll(der []byte, v any) bool {
	rest, err := asn1.Unmarshal(der, v)
	return err == nil && len(rest) == 0
}
