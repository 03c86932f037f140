//go:build !linux

package transport

import (
	"net"
	"net/netip"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

func (d *dialer) attempts(int) attempts { return newPortableAttempts(d.local) }

func adopt(conn net.Conn, _ netip.AddrPort) (wait.Conn, error) { return newNetConn(conn), nil }
