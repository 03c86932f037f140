package http1

import (
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// Connect sends a CONNECT request (RFC 9110 section 9.3.6) over c and returns
// the head of the final reply. When that is a success, c is the tunnel, and
// nothing of what comes through it has been read; else c is of no more use. The
// caller closes it.
func Connect(ctx *wait.Context, c wait.Conn, cfg Config, req *message.Request) (*message.Response, error) {
	conn := NewConn(c, cfg)
	opened, err := conn.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.detach()
	if err := opened.WriteHead(req); err != nil {
		return nil, err
	}
	head, err := opened.ReadHead()
	if err != nil {
		return nil, err
	}
	if head.Status/100 == 2 && conn.in.buffered() > 0 {
		return nil, errEarly
	}
	return head, nil
}

// errEarly: the client speaks first in whatever goes through a tunnel of ours,
// so bytes behind the reply are not the origin's.
var errEarly error = &message.ProtocolError{
	Protocol: "HTTP/1.1",
	What:     "bytes follow the reply to CONNECT before anything was sent",
	Section:  "RFC 9110 section 9.3.6",
}
