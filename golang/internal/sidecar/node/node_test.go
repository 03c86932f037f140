package node

import (
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cycletls/cycletls/golang/internal/envelope"
)

// A response comes as its head, its body in pieces, and an end; the names of its
// fields are in the spelling that users know, and each has all of its values.
func TestResponse(t *testing.T) {
	body := strings.Repeat("0123456789", 5000)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/from" {
			http.Redirect(w, r, "/to", http.StatusFound)
			return
		}
		w.Header()["x-twice"] = []string{"a", "caf\xe9"}
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, body)
	})
	p := connect(t, defaults(t))
	p.ask("client-1#x", map[string]any{"url": url + "/from", "method": "get"})
	head, got := p.response("client-1#x")
	if head.status != http.StatusTeapot || head.text != url+"/to" || got != body {
		t.Errorf("%d %s and %d bytes", head.status, head.text, len(got))
	}
	if twice := fmt.Sprint(head.fields["X-Twice"]); twice != "[a café]" {
		t.Errorf("X-Twice: %s", twice)
	}
}

// Content codings are undone, and the fields that tell of them are not passed on.
func TestContentCodingIsUndone(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		packer := gzip.NewWriter(w)
		_, _ = io.WriteString(packer, "unpacked")
		_ = packer.Close()
	})
	p := connect(t, defaults(t))
	p.ask("a", map[string]any{"url": url})
	head, body := p.response("a")
	if body != "unpacked" || head.fields["Content-Encoding"] != nil || head.fields["Content-Length"] != nil {
		t.Errorf("%q %v", body, head.fields)
	}
}

// Each option of a request reaches the server in each of the forms that clients
// give it.
func TestOptionsReachTheServer(t *testing.T) {
	url := serve(t, echo)
	p := connect(t, defaults(t))
	for i, c := range []struct {
		options, want string
	}{
		{`"method":"purge"`, `PURGE /p  [] [] `},
		{`"method":"post","body":"text ☃"`, `POST /p text ☃ [] []`},
		{`"method":"post","body":{"type":"Buffer","data":[0,255]}`, "POST /p \x00\xff [] []"},
		{`"method":"post","body":"ignored","bodyBytes":"YWJj"`, `POST /p abc [] []`},
		{`"method":"post","bodyBytes":{"type":"Buffer","data":[97]}`, `POST /p a [] []`},
		{`"method":"post","bodyBytes":[98]`, `POST /p b [] []`},
		{`"method":"post","body":""`, `POST /p  [] []`},
		{`"headers":{"x-list":["a",1,true],"X-None":null}`, `GET /p  ["a" "1" "true"] []`},
		{`"cookies":[{"name":"a","value":"1","sameSite":"Lax","expires":"Mon, 02-Jan-2006 15:04:05 EST"},{"name":"b","value":2}]`, `GET /p  [] ["a=1; b=2"]`},
		{`"cookies":{"b":"2","a":1}`, `GET /p  [] ["b=2; a=1"]`},
		{`"cookies":[{"name":"a","value":"1","domain":"127.0.0.1"},{"name":"b","value":"2","domain":"elsewhere.example"}]`, `GET /p  [] ["a=1"]`},
		{`"userAgent":"me/1"`, `GET /p  [] [] "me/1"`},
		{`"userAgent":"me/1","headers":{"user-agent":"you/2"}`, `GET /p  [] [] "you/2"`},
		{`"timeout":1.5,"proxy":"","ja4r":null,"tls13AutoRetry":true,"responseType":"json","_hostKey":"x","unheardOf":{}`, `GET /p  [] []`},
	} {
		id := strconv.Itoa(i)
		p.say(`{"requestId":"` + id + `","options":{"url":"` + url + `/p",` + c.options + `}}`)
		if _, body := p.response(id); !strings.HasPrefix(body, c.want) {
			t.Errorf("%s: %q, not %q", c.options, body, c.want)
		}
	}
}

// A redirect is passed on as it is where none are to be followed.
func TestRedirectsCanBeLeftAlone(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/on", http.StatusFound) })
	p := connect(t, defaults(t))
	p.ask("a", map[string]any{"url": url, "disableRedirect": true})
	if head, _ := p.response("a"); head.status != http.StatusFound || head.fields["Location"][0] != "/on" {
		t.Errorf("%d %v", head.status, head.fields)
	}
}

