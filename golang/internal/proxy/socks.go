package proxy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
)

// SOCKS 4 and 4a are two notes of 1992 and later (socks4.protocol,
// socks4a.protocol), SOCKS 5 is RFC 1928, its user and password RFC 1929. Each
// reply is read to its last byte and not further: what follows is the origin's.

const (
	connectCommand = 1

	socks4Version = 4
	socks4Granted = 0x5a

	socks5Version     = 5
	noAuthentication  = 0
	byPassword        = 2
	noneAcceptable    = 0xff
	passwordVersion   = 1
	socks5Succeeded   = 0
	addressIPv4       = 1
	addressName       = 3
	addressIPv6       = 4
	longestSOCKS5Name = 255
)

var socks4Refusals = map[byte]string{
	0x5b: "request rejected or failed",
	0x5c: "it cannot reach identd on this side",
	0x5d: "identd on this side names another user",
}

var socks5Refusals = map[byte]string{
	1: "general failure",
	2: "not allowed by its rules",
	3: "network unreachable",
	4: "host unreachable",
	5: "connection refused",
	6: "TTL expired",
	7: "command not supported",
	8: "address type not supported",
}

// refusal names what a proxy answered.
func refusal(names map[byte]string, code byte) error {
	name, ok := names[code]
	if !ok {
		name = fmt.Sprintf("unknown code %d", code)
	}
	return errors.New("refused: " + name)
}

// socks4 asks a SOCKS 4 or 4a proxy.
func (p *Proxy) socks4(conn io.ReadWriter, to Destination) error {
	request := binary.BigEndian.AppendUint16([]byte{socks4Version, connectCommand}, to.Port)
	switch addr := to.address(); {
	case addr.Is4():
		request = append(append(append(request, addr.AsSlice()...), p.User...), 0)
	case addr.IsValid():
		return fmt.Errorf("%s cannot lead to the IPv6 address %s", p.Scheme, addr)
	default: // an address that cannot be says: a name follows (4a)
		request = append(append(append(request, 0, 0, 0, 1), p.User...), 0)
		request = append(append(request, to.Host...), 0)
	}
	if _, err := conn.Write(request); err != nil {
		return err
	}
	return readSOCKS4Reply(conn)
}

func readSOCKS4Reply(r io.Reader) error {
	var reply [8]byte
	if err := readFull(r, reply[:]); err != nil {
		return err
	}
	switch {
	case reply[0] != 0:
		return notSOCKS(socks4Version, reply[0])
	case reply[1] != socks4Granted:
		return refusal(socks4Refusals, reply[1])
	}
	return nil
}

// socks5 asks a SOCKS 5 proxy.
func (p *Proxy) socks5(conn io.ReadWriter, to Destination) error {
	if err := p.greet(conn); err != nil {
		return err
	}
	request := []byte{socks5Version, connectCommand, 0}
	switch addr := to.address(); {
	case addr.Is4():
		request = append(append(request, addressIPv4), addr.AsSlice()...)
	case addr.Is6():
		request = append(append(request, addressIPv6), addr.AsSlice()...)
	case len(to.Host) > longestSOCKS5Name: // CVE-2023-38545: never cut, never looked up here instead
		return fmt.Errorf("a host of %d bytes where SOCKS 5 has room for %d", len(to.Host), longestSOCKS5Name)
	default:
		request = append(append(request, addressName, byte(len(to.Host))), to.Host...)
	}
	if _, err := conn.Write(binary.BigEndian.AppendUint16(request, to.Port)); err != nil {
		return err
	}
	return readSOCKS5Reply(conn)
}

// greet agrees on how to authenticate, and does.
func (p *Proxy) greet(conn io.ReadWriter) error {
	greeting := []byte{socks5Version, 1, noAuthentication}
	if p.HasUser {
		greeting = []byte{socks5Version, 2, noAuthentication, byPassword}
	}
	if _, err := conn.Write(greeting); err != nil {
		return err
	}
	var choice [2]byte
	if err := readFull(conn, choice[:]); err != nil {
		return err
	}
	switch method := choice[1]; {
	case choice[0] != socks5Version:
		return notSOCKS(socks5Version, choice[0])
	case method == noAuthentication:
		return nil
	case method == byPassword && p.HasUser:
		return p.authenticate(conn)
	case method == noneAcceptable && !p.HasUser:
		return errors.New("it wants a user and a password, which go into its URL: " + p.Scheme + "://user:password@…")
	case method == noneAcceptable:
		return errors.New("it accepts neither user and password nor nobody")
	default:
		return fmt.Errorf("it chose authentication method %d, which was not offered", method)
	}
}

func (p *Proxy) authenticate(conn io.ReadWriter) error {
	request := append([]byte{passwordVersion, byte(len(p.User))}, p.User...)
	request = append(append(request, byte(len(p.Password))), p.Password...)
	if _, err := conn.Write(request); err != nil {
		return err
	}
	var reply [2]byte
	if err := readFull(conn, reply[:]); err != nil {
		return err
	}
	if reply[1] != 0 {
		return errors.New("it does not accept the user and the password")
	}
	return nil
}

// readSOCKS5Reply reads the reply with the address that it is bound to, which
// nobody needs.
func readSOCKS5Reply(r io.Reader) error {
	var head [4]byte
	if err := readFull(r, head[:]); err != nil {
		return err
	}
	switch {
	case head[0] != socks5Version:
		return notSOCKS(socks5Version, head[0])
	case head[1] != socks5Succeeded:
		return refusal(socks5Refusals, head[1])
	}
	size := 2 // of the port
	switch head[3] {
	case addressIPv4:
		size += 4
	case addressIPv6:
		size += 16
	case addressName:
		var length [1]byte
		if err := readFull(r, length[:]); err != nil {
			return err
		}
		size += int(length[0])
	default:
		return fmt.Errorf("its reply has an address of the unknown type %d", head[3])
	}
	var bound [2 + longestSOCKS5Name]byte
	return readFull(r, bound[:size])
}

func notSOCKS(version int, got byte) error {
	return fmt.Errorf("what it answers is not SOCKS %d: the first byte is %#02x", version, got)
}

// readFull tells an end from a connection that broke.
func readFull(r io.Reader, p []byte) error {
	_, err := io.ReadFull(r, p)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errors.New("it closed the connection during the handshake")
	}
	return err
}

// address returns the destination's address; invalid where only the name is
// known.
func (to *Destination) address() netip.Addr {
	if to.Addr.IsValid() {
		return to.Addr.Unmap()
	}
	addr, _ := netip.ParseAddr(to.Host) // a name is no error
	return addr.Unmap()
}
