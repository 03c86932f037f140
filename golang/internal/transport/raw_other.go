//go:build !unix

package transport

import "github.com/cycletls/cycletls/golang/internal/wait"

// canReadRaw: sockets of net block where they are overlapped.
const canReadRaw = false

func (c *netConn) readRaw([]byte) (int, error) { return 0, wait.ErrWouldBlock }