// What cannot be done is answered with an error for that request alone; the
// connection goes on.
func TestWrongMessages(t *testing.T) {
	url := serve(t, echo)
	p := connect(t, defaults(t))
	for _, c := range []struct{ message, id, want string }{
		{`not JSON`, "", "not a message"},
		{`[]`, "", "not a message"},
		{`{}`, "", "options: not an object"},
		{`{"requestId":5,"options":{}}`, "5", "not a message"},
		{`{"requestId":"a"}`, "a", "options: not an object"},
		{`{"requestId":"a","options":[]}`, "a", "options: not an object"},
		{`{"requestId":"a","options":{}}`, "a", "url: it is missing"},
		{`{"requestId":"a","action":"dance"}`, "a", `unknown action "dance"`},
		{`{"requestId":"a","action":7}`, "a", "not a message"},
		{`{"requestId":"a","options":{"url":7}}`, "a", "url: not a text"},
		{`{"requestId":"a","options":{"url":"/"}}`, "a", "/"},
		{`{"requestId":"a","options":{"url":"gopher://x"}}`, "a", "gopher"},
		{`{"requestId":"a","options":{"url":"URL","method":"a b"}}`, "a", "method"},
		{`{"requestId":"a","options":{"url":"URL","method":"connect"}}`, "a", "tunnel"},
		{`{"requestId":"a","options":{"url":"URL","timeout":"5"}}`, "a", "timeout: not a number of seconds"},
		{`{"requestId":"a","options":{"url":"URL","timeout":-1}}`, "a", "timeout: not a number of seconds"},
		{`{"requestId":"a","options":{"url":"URL","headers":[]}}`, "a", "headers: not an object"},
		{`{"requestId":"a","options":{"url":"URL","headers":{"a":{}}}}`, "a", "headers: not an object"},
		{`{"requestId":"a","options":{"url":"URL","headers":{"a\r\nb":"c"}}}`, "a", "token"},
		{`{"requestId":"a","options":{"url":"URL","cookies":"a=b"}}`, "a", "cookies: not a list"},
		{`{"requestId":"a","options":{"url":"URL","cookies":[{"name":"a;","value":"b"}]}}`, "a", "cookie"},
		{`{"requestId":"a","options":{"url":"URL","bodyBytes":"%"}}`, "a", "bodyBytes: not bytes in base64"},
		{`{"requestId":"a","options":{"url":"URL","body":{"type":"Blob"}}}`, "a", "body: not a text or a Buffer"},
		{`{"requestId":"a","options":{"url":"URL","body":5}}`, "a", "body: not a text or a Buffer"},
		{`{"requestId":"a","options":{"url":"URL","ja3":"771"}}`, "a", "ja3: 1 fields"},
		{`{"requestId":"a","options":{"url":"URL","ja3":"771,1,,,","ja4r":"x"}}`, "a", "ja3 and ja4r"},
		{`{"requestId":"a","options":{"url":"URL","profile":"netscape"}}`, "a", `profile: there is none that is called "netscape"`},
		{`{"requestId":"a","options":{"url":"URL","forceHTTP3":true}}`, "a", "HTTP/3"},
		{`{"requestId":"a","options":{"url":"URL","quicFingerprint":"x"}}`, "a", "HTTP/3"},
		{`{"requestId":"a","options":{"url":"URL","protocol":"http3"}}`, "a", "HTTP/3"},
		{`{"requestId":"a","options":{"url":"URL","protocol":"gopher"}}`, "a", "protocol: not"},
		{`{"requestId":"a","options":{"url":"URL","localAddress":"nowhere"}}`, "a", "nowhere"},
	} {
		p.say(strings.ReplaceAll(c.message, "URL", url))
		if f := p.expect(c.id, kindError); f.status != 0 || !strings.Contains(f.text, c.want) {
			t.Errorf("%s: %d %q, not %q", c.message, f.status, f.text, c.want)
		}
	}
	p.ask("b", map[string]any{"url": url})
	p.response("b")
}

