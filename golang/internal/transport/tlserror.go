package transport

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	utls "github.com/refraction-networking/utls"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

// TLSError is a handshake that failed for another reason than the certificate.
type TLSError struct {
	Host    string
	Profile string // that was shown to the server
	What    string
	Remedy  string // "" where there is none to offer
	Cause   error
}

func (e *TLSError) Error() string {
	return sentence("TLS handshake with "+e.Host+" as "+e.Profile, e.What, e.Remedy)
}

func (e *TLSError) Unwrap() error { return e.Cause }

// CertificateError is a server whose certificate is not to be trusted.
type CertificateError struct {
	Host        string
	Certificate *x509.Certificate // the one at fault; nil where none could be read
	What        string
	Remedy      string
	Cause       error
}

func (e *CertificateError) Error() string {
	which := "certificate of " + e.Host
	if e.Certificate != nil {
		which += " (" + subject(e.Certificate) + ")"
	}
	return sentence(which, e.What, e.Remedy)
}

func (e *CertificateError) Unwrap() error { return e.Cause }

func sentence(which, what, remedy string) string {
	if remedy == "" {
		return which + ": " + what
	}
	return fmt.Sprintf("%s: %s; %s", which, what, remedy)
}

// subject names a certificate the way people look for it.
func subject(c *x509.Certificate) string {
	if name := c.Subject.String(); name != "" {
		return name
	}
	return fmt.Sprintf("without a subject, names %q", c.DNSNames)
}

// plain leaves out which package says it.
func plain(err error) string {
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), "tls: "), "x509: ")
}

// explain turns what utls reports into an error that says what to do.
func (h *handshaker) explain(err error, host string) error {
	if wait.IsStop(err) {
		return err
	}
	if refused := h.explainCertificate(err, host); refused != nil {
		return refused
	}
	var record utls.RecordHeaderError
	switch {
	case errors.As(err, &record):
		return &TLSError{host, h.profile.Name, "the answer is not TLS", "is it plain HTTP (http://) on this port?", err}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return &TLSError{host, h.profile.Name, "the server closed the connection", "it may refuse the offered TLS version, ciphers or server name", err}
	}
	return &TLSError{Host: host, Profile: h.profile.Name, What: plain(err), Cause: err}
}

// explainCertificate returns a CertificateError, or nil where the certificate is
// not the cause.
func (h *handshaker) explainCertificate(err error, host string) error {
	var verification *utls.CertificateVerificationError
	var weak *weakKeyError
	var wildcard *wildcardError
	switch {
	case errors.As(err, &weak):
		return &CertificateError{host, weak.certificate, weak.Error(), "the server needs a longer key", err}
	case errors.As(err, &wildcard):
		return &CertificateError{host, wildcard.certificate, wildcard.Error(), "the server needs a certificate for its own name", err}
	case errors.As(err, &verification):
		return h.explainVerification(verification, host)
	}
	return nil
}

func (h *handshaker) explainVerification(err *utls.CertificateVerificationError, host string) error {
	sent := err.UnverifiedCertificates
	refused := &CertificateError{Host: host, Certificate: sent[0], What: plain(err.Err), Cause: err}
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &name):
		refused.Certificate = name.Certificate
		refused.Remedy = "is the URL right?"
	case errors.As(err, &invalid):
		refused.Certificate = invalid.Cert
		refused.explainInvalid(invalid)
	case errors.As(err, &unknown):
		refused.explainUnknown(sent, h.cfg.roots != nil)
	}
	return refused
}

func (e *CertificateError) explainInvalid(invalid x509.CertificateInvalidError) {
	if invalid.Reason != x509.Expired {
		return
	}
	now := time.Now()
	if now.Before(invalid.Cert.NotBefore) {
		e.What = "not valid before " + invalid.Cert.NotBefore.Format(time.RFC3339)
	} else {
		e.What = "expired on " + invalid.Cert.NotAfter.Format(time.RFC3339)
	}
	e.Remedy = "this computer's clock says " + now.UTC().Format(time.RFC3339)
}

// explainUnknown finds out why no chain leads to a root.
func (e *CertificateError) explainUnknown(sent []*x509.Certificate, ownRoots bool) {
	for i, c := range sent {
		selfSigned := string(c.RawIssuer) == string(c.RawSubject) // then its signature does not matter
		switch {
		case weakSignature(c) && !selfSigned:
			e.Certificate, e.What = c, "signed with "+c.SignatureAlgorithm.String()+", which is no longer secure"
			return
		case i > 0 && !c.IsCA && string(c.RawSubject) == string(sent[i-1].RawIssuer):
			e.Certificate, e.What = c, "signs another certificate, and is no CA"
			return
		}
	}
	last := sent[len(sent)-1]
	roots := "the system's roots"
	if ownRoots {
		roots = "the given CA certificates"
	}
	e.Remedy = `to trust it, give its CA certificate as verify="ca.pem"`
	switch {
	case len(sent) == 1 && string(last.RawIssuer) == string(last.RawSubject):
		e.What = "self-signed, and not among " + roots
	case string(last.RawIssuer) == string(last.RawSubject):
		e.Certificate, e.What = last, "a root that is not among "+roots
	default:
		e.What = fmt.Sprintf("its issuer %s is neither among %s nor sent by the server", last.Issuer, roots)
	}
}

func weakSignature(c *x509.Certificate) bool {
	switch c.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return true
	}
	return false
}
