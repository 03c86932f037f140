package http2

// inflow is a window that we grant to the peer (RFC 9113 section 5.2).
type inflow struct {
	size  int64 // what it is kept at
	left  int64 // what the peer may still send
	spent int64 // consumed and not granted anew
}

func newInflow(size int64) inflow { return inflow{size: size, left: size} }

// receive counts bytes that came; false: more than were granted.
func (f *inflow) receive(n int) bool {
	f.left -= int64(n)
	return f.left >= 0
}

// consume counts bytes that need no more room and returns the increment to
// announce. It waits for half of the window, as browsers do: fewer frames, and
// the peer never stands still for want of an announcement.
func (f *inflow) consume(n int) uint32 {
	f.spent += int64(n)
	if f.spent <= f.size/2 {
		return 0
	}
	increment := f.spent
	f.left += increment
	f.spent = 0
	return uint32(increment)
}

// consumeConn gives bytes back to the connection's window.
func (c *Conn) consumeConn(n int) {
	c.out = appendWindowUpdate(c.out, 0, c.recv.consume(n))
}

// consumed gives bytes of the stream back to both windows. Nothing more comes
// on a stream that has ended: its own needs none.
func (s *Stream) consumed(n int) {
	s.c.consumeConn(n)
	if !s.remoteClosed && s.err == nil {
		s.c.out = appendWindowUpdate(s.c.out, s.id, s.recv.consume(n))
	}
}
