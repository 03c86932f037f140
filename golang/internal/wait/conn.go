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

// Attender is a Duplex in front of which a guest may wait without having looked.
type Attender interface {
	// Attend has a guest woken by what comes from now on. False: something may have
	// come that nobody has seen.
	Attend(ctx *Context) bool
}

// Gatherer is a Duplex whose writes are messages of the layer beneath, TLS records.
type Gatherer interface {
	// Gather has all that write writes leave in one system call, if that can be.
	// It returns what write does, or why the rest leaves with the next write.
	Gather(write func() (int, error)) (int, error)
}

// Conn is a connection of that kind: exchanges share an HTTP/2 connection, where
// one reads for all while others write.
type Conn interface {
	net.Conn
	Duplex
}
