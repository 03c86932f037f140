package transport

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// recentRoots are bundles that were read lately. A common one takes 10 ms to
// parse, and a program may make a session for each request.
var recentRoots struct {
	sync.Mutex
	bundles []bundle // newest last
}

const maxBundles = 4

// bundle is a file as it was when it was read.
type bundle struct {
	path string
	info os.FileInfo
	pool *x509.CertPool
}

func (b *bundle) holds(path string, info os.FileInfo) bool {
	return b.path == path && os.SameFile(b.info, info) && b.info.Size() == info.Size() && b.info.ModTime().Equal(info.ModTime())
}

// loadRoots reads the certificates to trust from a PEM file or from the PEM
// files of a folder.
func loadRoots(path string) (*x509.CertPool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return readRoots(path, info)
	}
	recentRoots.Lock()
	defer recentRoots.Unlock()
	recent := recentRoots.bundles
	if i := slices.IndexFunc(recent, func(b bundle) bool { return b.holds(path, info) }); i >= 0 {
		return recent[i].pool, nil
	}
	pool, err := readRoots(path, info)
	if err != nil {
		return nil, err
	}
	if len(recent) == maxBundles {
		recent = slices.Delete(recent, 0, 1)
	}
	recentRoots.bundles = append(recent, bundle{path, info, pool})
	return pool, nil
}

func readRoots(path string, info os.FileInfo) (*x509.CertPool, error) {
	files := []string{path}
	if info.IsDir() {
		var err error
		if files, err = filepath.Glob(filepath.Join(path, "*")); err != nil {
			return nil, err
		}
	}
	pool, found := x509.NewCertPool(), false
	for _, file := range files {
		any, err := appendRoots(pool, file, info.IsDir())
		if err != nil {
			return nil, err
		}
		found = found || any
	}
	if !found {
		return nil, fmt.Errorf("%s has no PEM certificate", path)
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
