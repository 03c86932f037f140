package transport

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/cycletls/cycletls/golang/internal/fault"
)

// portableAttempts are connects of net.Dialer, one goroutine each.
type portableAttempts struct {
	dialer net.Dialer
	ctx    context.Context
	cancel context.CancelFunc
	under  int
	ended  chan result // unbuffered: a result that nobody takes is closed
}

func newPortableAttempts(local netip.Addr) *portableAttempts {
	a := &portableAttempts{ended: make(chan result)}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	a.dialer.KeepAliveConfig = net.KeepAliveConfig{Enable: true, Idle: keepAlive, Interval: keepAlive}
	if local.IsValid() {
		a.dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
	return a
}

func (a *portableAttempts) pending() int { return a.under }

func (a *portableAttempts) start(target netip.AddrPort) error {
	a.under++
	go func() {
		r := a.connect(target)
		select {
		case a.ended <- r:
		case <-a.ctx.Done():
			if r.conn != nil {
				_ = r.conn.Close()
			}
		}
	}()
	return nil
}

func (a *portableAttempts) connect(target netip.AddrPort) (r result) {
	r.Address = target
	defer fault.Catch(&r.Err)
	conn, err := a.dialer.DialContext(a.ctx, "tcp", target.String())
	if err != nil {
		r.Err = err
		return r
	}
	r.conn, r.Err = adopt(conn, target)
	return r
}

func (a *portableAttempts) wait(limit time.Duration) (result, bool) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case r := <-a.ended:
		a.under--
		return r, true
	case <-timer.C:
		return result{}, false
	}
}

func (a *portableAttempts) abandon() { a.cancel() }