// A failure before there is a response has the status by which users know it.
func TestStatusesOfFailures(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refusing := "http://" + listener.Addr().String()
	listener.Close()
	asked := make(chan struct{}, 1)
	silent := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	})
	closing := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, _ := w.(http.Hijacker).Hijack()
		conn.Close()
	})
	p := connect(t, defaults(t))
	for _, c := range []struct {
		url  string
		want int
	}{{refusing, 502}, {silent, 408}, {closing, 421}, {strings.Replace(silent, "http:", "https:", 1), 495}} {
		p.ask("a", map[string]any{"url": c.url, "timeout": 0.5})
		if f := p.expect("a", kindError); f.status != c.want || f.text == "" {
			t.Errorf("%s: %d %s, not %d", c.url, f.status, f.text, c.want)
		}
	}
	<-asked
}

// hanging is a server that sends what it is told to and then waits for the client
// to go, which it tells.
func hanging(t *testing.T, head string) (url string, asked, gone chan struct{}) {
	asked, gone = make(chan struct{}, 100), make(chan struct{}, 100)
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		if head != "" {
			_, _ = io.WriteString(w, head)
			w.(http.Flusher).Flush()
		}
		asked <- struct{}{}
		<-r.Context().Done()
		gone <- struct{}{}
	}), asked, gone
}

func await(t *testing.T, signal chan struct{}) {
	t.Helper()
	select {
	case <-signal:
	case <-time.After(20 * time.Second):
		t.Fatal("it did not happen")
	}
}

// Who cancels before there is a response gets an error instead, and the server is
// left alone.
func TestCancelBeforeTheResponse(t *testing.T) {
	url, asked, gone := hanging(t, "")
	p := connect(t, defaults(t))
	p.ask("a", map[string]any{"url": url})
	await(t, asked)
	p.say(`{"action":"cancel","requestId":"a"}`)
	if f := p.expect("a", kindError); f.status != 0 || !strings.Contains(f.text, "cancelled") {
		t.Errorf("%d %s", f.status, f.text)
	}
	await(t, gone)
}

// Who cancels within a response gets its end; to cancel what is over, or never was,
// is harmless.
func TestCancelWithinTheResponse(t *testing.T) {
	url, _, gone := hanging(t, "begun")
	p := connect(t, defaults(t))
	p.ask("a", map[string]any{"url": url})
	p.expect("a", kindResponse)
	p.expect("a", kindData)
	for range 2 {
		p.say(`{"action":"cancel","requestId":"a"}`)
	}
	p.expect("a", kindEnd)
	await(t, gone)
	p.say(`{"action":"cancel","requestId":"never"}`)
	p.ask("b", map[string]any{"url": serve(t, echo)})
	p.response("b")
}

// A response that breaks off ends with an error and an end.
func TestBrokenBody(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "short")
	})
	p := connect(t, defaults(t))
	p.ask("a", map[string]any{"url": url})
	p.expect("a", kindResponse)
	p.expect("a", kindData)
	if f := p.expect("a", kindError); f.text == "" {
		t.Error("an error without a message")
	}
	p.expect("a", kindEnd)
}

// Everything that a client has under way ends when it goes.
func TestDisconnectEndsEverything(t *testing.T) {
	slow, asked, gone := hanging(t, "")
	begun, _, over := hanging(t, "begun")
	p := connect(t, defaults(t))
	for i := range 10 {
		p.ask(strconv.Itoa(i), map[string]any{"url": slow})
	}
	p.ask("last", map[string]any{"url": begun})
	p.ask("last", map[string]any{"url": begun})
	for range 10 {
		await(t, asked)
	}
	p.expect("last", kindResponse)
	p.leave()
	for range 10 {
		await(t, gone)
	}
	await(t, over)
}

// "exit" says goodbye to one client.
func TestExit(t *testing.T) {
	p, other := connect(t, defaults(t)), connect(t, defaults(t))
	p.say(`{"action":"exit"}`)
	if _, _, err := p.socket.Receive(forever()); err == nil || !strings.Contains(err.Error(), "1000 (exit)") {
		t.Error(err)
	}
	await(t, p.served)
	other.ask("a", map[string]any{"url": serve(t, echo)})
	other.response("a")
}

