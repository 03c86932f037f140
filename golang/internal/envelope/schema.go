// Package envelope is the one message schema between the core and whoever
// drives it: Python through the C boundary, or a sidecar's client.
// Every message is a msgpack map with a "type"; names are CycleTLS' own
// (camelCase), durations are milliseconds, headers are ordered [name, value]
// pairs. An unknown field is an error. cycletls/_envelope.py is the other half;
// testdata/ holds the golden messages that both test suites read.
package envelope

import (
	"time"

	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// Session ("session") makes a session: everything that stays the same from
// request to request. It crosses once.
type Session struct {
	Identity
	UserAgent  string // replaces the profile's
	ServerName string // SNI and the name that is verified, instead of the URL's host

	InsecureSkipVerify bool
	CAFile             string // file or folder of PEM certificates; "" = the system's roots
	CertFile, KeyFile  string // client certificate (PEM); KeyFile "" = in CertFile
	KeyPassword        string
	MinTLS             uint16 // 0x0303 or 0x0304
	KeyLogFile         string // NSS key log (SSLKEYLOGFILE)

	ForceHTTP1  bool
	Headers     []HeaderChange // with every request, unless it says otherwise
	HeaderOrder []string

	Timeouts  Timeouts
	Redirects Redirects

	Resolve               map[string]string // host → address, instead of a look-up
	BlockPrivate          bool              // refuse loopback, private and link-local addresses
	LocalAddress          string            // address to dial from
	Proxies               []ProxyRule       // the most particular that matches a URL holds
	NoProxy               string            // exceptions, in the manner of NO_PROXY
	EnableConnectionReuse bool
	MaxConnections        int // open connections at once, 0 = no limit
	MaxConnectionsPerHost int
	MaxIdleConnections    int // 0 = none are kept
	IdleTimeout           time.Duration

	// Async: its exchanges run in the background (Submit), so that their waits
	// belong to Go's network poller instead of a thread.
	Async bool

	MaxHeaderBytes   int64   // header block of a response
	MaxInformational int     // 1xx responses before the final one
	MaxExpansion     float64 // decoded : received bytes, for what decodes to a lot
	MaxBodyBytes     int64   // body read into memory, decoded; 0 = no limit

	CookieJar uint64 // handle of a session whose cookies this one shares; 0 = its own
}

// Identity is whose wire image to take: a profile, with notations that replace
// parts of it.
type Identity struct {
	Profile          string   // its JSON document; "" = the closest of Bases
	Bases            []string // documents of which the closest lends what JA3 or JA4R leave out
	JA3              string   // replaces the ClientHello
	JA4R             string   // likewise: JA4_r, JA4_ro, or the hash of a profile
	HTTP2Fingerprint string   // replaces the opening of HTTP/2: Akamai's notation
	DisableGREASE    bool     // leaves GREASE out of the ClientHello
}

// ProxyRule says which proxy some URLs are reached through: see package proxy.
type ProxyRule struct {
	Match  string // "http", "https" or "all", or one of these with "://host[:port]"
	URL    string // "" = directly
	Option string // who says so, for errors
}

// Timeouts by what is waited for; 0 = none. Those of a request replace the
// session's, all of them.
type Timeouts struct {
	Total, Pool, Connect, Write, Read time.Duration
}

// Limits returns them by phase.
func (t Timeouts) Limits() wait.Limits {
	return wait.Limits{wait.Total: t.Total, wait.Pool: t.Pool, wait.Connect: t.Connect, wait.Write: t.Write, wait.Read: t.Read}
}

// Redirects says which redirects are followed.
type Redirects struct {
	Follow         bool
	Max            int
	AllowDowngrade bool // https → http
}

// Request ("request") is one exchange of a session. What is nil is as the session
// says.
type Request struct {
	Method  string
	URL     string
	Params  message.Fields // appended to the URL's query, encoded here
	Headers []HeaderChange // the caller's, in order
	Cookies message.Fields // sent with this request only
	Auth    *BasicAuth
	// OwnCookies: what is set on the way is forgotten with the exchange.
	OwnCookies bool
	Jar        uint64 // handle of a jar that stands in for the session's; 0 = none
	Cancel     uint64 // handle of a token that may end the exchange; 0 = none
	// Streamed: the body is for whoever reads it, as it comes.
	Streamed bool
	Kind     string // "navigate", "fetch", …: which of the profile's header sets; "" = by method

	WebSocket *WebSocket // it opens one; nil: it does not
	Events    *Events    // its response is a stream of events, to be gone on with; nil: it is a response

	Body           *Body         // nil: none
	ExpectContinue time.Duration // 0 = do not ask

	Timeouts  *Timeouts
	Redirects *Redirects
	// Undecoded leaves content codings on.
	Undecoded bool
	// ManualRedirects: hand redirects back prepared, do not follow (hooks).
	ManualRedirects bool
	// Hops already followed by the driver, so that limits hold across them.
	Hops int
	// Foreign: one of those hops has crossed an origin, for good.
	Foreign     bool
	HeaderOrder []string
}

// Body tells of the body that comes beside a request, or after it in pieces.
type Body struct {
	// Length is what will be sent; message.UnknownLength where only the last
	// piece tells. Beside a request it is the size of the buffer given.
	Length     int64
	Streamed   bool // in pieces (write), not beside the message
	Replayable bool // a streamed body can be sent anew from its beginning
	// ContentType is used where the caller's headers have none.
	ContentType string
}

// WebSocket is what a request wants to open. What then goes to and fro are messages
// of their own verbs.
type WebSocket struct {
	Subprotocols    []string
	Compression     bool
	MaxMessageBytes int64 // 0 = no limit
	// PingInterval is between two pings of ours, PingTimeout how long the server may
	// be silent after one; 0 = none.
	PingInterval, PingTimeout time.Duration
}

// Events is how a stream of events is gone on with when its connection ends.
type Events struct {
	LastEventID   string
	Retry         time.Duration // to wait before connecting again, until the stream says otherwise
	MaxEventBytes int64         // 0 = no limit
}

// Event ("event") is one of a stream of events.
type Event struct {
	Name, Data, ID string
	Retry          time.Duration // what the stream asked for last; negative: nothing
}

// HeaderChange sets a field, or with Remove takes the profile's and session's
// out.
type HeaderChange struct {
	Name, Value string
	Remove      bool
}

// BasicAuth is RFC 7617 credentials.
type BasicAuth struct{ User, Password string }

// Response ("response") is the head of a reply and how it came about.
type Response struct {
	Status     int
	Reason     string
	Version    string         // "HTTP/1.1", "HTTP/2"
	URL        string         // of this hop, without userinfo, with the fragment
	Method     string         // of this hop
	Headers    message.Fields // of the response
	Sent       Pairs          // fields of the request, as it left
	Cookies    []Cookie       // those this response set and the jar took
	History    []Response     // earlier hops, first to last
	Redirect   *Redirect      // the prepared next request, when left to the driver
	Connection *Connection
	Timings    Timings
	Trailers   message.Fields // only once the body is complete
}

// Redirect is where a redirecting reply leads and how to go there.
type Redirect struct {
	Method   string
	URL      string
	Kind     string         // what the first request was: it stays, as the method need not
	KeepBody bool           // 307, 308: the same body again
	Headers  []HeaderChange // the caller's, less what must not cross an origin
	Foreign  bool           // an origin has been crossed: credentials and cookies of the caller's stay behind
	Hops     int
}

// Cookie is one cookie of the jar (RFC 6265bis section 5.7).
type Cookie struct {
	Name, Value  string
	Domain, Path string
	HostOnly     bool
	Secure       bool
	HTTPOnly     bool
	SameSite     string // "Lax", "Strict", "None" or "" where the server said nothing
	Expires      int64  // Unix seconds; 0 = a session cookie
}

// Connection tells what carried the exchange.
type Connection struct {
	ID         uint64 // for Certificates, as long as the session remembers it
	Protocol   string
	Reused     bool
	RemoteAddr string
	LocalAddr  string
	TLS        *TLS
}

// TLS is what the handshake agreed on, in the names of the registries.
type TLS struct {
	Version    string // "TLSv1.3"
	Cipher     string // "TLS_AES_128_GCM_SHA256"
	Group      string // "X25519MLKEM768", "" where unknown
	ALPN       string
	ServerName string
	Resumed    bool
	ECH        bool
	JA4        string // of the ClientHello that was sent
}

// Certificates ("certificates") asks for the chain of a connection: kilobytes
// that few want, so they do not ride on every response.
type Certificates struct{ Connection uint64 }

// CertificateChain ("certificateChain") answers: DER, as sent, leaf first;
// empty where the session no longer remembers the connection.
type CertificateChain struct{ Certificates [][]byte }

// Describe ("describe") asks for the notations of what a session would send.
type Describe struct{ Identity }

// Description ("description") answers; Document is the profile with nothing left
// to a rule.
type Description struct {
	JA3, JA3Hash             string
	JA4, JA4R, JA4O, JA4RO   string
	Akamai, AkamaiHash       string
	PeetPrint, PeetPrintHash string
	Document                 string
}

// Timings of the last hop; Total spans all of them, until the head of the response.
type Timings struct {
	Pool, DNS, Connect, TLS, Send, Wait, Total time.Duration
}

// Cookies ("cookies") reads or changes a session's jar.
type Cookies struct {
	Action string // "list", "set", "delete", "clear"
	Set    []Cookie
	// Which: "delete" takes those that match all the fields that are not empty.
	Name, Domain, Path string
}

// CopyJar ("copyJar") copies a session's jar, for hops that belong together. Made
// answers; the copy is forgotten when its handle is closed.
type CopyJar struct{}

// MakeQueue ("makeQueue") makes a queue of what is submitted. Queue answers.
type MakeQueue struct{}

// Queue ("queue") answers MakeQueue. The descriptor is readable while there is
// something to drain.
type Queue struct {
	Handle     uint64
	Descriptor int
}

// Watch ("watch") asks for a descriptor of a WebSocket that an event loop can watch.
// Watched answers.
type Watch struct{}

// Watched ("watched") answers Watch. The descriptor is the host's to close, and
// readable when a message may be there and when the WebSocket has ended; -1: there
// is none.
type Watched struct{ Descriptor int }

// Undecode ("undecode") leaves the content codings of an exchange's body on; it
// comes before the first read. Done answers.
type Undecode struct{}

// Done ("done") answers what makes nothing.
type Done struct{}

// MakeToken ("makeToken") makes a cancel token: Cancel on its handle ends all
// requests that it was given to. Made answers.
type MakeToken struct{}

// CookieList ("cookieList") answers Cookies.
type CookieList struct{ Cookies []Cookie }

// Capture ("capture") starts a capture server: see package capture. It listens
// until its handle is closed.
type Capture struct {
	Address           string // "host:port"; "" = loopback, a free port
	TLS               bool
	CertFile, KeyFile string   // PEM; "" = made for the occasion
	Protocols         []string // ALPN; nil = h2 and http/1.1
	Retry             bool     // make clients start anew (HelloRetryRequest)
	NoTickets         bool     // give no session tickets
}

// Capturing ("capturing") answers Capture.
type Capturing struct {
	Handle    uint64
	URL       string
	Authority string // PEM: what to verify with; "" in the clear or with a certificate that was given
	Leaf      []byte // DER of the certificate; nil in the clear
	KeyPin    string // base64 of the SHA-256 of its public key, as Chromium takes it
}

// Captured ("captured") asks a capture server what it has seen, as soon as that is
// at least so much or the time is over. A Document answers.
type Captured struct {
	Requests int    // in all
	Target   string // one whose target begins like this
	Timeout  time.Duration
}

// Imply ("imply") makes a profile of what capture servers have seen of one client.
// A Document answers.
type Imply struct {
	Captures []string // Documents that answered Captured
	Name     string
	Browser  string // for the profile's source, as the next two
	Version  string
	OS       string
	Date     string
}

// Serve ("serve") starts a sidecar: the library for other processes, see package
// sidecar. It serves until its handle is closed, or nobody has needed it for long.
type Serve struct {
	Address    string        // "host:port", a literal loopback address; "" = 127.0.0.1 and a free port
	Descriptor int           // of a listening socket, which stands in for Address; 0 = none
	Token      string        // what clients must know
	IdleExit   time.Duration // after the last client has gone; 0 = never
	Node       *Node         // its clients are npm's, and no token is asked for
}

// Node is what holds for npm's clients where they say nothing, see package
// sidecar/node.
type Node struct {
	Session                  // with both a profile and bases
	Names         [][]string // by which to ask for each of the bases, in lower case and with hyphens
	MaxEventBytes int64      // 0 = no limit
}

// Serving ("serving") answers Serve.
type Serving struct {
	Handle  uint64
	Address string // "host:port"
}

// Served ("served") waits for the end of a sidecar. Done answers.
type Served struct{}

// Document ("document") is JSON.
type Document struct{ Text string }

// Made ("made") answers a message that made something.
type Made struct{ Handle uint64 }

// Stats ("stats") asks for counts of what is alive: the leak check of the tests
// stands on them.
type Stats struct{}

// StatsReply ("statsReply") answers.
type StatsReply struct {
	Sessions, Exchanges, Connections, Captures, Goroutines int
	HeapBytes                                              uint64
}
