package websocket

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"github.com/cycletls/cycletls/golang/internal/message"
)

// Status codes of a closing connection (RFC 6455 section 7.4.1).
const (
	NormalClosure  uint16 = 1000
	GoingAway      uint16 = 1001
	ProtocolFailed uint16 = 1002
	NoStatus       uint16 = 1005 // the peer's Close frame has none
	Abnormal       uint16 = 1006 // no Close frame came
	InvalidData    uint16 = 1007
	TooBig         uint16 = 1009
	InternalError  uint16 = 1011
)

// CloseError is a connection that has been closed, or is about to be.
type CloseError struct {
	Code   uint16
	Reason string
	// Local: this side said so; else it is what the peer said, or 1006.
	Local bool
	Cause error // what made this side close, or lost the connection
}

func (e *CloseError) Error() string {
	who := "the server"
	if e.Local {
		who = "this side"
	}
	text := fmt.Sprintf("WebSocket closed by %s: %d", who, e.Code)
	if e.Code == Abnormal {
		text = "WebSocket connection lost: 1006"
	}
	if e.Reason != "" {
		text += " (" + e.Reason + ")"
	}
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

func (e *CloseError) Unwrap() error { return e.Cause }

// sendable reports whether a code may stand in a Close frame: those that are
// defined for it, and those for libraries and applications (RFC 6455 section
// 7.4.2).
func sendable(code uint16) bool {
	switch code {
	case 1004, NoStatus, Abnormal:
		return false
	}
	return code >= 1000 && code <= 1014 || code >= 3000 && code <= 4999
}

// CodeError is a status code or a reason that no Close frame can carry.
type CodeError struct{ What string }

func (e *CodeError) Error() string { return e.What }

// closePayload is what a Close frame carries; NoStatus is an empty one.
func closePayload(code uint16, reason string) ([]byte, error) {
	switch {
	case code == NoStatus && reason == "":
		return nil, nil
	case !sendable(code):
		return nil, &CodeError{fmt.Sprintf("%d is no code that a WebSocket can be closed with", code)}
	case len(reason) > maxControl-2:
		return nil, &CodeError{fmt.Sprintf("a reason of %d bytes, of which %d can be sent", len(reason), maxControl-2)}
	case !utf8.ValidString(reason):
		return nil, &CodeError{"the reason is not UTF-8"}
	}
	return append(binary.BigEndian.AppendUint16(nil, code), reason...), nil
}

// parseClose reads what a Close frame carries (RFC 6455 section 5.5.1).
func parseClose(p []byte) (*CloseError, *CloseError) {
	if len(p) == 0 {
		return &CloseError{Code: NoStatus}, nil
	}
	if len(p) == 1 {
		return nil, violation("5.5.1", "Close frame with half a status code")
	}
	code, reason := binary.BigEndian.Uint16(p), p[2:]
	switch {
	case !sendable(code):
		return nil, violation("7.4", fmt.Sprintf("Close frame with the status code %d", code))
	case !utf8.Valid(reason):
		return nil, broken(InvalidData, "8.1", "the reason of a Close frame is not UTF-8")
	}
	return &CloseError{Code: code, Reason: string(reason)}, nil
}

// violation is a rule of RFC 6455 that the peer broke.
func violation(section, what string) *CloseError { return broken(ProtocolFailed, section, what) }

func broken(code uint16, section, what string) *CloseError {
	return closing(code, &message.ProtocolError{Protocol: protocol, What: what, Section: "RFC 6455 section " + section})
}

const protocol = "WebSocket"

// closing is a connection that this side ends because of cause.
func closing(code uint16, cause error) *CloseError {
	return &CloseError{Code: code, Local: true, Cause: cause}
}

func tooBig(limit int64) *CloseError {
	return closing(TooBig, &message.LimitError{What: "message", Limit: limit, Unit: "bytes"})
}