// Requests under one id are done one after the other, so that their frames stay
// apart.
func TestRequestsUnderOneID(t *testing.T) {
	url, asked, _ := hanging(t, "begun")
	p := connect(t, defaults(t))
	p.ask("a", map[string]any{"url": url})
	await(t, asked)
	p.ask("a", map[string]any{"url": serve(t, echo)})
	p.expect("a", kindResponse)
	p.expect("a", kindData)
	p.ask("b", map[string]any{"url": serve(t, echo)})
	p.response("b")
	select {
	case <-asked:
		t.Error("the second request was sent beside the first")
	default:
	}
	p.say(`{"action":"cancel","requestId":"a"}`)
	p.expect("a", kindEnd)
	p.expect("a", kindError)
}

// What one client has under way is bounded.
func TestTooManyRequests(t *testing.T) {
	url, asked, _ := hanging(t, "")
	p := connect(t, defaults(t))
	for range maxExchanges {
		p.say(`{"requestId":"a","options":{"url":"` + url + `"}}`)
	}
	await(t, asked)
	p.ask("b", map[string]any{"url": url})
	if f := p.expect("b", kindError); !strings.Contains(f.text, "more than 4096 requests") {
		t.Error(f.text)
	}
}

// No length is ever more than its 16 bits: what would be is an error, and only ids
// and messages are cut.
func TestTooLongForAFrame(t *testing.T) {
	long := strings.Repeat("x", maxText+1)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/header":
			w.Header().Set("X-Long", long)
		case "/url":
			http.Redirect(w, r, "/"+strings.Repeat("é", maxText/5), http.StatusFound)
		}
	})
	config := defaults(t)
	config.MaxHeaderBytes = 1 << 20
	p := connect(t, config)
	for _, path := range []string{"/header", "/url", "/" + long} {
		p.ask("a", map[string]any{"url": url + path})
		if f := p.expect("a", kindError); !strings.Contains(f.text, "of which the protocol of the Node client carries 65535") {
			t.Errorf("%.20s: %.200s", path, f.text)
		}
	}
	id := strings.Repeat("☃", maxText/3+1)
	p.ask(id, map[string]any{"url": 0})
	p.expect(id[:maxText], kindError)
	p.say(`{"requestId":"a","action":"` + long + `"}`)
	if f := p.expect("a", kindError); len(f.text) != maxText {
		t.Errorf("a message of %d bytes", len(f.text))
	}
}

// A client that does not read holds the server back: what is on the way is bounded,
// and nothing is lost.
func TestBackpressure(t *testing.T) {
	const size = 32 << 20
	sent := make(chan int, 1)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		piece, total := make([]byte, 64<<10), 0
		control := http.NewResponseController(w)
		for total < size {
			_ = control.SetWriteDeadline(time.Now().Add(time.Second / 2))
			n, err := w.Write(piece)
			if total += n; err != nil {
				break
			}
		}
		sent <- total
	})
	p := connect(t, defaults(t))
	p.down.SetCapacity(64 << 10)
	p.ask("a", map[string]any{"url": url})
	if total := <-sent; total == size {
		t.Error("all of it was read for a client that reads nothing")
	}
}

// A proxy that is named is the one that is used, whatever else there is.
func TestProxy(t *testing.T) {
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", r.URL, r.Header.Get("Proxy-Authorization"))
	})
	config := defaults(t)
	config.Proxies, config.NoProxy = []envelope.ProxyRule{{Match: "http", URL: "http://127.0.0.1:1"}}, "*"
	p := connect(t, config)
	p.ask("a", map[string]any{"url": "http://origin.example/p", "proxy": strings.Replace(proxy, "http://", "http://u:p@", 1)})
	if _, body := p.response("a"); body != "http://origin.example/p Basic dTpw" {
		t.Error(body)
	}
}

