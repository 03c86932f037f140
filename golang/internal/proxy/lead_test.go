package proxy

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cycletls/cycletls/golang/internal/http1"
	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
	"github.com/cycletls/cycletls/golang/internal/wait/waittest"
)

// led is what came of a handshake with a proxy that plays its replies.
type led struct {
	sent string
	rest string // of the replies, not consumed
	err  error
}

func lead(t *testing.T, url, replies string, to Destination, head Head) led {
	t.Helper()
	p, err := Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	client, server := waittest.Pipe()
	defer client.Close()
	server.Write([]byte(replies))
	server.CloseWrite()
	ctx := wait.New(wait.Limits{wait.Connect: 10 * time.Second}, nil).Within(wait.Connect)
	head.Limits = http1.Config{MaxHeaderBytes: 256 << 10, MaxInformational: 8}
	got := led{err: p.Lead(ctx, client, to, head)}
	sent := make([]byte, server.Buffered())
	io.ReadFull(server, sent)
	got.sent = string(sent)
	if got.err == nil {
		rest, _ := io.ReadAll(client)
		got.rest = string(rest)
	}
	return got
}

var named = Destination{Host: "origin.test", Port: 443}

// Each handshake says what its protocol says, takes its reply, and nothing of
// what follows.
func TestSOCKSHandshakes(t *testing.T) {
	const granted4, granted5 = "\x00\x5a\x01\x02\x03\x04\x05\x06", "\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50"
	v4 := Destination{Host: "192.0.2.1", Port: 80}
	v6 := Destination{Host: "2001:db8::1", Port: 80}
	looked := Destination{Host: "origin.test", Addr: netip.MustParseAddr("192.0.2.9"), Port: 443}
	raw6 := string(netip.MustParseAddr("2001:db8::1").AsSlice())
	for name, c := range map[string]struct {
		url, replies string
		to           Destination
		sent         string
	}{
		"4 by address":         {"socks4://p", granted4, looked, "\x04\x01\x01\xbb\xc0\x00\x02\x09\x00"},
		"4 with a user":        {"socks4://me@p", granted4, v4, "\x04\x01\x00\x50\xc0\x00\x02\x01me\x00"},
		"4a by name":           {"socks4a://me@p", granted4, named, "\x04\x01\x01\xbb\x00\x00\x00\x01me\x00origin.test\x00"},
		"4a by address":        {"socks4a://p", granted4, v4, "\x04\x01\x00\x50\xc0\x00\x02\x01\x00"},
		"5 by address":         {"socks5://p", "\x05\x00" + granted5, looked, "\x05\x01\x00" + "\x05\x01\x00\x01\xc0\x00\x02\x09\x01\xbb"},
		"5 to IPv6":            {"socks5h://p", "\x05\x00" + granted5, v6, "\x05\x01\x00" + "\x05\x01\x00\x04" + raw6 + "\x00\x50"},
		"5h by name":           {"socks5h://p", "\x05\x00" + granted5, named, "\x05\x01\x00" + "\x05\x01\x00\x03\x0borigin.test\x01\xbb"},
		"5h with a password":   {"socks5h://u:pw@p", "\x05\x02\x01\x00" + granted5, named, "\x05\x02\x00\x02" + "\x01\x01u\x02pw" + "\x05\x01\x00\x03\x0borigin.test\x01\xbb"},
		"5h without asking":    {"socks5h://u:pw@p", "\x05\x00" + granted5, named, "\x05\x02\x00\x02" + "\x05\x01\x00\x03\x0borigin.test\x01\xbb"},
		"5h bound to a name":   {"socks5h://p", "\x05\x00\x05\x00\x00\x03\x02hi\x00\x50", named, "\x05\x01\x00" + "\x05\x01\x00\x03\x0borigin.test\x01\xbb"},
		"5h bound to IPv6":     {"socks5h://p", "\x05\x00\x05\x00\x00\x04" + raw6 + "\x00\x50", named, "\x05\x01\x00" + "\x05\x01\x00\x03\x0borigin.test\x01\xbb"},
		"5h longest name":      {"socks5h://p", "\x05\x00" + granted5, Destination{Host: strings.Repeat("a", 255), Port: 1}, "\x05\x01\x00" + "\x05\x01\x00\x03\xff" + strings.Repeat("a", 255) + "\x00\x01"},
		"5 an address in IPv6": {"socks5://p", "\x05\x00" + granted5, Destination{Host: "::ffff:192.0.2.1", Port: 80}, "\x05\x01\x00" + "\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50"},
	} {
		got := lead(t, c.url, c.replies+"origin's", c.to, Head{})
		if got.err != nil || got.sent != c.sent || got.rest != "origin's" {
			t.Errorf("%s: %v\nsent %q\nwant %q\nleft %q", name, got.err, got.sent, c.sent, got.rest)
		}
	}
}

