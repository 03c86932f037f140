package transport

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
)

// loadRoots reads the certificates to trust from a PEM file or from the PEM
// files of a folder.
func loadRoots(path string) (*x509.CertPool, error) {
	files := []string{path}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("CA certificates: %w", err)
	}
	if info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(path, "*")); err != nil {
			return nil, fmt.Errorf("CA certificates: %w", err)
		}
	}
	pool, found := x509.NewCertPool(), false
	for _, file := range files {
		any, err := appendRoots(pool, file, info.IsDir())
		if err != nil {
			return nil, fmt.Errorf("CA certificates: %w", err)
		}
		found = found || any
	}
	if !found {
		return nil, fmt.Errorf("CA certificates: %s has no PEM certificate", path)
	}
	return pool, nil
}

// appendRoots adds the certificates of one file. A folder may hold other files,
// too: those without PEM blocks are passed over.
func appendRoots(pool *x509.CertPool, file string, inFolder bool) (bool, error) {
	if info, err := os.Stat(file); inFolder && (err != nil || info.IsDir()) {
		return false, nil // a dangling link of c_rehash, a sub-folder
	}
	rest, err := os.ReadFile(file)
	if err != nil {
		return false, err
	}
	found := false
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return found, nil
		}
		if block.Type != "CERTIFICATE" && block.Type != "TRUSTED CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return false, fmt.Errorf("%s: %w", file, err)
		}
		pool.AddCert(certificate)
		found = true
	}
}