// Requests of one configuration share connections; others do not, and neither do
// those that want none to be kept.
func TestConnections(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.RemoteAddr) })
	p := connect(t, defaults(t))
	from := func(options map[string]any) string {
		options["url"] = url
		p.ask("a", options)
		_, body := p.response("a")
		return body
	}
	first := from(map[string]any{})
	if again := from(map[string]any{"headers": map[string]string{"A": "b"}, "enableConnectionReuse": true}); again != first {
		t.Error("the connection was not reused")
	}
	if other := from(map[string]any{"serverName": "other.example"}); other == first {
		t.Error("another configuration had the same connection")
	}
	lone := from(map[string]any{"enableConnectionReuse": false})
	if again := from(map[string]any{"enableConnectionReuse": false}); lone == first || again == lone {
		t.Error("a connection was kept against the client's word")
	}
	for i := range 3 * maxSessions {
		from(map[string]any{"serverName": fmt.Sprintf("host-%d.example", i)})
	}
	if again := from(map[string]any{}); again == first {
		t.Error("every configuration is kept for ever")
	}
}

// A user agent of the client's own is not contradicted by the profile's client
// hints, and a profile by its name is not overruled by what npm's client always says.
func TestProfileAndUserAgent(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s|%s", r.UserAgent(), r.Header.Get("Sec-Ch-Ua-Mobile"))
	})
	config := defaults(t)
	config.Bases = append(config.Bases, profile(t, "chrome-156-linux"))
	config.Names = [][]string{{}, {}, {"chrome", "chrome-156"}}
	p := connect(t, config)
	for _, c := range []struct {
		options     map[string]any
		agent, hint string
	}{
		{map[string]any{"profile": "Chrome_156"}, "Chrome/156", "|?0"},
		{map[string]any{"profile": "chrome", "ja3": unsaidJA3, "userAgent": unsaidUserAgent}, "Chrome/156", "|?0"},
		{map[string]any{"profile": "chrome", "userAgent": "mine"}, "mine", "mine|"},
		{map[string]any{"profile": "chrome", "userAgent": "mine", "headers": map[string]string{"sec-ch-ua-mobile": "?1"}}, "mine", "|?1"},
		{map[string]any{"ja3": unsaidJA3, "userAgent": unsaidUserAgent}, unsaidUserAgent, "|"},
		{map[string]any{"ja3": unsaidJA3}, "Firefox/154", "|"},
	} {
		c.options["url"] = url
		p.ask("a", c.options)
		if _, body := p.response("a"); !strings.Contains(body, c.agent) || !strings.HasSuffix(body, c.hint) {
			t.Errorf("%v: %s", c.options, body)
		}
	}
}

// The events of a stream come one by one, and its end is told.
func TestEvents(t *testing.T) {
	proceed := make(chan struct{})
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: %s\n\n", r.Header.Get("Accept"))
		w.(http.Flusher).Flush()
		<-proceed
		fmt.Fprint(w, "event: e\nid: 7\nretry: 1500\ndata: a\ndata: b\n\ndata: incomplete")
	})
	p := connect(t, defaults(t))
	p.ask("a", map[string]any{"url": url, "protocol": "sse", "timeout": 20})
	p.expect("a", kindResponse)
	if got := string(p.expect("a", kindData).data); got != `{"event":"message","data":"text/event-stream","id":"","retry":0}`+"\n" {
		t.Error(got)
	}
	close(proceed)
	if got := string(p.expect("a", kindData).data); got != `{"event":"e","data":"a\nb","id":"7","retry":1500}`+"\n" {
		t.Error(got)
	}
	p.expect("a", kindEnd)
}

// A stream of events outlasts its timeout, which is for its head; it can be
// cancelled, and a response that is none is passed on.
func TestEventsThatAreNone(t *testing.T) {
	stream, _, gone := hanging(t, "data: 1\n\n")
	silent, _, _ := hanging(t, "")
	p := connect(t, defaults(t))
	p.ask("a", map[string]any{"url": stream, "protocol": "sse", "timeout": 0.2})
	if head := p.expect("a", kindResponse); head.status != http.StatusOK {
		t.Error(head.status)
	}
	if f := p.expect("a", kindData); string(f.data) != "data: 1\n\n" { // of no content type
		t.Errorf("%s", f.data)
	}
	p.ask("b", map[string]any{"url": silent, "protocol": "sse", "timeout": 0.4})
	if f := p.expect("b", kindError); f.status != 408 {
		t.Errorf("%d %s", f.status, f.text)
	}
	p.say(`{"action":"cancel","requestId":"a"}`)
	p.expect("a", kindEnd)
	await(t, gone)
}