// Whatever else a SOCKS proxy answers is an error of its own that says what it
// was.
func TestSOCKSRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		url, replies string
		to           Destination
		says         string
	}{
		"4 rejects":              {"socks4a://p", "\x00\x5b\x00\x00\x00\x00\x00\x00", named, "request rejected or failed"},
		"4 unknown":              {"socks4a://p", "\x00\x01\x00\x00\x00\x00\x00\x00", named, "unknown code 1"},
		"4 is not":               {"socks4a://p", "HTTP/1.1 400 Bad Request\r\n\r\n", named, "not SOCKS 4"},
		"4 ends":                 {"socks4a://p", "\x00\x5a\x00", named, "closed the connection"},
		"4 has no IPv6":          {"socks4a://p", "", Destination{Host: "::1", Port: 1}, "IPv6"},
		"5 is not":               {"socks5h://p", "HTTP/1.1 400 Bad Request\r\n\r\n", named, "not SOCKS 5"},
		"5 ends":                 {"socks5h://p", "", named, "closed the connection"},
		"5 ends in its reply":    {"socks5h://p", "\x05\x00\x05\x00\x00\x03\xffabc", named, "closed the connection"},
		"5 wants a user":         {"socks5h://p", "\x05\xff", named, "wants a user and a password"},
		"5 wants something":      {"socks5h://u:p@p", "\x05\xff", named, "neither"},
		"5 was not offered it":   {"socks5h://p", "\x05\x02", named, "method 2"},
		"5 wants GSSAPI":         {"socks5h://u:p@p", "\x05\x01", named, "method 1"},
		"5 refuses the user":     {"socks5h://u:p@p", "\x05\x02\x01\x01", named, "does not accept"},
		"5 refuses by rule":      {"socks5h://p", "\x05\x00\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00", named, "not allowed by its rules"},
		"5 cannot reach":         {"socks5h://p", "\x05\x00\x05\x04\x00\x01\x00\x00\x00\x00\x00\x00", named, "host unreachable"},
		"5 with another code":    {"socks5h://p", "\x05\x00\x05\x63\x00\x01\x00\x00\x00\x00\x00\x00", named, "unknown code 99"},
		"5 with another type":    {"socks5h://p", "\x05\x00\x05\x00\x00\x09\x00\x00", named, "unknown type 9"},
		"5 with version 4":       {"socks5h://p", "\x05\x00\x04\x00\x00\x01\x00\x00\x00\x00\x00\x00", named, "not SOCKS 5"},
		"5 has room for 255":     {"socks5h://p", "\x05\x00", Destination{Host: strings.Repeat("a", 256), Port: 1}, "256 bytes"},
		"http refuses":           {"http://u:secret@p", "HTTP/1.1 403 Forbidden\r\n\r\n", named, "answered CONNECT origin.test:443 with 403 Forbidden"},
		"http wants a password":  {"http://p", "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n", named, "407 Proxy Authentication Required; credentials"},
		"http speaks in tongues": {"http://p", "HTTP/1.1 502 " + strings.Repeat("x", 1000) + "\r\n\r\n", named, "with 502"},
		"http is not":            {"http://p", "\x05\xff", named, "connection lost"},
		"http switches":          {"http://p", "HTTP/1.1 101 Switching Protocols\r\n\r\n", named, "101"},
	} {
		got := lead(t, c.url, c.replies, c.to, Head{})
		var refused *Error
		if !errors.As(got.err, &refused) || !strings.Contains(got.err.Error(), c.says) || len(got.err.Error()) > 300 {
			t.Errorf("%s: %v", name, got.err)
		} else if strings.Contains(got.err.Error(), "secret") {
			t.Errorf("%s: %v", name, got.err)
		}
	}
}

