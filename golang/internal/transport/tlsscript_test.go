package transport

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"testing"

	"golang.org/x/crypto/cryptobyte"

	"github.com/cycletls/cycletls/golang/internal/wait/waittest"
)

// script is a TLS 1.3 server that does what crypto/tls refuses to do. It knows
// one group (X25519) and one suite (TLS_AES_128_GCM_SHA256).
type script struct {
	certificate tls.Certificate
	signer      crypto.Signer // signs the handshake; nil: the certificate's key

	encryptedExtensions []byte                       // content of the message's list
	entryExtensions     []byte                       // of the leaf in the Certificate message
	compress            func(message []byte) []byte  // makes a CompressedCertificate message
	beforeKeys          []byte                       // follows ServerHello in its record
	beforeTraffic       []byte                       // follows Finished in its record
	expect              []byte                       // message of the client in front of its Finished
	after               func(conn *scriptConn) error // once the client's Finished is there
}

// scriptConn is the server's end of a connection.
type scriptConn struct {
	*waittest.Conn
	transcript []byte
	in, out    halfScript
	seen       []int // sizes of the client's protected records, in plaintext
}

// halfScript protects one direction.
type halfScript struct {
	secret   []byte
	aead     cipher.AEAD
	iv       []byte
	sequence uint64
}

// run answers one connection.
func (s *script) run(raw *waittest.Conn) error {
	c := &scriptConn{Conn: raw}
	share, session, err := c.readHello()
	if err != nil {
		return err
	}
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	peer, err := ecdh.X25519().NewPublicKey(share)
	if err != nil {
		return err
	}
	shared, err := key.ECDH(peer)
	if err != nil {
		return err
	}
	hello := serverHello13(session, key.PublicKey().Bytes())
	c.transcript = append(c.transcript, hello...)
	writeRecord(c, 22, append(hello, s.beforeKeys...))
	master := c.handshakeKeys(shared)
	if err := s.flight(c); err != nil {
		return err
	}
	return s.finish(c, master)
}

// flight sends EncryptedExtensions, Certificate, CertificateVerify, Finished.
func (s *script) flight(c *scriptConn) error {
	c.send(handshakeMessage(8, prefixed(2, s.encryptedExtensions)))
	certificate := handshakeMessage(11, certificateBody(s.certificate.Certificate, s.entryExtensions))
	if s.compress != nil {
		certificate = s.compress(certificate)
	}
	c.send(certificate)
	signer := s.signer
	if signer == nil {
		signer = s.certificate.PrivateKey.(crypto.Signer)
	}
	signature, err := signECDSA(signer, "TLS 1.3, server CertificateVerify\x00", digest(c.transcript))
	if err != nil {
		return err
	}
	c.send(handshakeMessage(15, append([]byte{4, 3}, prefixed(2, signature)...)))
	c.send(handshakeMessage(20, finished(c.out.secret, c.transcript)), s.beforeTraffic)
	return nil
}

// finish changes to the keys of the traffic and reads the client's Finished.
func (s *script) finish(c *scriptConn, master []byte) error {
	client := expand(master, "c ap traffic", digest(c.transcript), 32)
	server := expand(master, "s ap traffic", digest(c.transcript), 32)
	c.out.rekey(server)
	message, err := c.receive()
	if s.expect != nil && err == nil {
		if !bytes.Equal(message, s.expect) {
			return fmt.Errorf("%x where %x belongs", message, s.expect)
		}
		message, err = c.receive()
	}
	if err != nil {
		return err
	}
	if message[0] != 20 {
		return fmt.Errorf("%x where Finished belongs", message)
	}
	c.in.rekey(client)
	if s.after == nil {
		return nil
	}
	return s.after(c)
}

