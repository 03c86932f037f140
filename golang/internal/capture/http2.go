package capture

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	maxFrames    = 1024 // of a connection, for the report
	maxData      = 256  // bytes of a DATA frame's payload, for the report
	maxStreams   = 1000 // that wait for their end at once
	frameHeader  = 9
	maxFrameSize = 16384 // every peer takes frames of this size (RFC 9113 section 4.2)
	firstWindow  = 65535 // RFC 9113 section 6.9.2
	// ourWindow has room for any body that a page sends: how a client cuts one into
	// frames is to be seen, not how quickly it is given room.
	ourWindow = 1 << 20
)

// Frame is one HTTP/2 frame that the client sent.
type Frame struct {
	Type    string `json:"type"`
	Flags   byte   `json:"flags"`
	Stream  uint32 `json:"stream"`
	Length  uint32 `json:"length"`
	Payload Hex    `json:"payload"` // DATA: its first 256 bytes
}

// conn2 speaks HTTP/2. One goroutine reads frames and answers them in turn.
type conn2 struct {
	seen    *connection
	in      io.Reader
	out     *bufio.Writer
	read    bytes.Buffer // the bytes of the frame that was read last
	framer  *http2.Framer
	decoder *hpack.Decoder

	streams    map[uint32]*stream
	last       uint32 // the highest stream that the client opened
	window     int64  // what the client lets us send on the connection
	peerWindow int64  // and, to begin with, on each stream
}

type stream struct {
	request Request
	head    int    // bytes of its header blocks so far
	opened  bool   // its first header block is complete: the next are trailers
	ended   bool   // by the client
	rest    []byte // of the answer
	window  int64
}

func newConn2(conn io.ReadWriter, seen *connection) *conn2 {
	c := &conn2{
		seen: seen, in: bufio.NewReader(conn), out: bufio.NewWriter(conn),
		decoder: hpack.NewDecoder(4096, nil),
		streams: make(map[uint32]*stream), window: firstWindow, peerWindow: firstWindow,
	}
	// The Framer reads a frame and nothing beyond, so read holds its very bytes.
	c.framer = http2.NewFramer(c.out, io.TeeReader(c.in, &c.read))
	return c
}

func (c *conn2) serve() error {
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(c.in, preface); err != nil {
		return err
	}
	if string(preface) != http2.ClientPreface {
		return fmt.Errorf("HTTP/2 preface is %q", preface)
	}
	if err := c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: ourWindow}); err != nil {
		return err
	}
	if err := c.framer.WriteWindowUpdate(0, ourWindow-firstWindow); err != nil {
		return err
	}
	for {
		if err := c.out.Flush(); err != nil {
			return err
		}
		c.read.Reset()
		frame, err := c.framer.ReadFrame()
		if err != nil {
			return err
		}
		c.record(frame.Header())
		if err := c.handle(frame); err != nil {
			return err
		}
	}
}

func (c *conn2) record(header http2.FrameHeader) {
	if len(c.seen.frames) == maxFrames {
		return
	}
	payload := c.read.Bytes()[frameHeader:]
	if header.Type == http2.FrameData {
		payload = payload[:min(len(payload), maxData)]
	}
	c.seen.frames = append(c.seen.frames, Frame{
		Type: header.Type.String(), Flags: byte(header.Flags), Stream: header.StreamID,
		Length: header.Length, Payload: bytes.Clone(payload),
	})
	c.seen.frameBytes += len(payload) + frameHeader
	c.seen.publish(nil)
}

func (c *conn2) handle(frame http2.Frame) error {
	switch frame := frame.(type) {
	case *http2.SettingsFrame:
		return c.settings(frame)
	case *http2.PingFrame:
		if frame.IsAck() {
			return nil
		}
		return c.framer.WritePing(true, frame.Data)
	case *http2.WindowUpdateFrame:
		return c.grant(frame.StreamID, int64(frame.Increment))
	case *http2.RSTStreamFrame:
		delete(c.streams, frame.StreamID)
	case *http2.HeadersFrame:
		return c.headers(frame)
	case *http2.ContinuationFrame:
		return c.block(frame.StreamID, frame.HeaderBlockFragment(), frame.HeadersEnded())
	case *http2.DataFrame:
		return c.data(frame)
	}
	return nil
}

func (c *conn2) settings(frame *http2.SettingsFrame) error {
	if frame.IsAck() {
		return nil
	}
	if size, ok := frame.Value(http2.SettingInitialWindowSize); ok {
		for _, s := range c.streams {
			s.window += int64(size) - c.peerWindow
		}
		c.peerWindow = int64(size)
	}
	if err := c.framer.WriteSettingsAck(); err != nil {
		return err
	}
	return c.sendAll()
}

