package capture

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"time"
)

// selfMade issues a certificate for the loopback names and the address that is
// listened on, signed by an authority that lives no longer than this call, and
// returns that authority as PEM.
func selfMade(address string) (*tls.Certificate, []byte, error) {
	authority := template("capture authority")
	authority.IsCA = true
	authority.BasicConstraintsValid = true
	authority.KeyUsage = x509.KeyUsageCertSign
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	root, err := x509.CreateCertificate(rand.Reader, authority, authority, signer.Public(), signer)
	if err != nil {
		return nil, nil, err
	}

	leaf := template("capture server")
	leaf.DNSNames = []string{"localhost"}
	leaf.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	addNames(leaf, address)
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.CreateCertificate(rand.Reader, leaf, authority, key.Public(), signer)
	if err != nil {
		return nil, nil, err
	}
	authorityPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root})
	return &tls.Certificate{Certificate: [][]byte{cert}, PrivateKey: key}, authorityPEM, nil
}

// addNames adds the host of a listening address: all of this machine's where it
// is the unspecified one.
func addNames(leaf *x509.Certificate, address string) {
	host, _, _ := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	switch {
	case ip == nil && host != "" && host != "localhost":
		leaf.DNSNames = append(leaf.DNSNames, host)
	case ip != nil && !ip.IsUnspecified():
		leaf.IPAddresses = append(leaf.IPAddresses, ip)
	case ip != nil:
		addresses, _ := net.InterfaceAddrs() // without them, clients that verify will say so
		for _, a := range addresses {
			if network, ok := a.(*net.IPNet); ok {
				leaf.IPAddresses = append(leaf.IPAddresses, network.IP)
			}
		}
	}
}

func template(name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
}
