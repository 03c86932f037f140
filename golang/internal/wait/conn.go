package wait

import "net"

// Conn is a connection whose waits obey the exchange that uses it at the time.
// Reading and writing are bound apart, because exchanges share an HTTP/2
// connection: one reads for all while others write. The zero binding waits for
// ever.
type Conn interface {
	net.Conn
	SetReadContext(*Context)
	SetWriteContext(*Context)
}
