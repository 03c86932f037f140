package http2

import (
	"encoding/binary"

	"golang.org/x/net/http2"
)

// Frames are appended to one buffer, so that what belongs together leaves with
// one write; http2.Framer would write each by itself.

const (
	preface         = http2.ClientPreface
	frameHeaderSize = 9
	// dataSize bounds a DATA frame: no browser sends larger ones, whatever the
	// peer allows.
	dataSize      = 16384
	recordSize    = 16384 // of TLS (RFC 8446 section 5.1): what does not fit is not cut to fit
	maxWindow     = 1<<31 - 1
	defaultWindow = 65535 // RFC 9113 section 6.9.2
	maxStreamID   = 1<<31 - 1
)

func appendFrameHeader(dst []byte, size int, kind http2.FrameType, flags http2.Flags, stream uint32) []byte {
	dst = append(dst, byte(size>>16), byte(size>>8), byte(size), byte(kind), byte(flags))
	return binary.BigEndian.AppendUint32(dst, stream)
}

// appendPreface is how a connection begins (RFC 9113 section 3.4).
func appendPreface(dst []byte, cfg *Config) []byte {
	dst = append(dst, preface...)
	dst = appendFrameHeader(dst, 6*len(cfg.Settings), http2.FrameSettings, 0, 0)
	for _, s := range cfg.Settings {
		dst = binary.BigEndian.AppendUint16(dst, s.ID)
		dst = binary.BigEndian.AppendUint32(dst, s.Value)
	}
	dst = appendWindowUpdate(dst, 0, cfg.WindowUpdate)
	for _, p := range cfg.Priorities {
		dst = appendFrameHeader(dst, prioritySize, http2.FramePriority, 0, p.StreamID)
		dst = appendPriority(dst, p.Priority)
	}
	return dst
}

func appendWindowUpdate(dst []byte, stream, increment uint32) []byte {
	if increment == 0 {
		return dst
	}
	dst = appendFrameHeader(dst, 4, http2.FrameWindowUpdate, 0, stream)
	return binary.BigEndian.AppendUint32(dst, increment)
}

const prioritySize = 5

func appendPriority(dst []byte, p Priority) []byte {
	dep := p.Dep
	if p.Exclusive {
		dep |= 1 << 31
	}
	dst = binary.BigEndian.AppendUint32(dst, dep)
	return append(dst, byte(p.Weight-1))
}

// appendHeaders cuts a header block into HEADERS and CONTINUATION frames.
func appendHeaders(dst []byte, stream uint32, block []byte, end bool, priority *Priority, maxFrame int) []byte {
	var flags http2.Flags
	room := maxFrame
	if end {
		flags |= http2.FlagHeadersEndStream
	}
	if priority != nil {
		flags |= http2.FlagHeadersPriority
		room -= prioritySize
	}
	first := min(len(block), room)
	if first == len(block) {
		flags |= http2.FlagHeadersEndHeaders
	}
	dst = appendFrameHeader(dst, first+maxFrame-room, http2.FrameHeaders, flags, stream)
	if priority != nil {
		dst = appendPriority(dst, *priority)
	}
	dst = append(dst, block[:first]...)
	return appendContinuations(dst, stream, block[first:], maxFrame)
}

func appendContinuations(dst []byte, stream uint32, block []byte, maxFrame int) []byte {
	for len(block) > 0 {
		size := min(len(block), maxFrame)
		var flags http2.Flags
		if size == len(block) {
			flags = http2.FlagContinuationEndHeaders
		}
		dst = appendFrameHeader(dst, size, http2.FrameContinuation, flags, stream)
		dst = append(dst, block[:size]...)
		block = block[size:]
	}
	return dst
}

func appendData(dst []byte, stream uint32, data []byte, end bool) []byte {
	var flags http2.Flags
	if end {
		flags = http2.FlagDataEndStream
	}
	dst = appendFrameHeader(dst, len(data), http2.FrameData, flags, stream)
	return append(dst, data...)
}

func appendReset(dst []byte, stream uint32, code http2.ErrCode) []byte {
	dst = appendFrameHeader(dst, 4, http2.FrameRSTStream, 0, stream)
	return binary.BigEndian.AppendUint32(dst, uint32(code))
}

func appendSettingsAck(dst []byte) []byte {
	return appendFrameHeader(dst, 0, http2.FrameSettings, http2.FlagSettingsAck, 0)
}

func appendPingAck(dst []byte, data [8]byte) []byte {
	dst = appendFrameHeader(dst, len(data), http2.FramePing, http2.FlagPingAck, 0)
	return append(dst, data[:]...)
}

// appendGoAway names no stream: this client accepts none of the server's.
func appendGoAway(dst []byte, code http2.ErrCode) []byte {
	dst = appendFrameHeader(dst, 8, http2.FrameGoAway, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, 0)
	return binary.BigEndian.AppendUint32(dst, uint32(code))
}