// readHello returns the X25519 share and the session id.
func (c *scriptConn) readHello() (share, session []byte, err error) {
	hello := readRecord(c)
	c.transcript = append(c.transcript, hello...)
	body := cryptobyte.String(hello)
	var id, ignored, extensions cryptobyte.String
	if !body.Skip(4+2+32) || !body.ReadUint8LengthPrefixed(&id) || !body.ReadUint16LengthPrefixed(&ignored) ||
		!body.ReadUint8LengthPrefixed(&ignored) || !body.ReadUint16LengthPrefixed(&extensions) {
		return nil, nil, errors.New("malformed ClientHello")
	}
	for !extensions.Empty() {
		var code uint16
		var content, shares cryptobyte.String
		if !extensions.ReadUint16(&code) || !extensions.ReadUint16LengthPrefixed(&content) {
			return nil, nil, errors.New("malformed extension")
		}
		if code != 51 || !content.ReadUint16LengthPrefixed(&shares) {
			continue
		}
		for !shares.Empty() {
			var group uint16
			var key cryptobyte.String
			if shares.ReadUint16(&group) && shares.ReadUint16LengthPrefixed(&key) && group == 29 {
				return key, id, nil
			}
		}
	}
	return nil, nil, errors.New("no X25519 share")
}

// handshakeKeys derives the keys of the handshake (RFC 8446 section 7.1) and
// returns the master secret.
func (c *scriptConn) handshakeKeys(shared []byte) []byte {
	zeros := make([]byte, 32)
	early := extract(zeros, nil)
	handshake := extract(shared, expand(early, "derived", digest(nil), 32))
	c.in.rekey(expand(handshake, "c hs traffic", digest(c.transcript), 32))
	c.out.rekey(expand(handshake, "s hs traffic", digest(c.transcript), 32))
	return extract(zeros, expand(handshake, "derived", digest(nil), 32))
}

// send protects a handshake message, and what follows it in its record; parts
// of more than a record go in several.
func (c *scriptConn) send(message []byte, followedBy ...[]byte) {
	c.transcript = append(c.transcript, message...)
	for _, more := range followedBy {
		message = append(message, more...)
	}
	c.sendAs(22, message)
}

func (c *scriptConn) sendAs(kind byte, content []byte) {
	for len(content) > 0 {
		n := min(len(content), 1<<14)
		writeRecord(c, 23, c.out.seal(append(append([]byte(nil), content[:n]...), kind)))
		content = content[n:]
	}
}

// receive returns the plaintext of the client's next protected record, without
// its type.
func (c *scriptConn) receive() ([]byte, error) {
	for {
		header := make([]byte, 5)
		if _, err := io.ReadFull(c, header); err != nil {
			return nil, err
		}
		body := make([]byte, binary.BigEndian.Uint16(header[3:]))
		if _, err := io.ReadFull(c, body); err != nil {
			return nil, err
		}
		if header[0] != 23 { // change_cipher_spec for middleboxes, or an alert in clear
			if header[0] == 21 {
				return nil, errors.New("alert")
			}
			continue
		}
		content, err := c.in.open(header, body)
		if err != nil {
			return nil, err
		}
		c.seen = append(c.seen, len(content))
		if content[len(content)-1] == 21 {
			return nil, errors.New("alert")
		}
		return content[:len(content)-1], nil
	}
}

func (h *halfScript) rekey(secret []byte) {
	block, err := aes.NewCipher(expand(secret, "key", nil, 16))
	if err != nil {
		panic(err)
	}
	if h.aead, err = cipher.NewGCM(block); err != nil {
		panic(err)
	}
	h.secret, h.iv, h.sequence = secret, expand(secret, "iv", nil, 12), 0
}

func (h *halfScript) nonce() []byte {
	nonce := append([]byte(nil), h.iv...)
	for i := range 8 {
		nonce[11-i] ^= byte(h.sequence >> (8 * i))
	}
	h.sequence++
	return nonce
}

func (h *halfScript) seal(plain []byte) []byte {
	header := []byte{23, 3, 3, 0, 0}
	binary.BigEndian.PutUint16(header[3:], uint16(len(plain)+16))
	return h.aead.Seal(nil, h.nonce(), plain, header)
}

