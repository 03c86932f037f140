package wait

import (
	"io"
	"net"
)

// Duplex is a stream of bytes each way whose waits obey the exchange that uses
// that way at the time: reading and writing are bound apart, so that one
// goroutine can read while another writes. The zero binding waits for ever.
type Duplex interface {
	io.ReadWriteCloser
	SetReadContext(*Context)
	SetWriteContext(*Context)
}

// Watchable is a Duplex that somebody else can wait for.
type Watchable interface {
	Duplex
	// Watch returns a new descriptor, the caller's own, that is readable when there
	// may be something to read with Now, and when the connection has ended. Nobody
	// may read or write meanwhile. It works once.
	Watch() (descriptor int, err error)
}

// Conn is a connection of that kind: exchanges share an HTTP/2 connection, where
// one reads for all while others write.
type Conn interface {
	net.Conn
	Duplex
}