// CONNECT has the fields of the profile in their order, and each value once.
func TestConnectRequest(t *testing.T) {
	chromium := message.Fields{{Name: "Host"}, {Name: "Proxy-Connection", Value: "keep-alive"}, {Name: "User-Agent", Value: "me"}}
	firefox := message.Fields{{Name: "User-Agent", Value: "me"}, {Name: "Connection", Value: "keep-alive"}, {Name: "Host"}}
	for _, c := range []struct {
		url  string
		head Head
		want string
	}{
		{"http://p", Head{Fields: chromium}, "Host: origin.test:443↵Proxy-Connection: keep-alive↵User-Agent: me↵"},
		{"http://p", Head{Fields: firefox}, "User-Agent: me↵Connection: keep-alive↵Host: origin.test:443↵"},
		{"http://p", Head{Fields: message.Fields{{Name: "User-Agent"}}}, "Host: origin.test:443↵"},
		{"https://us%65r:pw@p", Head{Fields: chromium[:1]}, "Host: origin.test:443↵Proxy-Authorization: Basic dXNlcjpwdw==↵"},
		{"http://u:p@p", Head{Authorization: "Bearer x"}, "Host: origin.test:443↵Proxy-Authorization: Bearer x↵"},
	} {
		got := lead(t, c.url, "HTTP/1.0 200 Connection established\r\n\r\n", named, c.head)
		want := "CONNECT origin.test:443 HTTP/1.1↵" + c.want + "↵"
		if sent := strings.ReplaceAll(got.sent, "\r\n", "↵"); got.err != nil || sent != want {
			t.Errorf("%s: %v\nsent %s\nwant %s", c.url, got.err, sent, want)
		}
	}
	got := lead(t, "http://p", "HTTP/1.1 200\r\n\r\n", Destination{Host: "::1", Port: 8}, Head{})
	if !strings.HasPrefix(got.sent, "CONNECT [::1]:8 HTTP/1.1\r\nHost: [::1]:8\r\n") {
		t.Errorf("%q", got.sent)
	}
}

// Safety 77: a proxy cannot keep us reading, or put bytes into the origin's mouth.
func TestConnectRepliesAreBounded(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n\r\n"
	for name, c := range map[string]struct {
		replies string
		fails   bool
	}{
		"interim replies":         {strings.Repeat("HTTP/1.1 103 Hints\r\n\r\n", 8) + ok, false},
		"endless interim replies": {strings.Repeat("HTTP/1.1 103 Hints\r\n\r\n", 1000) + ok, true},
		"endless field":           {"HTTP/1.1 200 OK\r\nA: " + strings.Repeat("b", 1<<20), true},
		"a long body":             {"HTTP/1.1 407 No\r\nContent-Length: 10000000\r\n\r\n" + strings.Repeat("x", 10_000_000), true},
		"early bytes":             {ok + "HTTP/1.1 200 OK\r\n\r\n", true},
		"framing that is ignored": {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n", false},
	} {
		got := lead(t, "http://p", c.replies, named, Head{})
		var refused *Error
		if failed := errors.As(got.err, &refused); failed != c.fails || !failed && got.err != nil {
			t.Errorf("%s: %v", name, got.err)
		}
	}
}

// A proxy that says nothing costs no more than the limit for connecting.
func TestSilentProxyMeetsTheConnectLimit(t *testing.T) {
	for _, url := range []string{"http://p", "socks4a://p", "socks5h://p"} {
		p, _ := Parse(url)
		client, _ := waittest.Pipe()
		ctx := wait.New(wait.Limits{wait.Connect: 20 * time.Millisecond}, nil).Within(wait.Connect)
		err := p.Lead(ctx, client, named, Head{})
		var passed *wait.TimeoutError
		if !errors.As(err, &passed) || passed.Phase != wait.Connect {
			t.Errorf("%s: %v", url, err)
		}
		client.Close()
	}
}

// FuzzSOCKSReply: no reply makes the readers panic or take more than a reply.
func FuzzSOCKSReply(f *testing.F) {
	f.Add([]byte("\x00\x5a\x00\x00\x00\x00\x00\x00rest"))
	f.Add([]byte("\x05\x00\x00\x03\x02hi\x00\x50rest"))
	f.Add([]byte("\x05\x00\x00\x04"))
	f.Fuzz(func(t *testing.T, reply []byte) {
		const longest = 4 + 1 + 255 + 2
		for _, read := range []func(io.Reader) error{readSOCKS4Reply, readSOCKS5Reply} {
			r := bytes.NewReader(reply)
			if err := read(r); err == nil && len(reply)-r.Len() > longest {
				t.Fatalf("took %d bytes", len(reply)-r.Len())
			}
		}
	})
}

// FuzzConnectReply: whatever a proxy answers is a tunnel of which nothing is
// lost, or an error of the proxy's.
func FuzzConnectReply(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\n\r\n")
	f.Add("HTTP/1.1 100 \r\n\r\nHTTP/1.0 407 x\r\nContent-Length: 3\r\n\r\nabc")
	f.Fuzz(func(t *testing.T, replies string) {
		got := lead(t, "http://u:p@p", replies, named, Head{})
		var refused *Error
		if got.err != nil && !errors.As(got.err, &refused) || got.err == nil && got.rest != "" {
			t.Fatalf("%v, %q", got.err, got.rest)
		}
	})
}
