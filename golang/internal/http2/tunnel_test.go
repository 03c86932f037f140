package http2

import (
	"bytes"
	"io"
	"runtime"
	"testing"

	xhttp2 "golang.org/x/net/http2"

	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

var takesTunnels = []xhttp2.Setting{{ID: 8, Val: 1}, {ID: xhttp2.SettingInitialWindowSize, Val: 1000}}

// dig opens a tunnel.
func dig(t *testing.T, c *Conn) wait.Duplex {
	t.Helper()
	s := send(t, c, limited(), &message.Request{
		Method: "CONNECT", Scheme: "https", Authority: "test.example", Path: "/chat", Protocol: "websocket",
		HasBody: true, Length: message.UnknownLength,
	})
	if _, err := s.ReadHead(); err != nil {
		t.Fatal(err)
	}
	tunnel, err := s.(message.Upgrader).Upgrade()
	if err != nil {
		t.Fatal(err)
	}
	tunnel.SetReadContext(limited())
	tunnel.SetWriteContext(limited())
	return tunnel
}

// accept grants a tunnel.
func (p *peer) accept() uint32 {
	head := await[*xhttp2.MetaHeadersFrame](p)
	if head.PseudoValue("method") != "CONNECT" || head.PseudoValue("path") != "/chat" || head.PseudoValue("scheme") != "https" || head.StreamEnded() {
		p.t.Errorf("%v", head)
	}
	if last := head.PseudoFields()[4]; last.Name != ":protocol" || last.Value != "websocket" {
		p.t.Errorf("%v", head.PseudoFields())
	}
	p.respond(head.StreamID, false, ":status", "200")
	return head.StreamID
}

// A tunnel carries bytes both ways at once, within the windows, beside other
// exchanges, and is reset at its end.
func TestTunnel(t *testing.T) {
	for name, context := range map[string]func() *wait.Context{"thread": limited, "goroutine": func() *wait.Context { return wait.NewPrompt(wait.Limits{}) }} {
		ended := make(chan bool, 1)
		c := against(t, chrome, takesTunnels, func(p *peer) {
			stream := p.accept()
			for {
				switch f := p.next().(type) {
				case *xhttp2.DataFrame: // echo
					p.data(stream, false, string(f.Data()))
					p.must(p.WriteWindowUpdate(stream, f.Length))
					p.must(p.WriteWindowUpdate(0, f.Length))
				case *xhttp2.RSTStreamFrame:
					ended <- f.StreamID == stream && f.ErrCode == xhttp2.ErrCodeCancel
				case *xhttp2.MetaHeadersFrame:
					p.respond(f.StreamID, false, ":status", "200")
					p.data(f.StreamID, true, "ok")
				}
			}
		})
		tunnel := dig(t, c)
		if !c.Tunnels() {
			t.Error("the setting was not heard")
		}
		tunnel.SetReadContext(context())
		tunnel.SetWriteContext(context())
		want := bytes.Repeat([]byte("0123456789"), 10000)
		go func() {
			for rest := want; len(rest) > 0; rest = rest[min(len(rest), 777):] {
				if _, err := tunnel.Write(rest[:min(len(rest), 777)]); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(tunnel, got); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%s: %v", name, err)
		}
		works(t, c)
		tunnel.SetReadContext(wait.Now)
		if _, err := tunnel.Read(got); err != wait.ErrWouldBlock {
			t.Errorf("%s: %v", name, err)
		}
		_ = tunnel.Close()
		if !<-ended {
			t.Errorf("%s: another end", name)
		}
		works(t, c)
		if c.Streams() != 0 {
			t.Errorf("%s: %d streams", name, c.Streams())
		}
	}
}

// Closing a tunnel ends the wait of who reads from it, and reads for all.
func TestTunnelClosedUnderAReader(t *testing.T) {
	for _, context := range []*wait.Context{limited(), wait.NewPrompt(wait.Limits{})} {
		c := against(t, chrome, takesTunnels, func(p *peer) {
			p.accept()
			p.answerAll()
		})
		tunnel := dig(t, c)
		tunnel.SetReadContext(context)
		done := make(chan error)
		go func() {
			_, err := tunnel.Read(make([]byte, 1))
			done <- err
		}()
		for leads := false; !leads; runtime.Gosched() {
			c.mu.Lock()
			leads = c.leader != nil
			c.mu.Unlock()
		}
		_ = tunnel.Close()
		if err := <-done; err == nil {
			t.Error("read something")
		}
		works(t, c)
	}
}

// The end of the server's side is the end of what can be read, and of writing.
func TestTunnelEndedByTheServer(t *testing.T) {
	c := against(t, chrome, takesTunnels, func(p *peer) {
		stream := p.accept()
		p.data(stream, true, "bye")
		p.answerAll()
	})
	tunnel := dig(t, c)
	if got, err := io.ReadAll(tunnel); err != nil || string(got) != "bye" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := tunnel.Write([]byte("x")); err == nil {
		t.Error("written")
	}
	_ = tunnel.Close()
	works(t, c)
}

// The setting is 0 or 1, and what was granted stays so (RFC 8441 section 3).
func TestConnectProtocolSetting(t *testing.T) {
	for _, values := range [][]uint32{{2}, {1, 0}} {
		c := against(t, chrome, nil, func(p *peer) {
			for _, value := range values {
				p.must(p.WriteSettings(xhttp2.Setting{ID: 8, Val: value}))
			}
			p.answerAll()
		})
		_, _, err := exchange(c, get("/"))
		wantProtocol(t, err, "SETTINGS_ENABLE_CONNECT_PROTOCOL")
	}
}

// An ordinary response is no tunnel.
func TestNoTunnel(t *testing.T) {
	c := against(t, chrome, nil, func(p *peer) { p.answerAll() })
	s := send(t, c, limited(), get("/"))
	headed(t, s)
	if _, err := s.(message.Upgrader).Upgrade(); err == nil {
		t.Error("upgraded")
	}
}
