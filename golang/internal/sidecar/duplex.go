package sidecar

import (
	"errors"
	"net"
	"os"
	"time"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

// duplex is a connection with a client beneath its WebSocket. Reads end when it is
// closed; writes obey their context's limit, which is set when it is bound.
type duplex struct{ net.Conn }

var _ wait.Duplex = (*duplex)(nil)

// glance is how long a write may take that must not wait: a deadline that has passed
// would keep it from beginning.
const glance = time.Millisecond

func (*duplex) SetReadContext(*wait.Context) {}

func (d *duplex) SetWriteContext(ctx *wait.Context) {
	until, _ := ctx.Until(wait.Write)
	if ctx.Never() {
		until = time.Now().Add(glance)
	}
	_ = d.SetWriteDeadline(until)
}

func (d *duplex) Write(p []byte) (int, error) {
	n, err := d.Conn.Write(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = wait.ErrWouldBlock
	}
	return n, err
}