func (h *halfScript) open(header, body []byte) ([]byte, error) {
	return h.aead.Open(nil, h.nonce(), body, header)
}

func extract(secret, salt []byte) []byte {
	key, err := hkdf.Extract(sha256.New, secret, salt)
	if err != nil {
		panic(err)
	}
	return key
}

// expand is HKDF-Expand-Label.
func expand(secret []byte, label string, context []byte, length int) []byte {
	info := binary.BigEndian.AppendUint16(nil, uint16(length))
	info = append(info, prefixed(1, []byte("tls13 "+label))...)
	info = append(info, prefixed(1, context)...)
	key, err := hkdf.Expand(sha256.New, secret, string(info), length)
	if err != nil {
		panic(err)
	}
	return key
}

func digest(transcript []byte) []byte {
	sum := sha256.Sum256(transcript)
	return sum[:]
}

func finished(secret, transcript []byte) []byte {
	mac := hmac.New(sha256.New, expand(secret, "finished", nil, 32))
	mac.Write(digest(transcript))
	return mac.Sum(nil)
}

// signECDSA signs what the server has to sign (RFC 8446 section 4.4.3).
func signECDSA(signer crypto.Signer, context string, content []byte) ([]byte, error) {
	message := make([]byte, 64, 256)
	for i := range message {
		message[i] = ' '
	}
	message = append(append(message, context...), content...)
	return signer.Sign(rand.Reader, digest(message), crypto.SHA256)
}

// prefixed puts the length of content in front of it, in so many bytes.
func prefixed(bytes int, content []byte) []byte {
	length := make([]byte, 8)
	binary.BigEndian.PutUint64(length, uint64(len(content)))
	return append(length[8-bytes:], content...)
}

func handshakeMessage(kind byte, body []byte) []byte {
	return append([]byte{kind}, prefixed(3, body)...)
}

func extension(code uint16, content []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, code), prefixed(2, content)...)
}

func certificateBody(chain [][]byte, leafExtensions []byte) []byte {
	var entries []byte
	for i, der := range chain {
		entries = append(entries, prefixed(3, der)...)
		if i > 0 {
			leafExtensions = nil
		}
		entries = append(entries, prefixed(2, leafExtensions)...)
	}
	return append([]byte{0}, prefixed(3, entries)...)
}

func serverHello13(session, share []byte) []byte {
	random := make([]byte, 32)
	rand.Read(random)
	body := append([]byte{3, 3}, random...)
	body = append(body, prefixed(1, session)...)
	body = append(body, 0x13, 0x01, 0)
	extensions := append(extension(43, []byte{3, 4}), extension(51, append([]byte{0, 29}, prefixed(2, share)...))...)
	return handshakeMessage(2, append(body, prefixed(2, extensions)...))
}

// serverHello12 chooses TLS 1.2 and a suite that all profiles offer.
func serverHello12(random []byte) []byte {
	return handshakeMessage(2, append(append([]byte{3, 3}, random...), 0, 0xc0, 0x2f, 0))
}

func writeRecord(w io.Writer, kind byte, content []byte) {
	w.Write(append([]byte{kind, 3, 3}, prefixed(2, content)...))
}

// readRecord returns the content of the next record, nil at the end.
func readRecord(r io.Reader) []byte {
	header := make([]byte, 5)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil
	}
	content := make([]byte, binary.BigEndian.Uint16(header[3:]))
	if _, err := io.ReadFull(r, content); err != nil {
		return nil
	}
	return content
}

// meet shakes hands with a script.
func (s *script) meet(t *testing.T, h *handshaker) (*tlsConn, <-chan error, error) {
	t.Helper()
	client, server := waittest.Pipe()
	t.Cleanup(func() { client.Close() })
	done := make(chan error, 1)
	go func() {
		defer server.Close()
		done <- s.run(server)
	}()
	conn, _, err := h.handshake(patient(), client, Origin{Host: "localhost", Port: 443})
	return conn, done, err
}
