package envelope

// Kind says which failure an error is. The list is closed: kinds.json in
// testdata/ holds it for both sides, and each kind is one Python exception.
type Kind string

const (
	InvalidURL    Kind = "invalid_url"
	InvalidHeader Kind = "invalid_header"
	InvalidMethod Kind = "invalid_method"
	InvalidOption Kind = "invalid_option" // a value of the configuration: profile, CA file, limits
	InvalidBody   Kind = "invalid_body"   // not the announced length, or conflicting framing fields
	Unrewindable  Kind = "unrewindable"   // must be sent again, cannot be read again

	TotalTimeout   Kind = "total_timeout"
	PoolTimeout    Kind = "pool_timeout"
	ConnectTimeout Kind = "connect_timeout"
	WriteTimeout   Kind = "write_timeout"
	ReadTimeout    Kind = "read_timeout"
	Cancelled      Kind = "cancelled"
	Interrupted    Kind = "interrupted" // the host's signal handler raised

	DNS         Kind = "dns"
	Connect     Kind = "connect" // refused, unreachable
	Blocked     Kind = "blocked" // an address that blockPrivate refuses
	Proxy       Kind = "proxy"   // not reached, or does not lead on
	TLSFailed   Kind = "tls"
	Certificate Kind = "certificate"

	ConnectionClosed Kind = "connection_closed" // closed or reset under the exchange
	StreamReset      Kind = "stream_reset"      // RST_STREAM, GOAWAY
	Protocol         Kind = "protocol"          // the peer broke the rules
	Limit            Kind = "limit"             // the peer sent more than a limit allows
	Incomplete       Kind = "incomplete"        // the body ended early
	Decoding         Kind = "decoding"          // a content coding is broken

	WebSocketHandshake Kind = "websocket_handshake" // what was to be a WebSocket is none
	WebSocketClosed    Kind = "websocket_closed"    // detail: code, reason
	WebSocketInvalid   Kind = "websocket_invalid"   // a close code, a ping or a use that cannot be
	EventStream        Kind = "event_stream"        // the response is no stream of events

	TooManyRedirects Kind = "too_many_redirects"
	RedirectRefused  Kind = "redirect_refused" // scheme, downgrade or malformed Location

	Closed         Kind = "closed"          // the handle is unknown or closed
	InvalidMessage Kind = "invalid_message" // the envelope itself
	Internal       Kind = "internal"        // a fault of ours: detail has the stack
)

// Error ("error") is how every failure travels.
type Error struct {
	Kind    Kind
	Message string
	// Detail: "url" (without userinfo), "method", "delivery" (unsent, sent,
	// answered), "hop", "stack"; of a WebSocket: "code", "reason"; of a proxy: "proxy" (its URL, without userinfo),
	// "status" (of its refusal, where it gave one).
	Detail map[string]string
}

func (e *Error) Error() string { return string(e.Kind) + ": " + e.Message }

// Kinds is the whole list, in the order above.
var Kinds = []Kind{
	InvalidURL, InvalidHeader, InvalidMethod, InvalidOption, InvalidBody, Unrewindable,
	TotalTimeout, PoolTimeout, ConnectTimeout, WriteTimeout, ReadTimeout, Cancelled, Interrupted,
	DNS, Connect, Blocked, Proxy, TLSFailed, Certificate,
	ConnectionClosed, StreamReset, Protocol, Limit, Incomplete, Decoding,
	WebSocketHandshake, WebSocketClosed, WebSocketInvalid, EventStream,
	TooManyRedirects, RedirectRefused,
	Closed, InvalidMessage, Internal,
}