func (c *conn2) grant(id uint32, increment int64) error {
	if s := c.streams[id]; s != nil {
		s.window += increment
	} else if id == 0 {
		c.window += increment
	}
	return c.sendAll()
}

func (c *conn2) headers(frame *http2.HeadersFrame) error {
	s := c.streams[frame.StreamID]
	if s == nil {
		// RFC 9113 section 5.1.1
		if frame.StreamID%2 == 0 || frame.StreamID <= c.last {
			return fmt.Errorf("HTTP/2 stream %d opened after stream %d", frame.StreamID, c.last)
		}
		if len(c.streams) == maxStreams {
			return fmt.Errorf("more than %d HTTP/2 streams at once", maxStreams)
		}
		c.last = frame.StreamID
		s = &stream{request: Request{Stream: frame.StreamID}, window: c.peerWindow}
		c.streams[frame.StreamID] = s
	}
	s.ended = frame.StreamEnded()
	return c.block(frame.StreamID, frame.HeaderBlockFragment(), frame.HeadersEnded())
}

// block takes a fragment of a header block; the Framer sees to it that nothing
// comes between two fragments.
func (c *conn2) block(id uint32, fragment []byte, last bool) error {
	s := c.streams[id]
	if s.head += len(fragment); s.head > maxHead {
		return fmt.Errorf("%w: more than %d bytes on HTTP/2 stream %d", errHead, maxHead, id)
	}
	fields := &s.request.Fields
	if s.opened {
		fields = &s.request.Trailers
	} else {
		s.request.Head = append(s.request.Head, fragment...)
	}
	c.decoder.SetEmitFunc(func(field hpack.HeaderField) {
		*fields = append(*fields, Field{latin1([]byte(field.Name)), latin1([]byte(field.Value))})
	})
	if _, err := c.decoder.Write(fragment); err != nil {
		return err
	}
	if !last {
		return nil
	}
	s.opened = true
	if err := c.decoder.Close(); err != nil || !s.ended {
		return err
	}
	return c.reply(s)
}

func (c *conn2) data(frame *http2.DataFrame) error {
	s := c.streams[frame.StreamID]
	if s == nil { // reset, or never opened: its bytes count for the connection all the same
		return c.refill(0, frame.Length)
	}
	s.request.Body.Write(frame.Data())
	if err := c.refill(0, frame.Length); err != nil {
		return err
	}
	if frame.StreamEnded() {
		return c.reply(s)
	}
	return c.refill(frame.StreamID, frame.Length)
}

func (c *conn2) refill(id, n uint32) error {
	if n == 0 {
		return nil
	}
	return c.framer.WriteWindowUpdate(id, n)
}

func (c *conn2) reply(s *stream) error {
	r := &s.request
	r.Method, r.Target = value(r.Fields, ":method"), value(r.Fields, ":path")
	r.Scheme, r.Authority = value(r.Fields, ":scheme"), value(r.Fields, ":authority")
	answer, err := c.seen.answer(r)
	if err != nil {
		return err
	}
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	encoder.SetMaxDynamicTableSize(0) // a table would have to outlive the answer
	encoder.WriteField(hpack.HeaderField{Name: ":status", Value: strconv.Itoa(answer.status)})
	for _, field := range answer.fields {
		encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	if r.Method != "HEAD" {
		s.rest = answer.content
	}
	if answer.ends { // the client takes another connection, and closes this one
		if err := c.framer.WriteGoAway(c.last, http2.ErrCodeNo, nil); err != nil {
			return err
		}
	}
	err = c.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: r.Stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: len(s.rest) == 0,
	})
	if err != nil || len(s.rest) == 0 {
		delete(c.streams, r.Stream)
		return err
	}
	return c.send(s)
}

func (c *conn2) sendAll() error {
	for _, s := range c.streams {
		if err := c.send(s); err != nil {
			return err
		}
	}
	return nil
}

// send writes as much of an answer as the client's windows allow.
func (c *conn2) send(s *stream) error {
	for len(s.rest) > 0 {
		n := min(int64(len(s.rest)), s.window, c.window, maxFrameSize)
		if n <= 0 {
			return nil
		}
		piece := s.rest[:n]
		s.rest, s.window, c.window = s.rest[n:], s.window-n, c.window-n
		if err := c.framer.WriteData(s.request.Stream, len(s.rest) == 0, piece); err != nil {
			return err
		}
		if len(s.rest) == 0 {
			delete(c.streams, s.request.Stream)
		}
	}
	return nil
}
