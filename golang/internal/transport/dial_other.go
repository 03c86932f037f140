//go:build !linux

package transport

func (d *dialer) attempts(int) attempts { return newPortableAttempts(d.local) }
