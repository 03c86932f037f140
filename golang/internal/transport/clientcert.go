package transport

import (
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	utls "github.com/refraction-networking/utls"
)

// loadClientCertificate reads a certificate with its chain and the key to it;
// without a file of its own the key is in the certificate's.
func loadClientCertificate(certFile, keyFile, password string) (utls.Certificate, error) {
	if keyFile == "" {
		keyFile = certFile
	}
	chain, err := os.ReadFile(certFile)
	if err != nil {
		return utls.Certificate{}, fmt.Errorf("client certificate: %w", err)
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return utls.Certificate{}, fmt.Errorf("key of the client certificate: %w", err)
	}
	if key, err = decryptKey(key, password); err != nil {
		return utls.Certificate{}, fmt.Errorf("key of the client certificate: %s: %w", keyFile, err)
	}
	certificate, err := utls.X509KeyPair(chain, key)
	if err != nil {
		return utls.Certificate{}, fmt.Errorf("client certificate %s: %w", certFile, err)
	}
	return certificate, nil
}

// decryptKey returns the PEM of the first encrypted private key in clear, or
// document as it is when none is encrypted.
func decryptKey(document []byte, password string) ([]byte, error) {
	for rest := document; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return document, nil
		}
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY" && password == "":
			return nil, errors.New("encrypted, and no password was given")
		case block.Type == "ENCRYPTED PRIVATE KEY":
			der, err := decryptPKCS8(block.Bytes, password)
			if err != nil {
				return nil, err
			}
			return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
		case block.Headers["DEK-Info"] != "":
			return nil, fmt.Errorf("encrypted in the old OpenSSL format, which is weak: convert it with %q", "openssl pkcs8 -topk8")
		}
	}
}
