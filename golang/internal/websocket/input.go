package websocket

// bufferSize is what one TLS record can hold, so that a record is one read.
const bufferSize = 16 << 10

// input is what has come and is not taken yet: buf[r:w].
type input struct {
	buf  []byte
	r, w int
}

func (in *input) len() int         { return in.w - in.r }
func (in *input) buffered() []byte { return in.buf[in.r:in.w] }
func (in *input) consume(n int)    { in.r += n }

// memory is the whole buffer.
func (in *input) memory() []byte {
	if in.buf == nil {
		in.buf = make([]byte, bufferSize)
	}
	return in.buf
}

// room is where the next read goes. What is there has less than a frame header
// and a control frame, or goes to a message before: there always is some.
func (in *input) room() []byte {
	buf := in.memory()
	if in.r > 0 {
		in.w = copy(buf, buf[in.r:in.w])
		in.r = 0
	}
	return buf[in.w:]
}
