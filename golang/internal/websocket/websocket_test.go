package websocket

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
	"github.com/cycletls/cycletls/golang/internal/wait/waittest"
)

// forever fails a test that hangs.
func forever() *wait.Context { return wait.New(wait.Limits{wait.Total: 20 * time.Second}, nil) }

func brief() *wait.Context {
	return wait.New(wait.Limits{wait.Read: 20 * time.Millisecond, wait.Write: 20 * time.Millisecond}, nil)
}

// pair returns two connected ends and what is beneath them.
func pair(t *testing.T, cfg Config) (client, server *Conn, up, down *waittest.Conn) {
	t.Helper()
	up, down = waittest.Pipe()
	other := cfg
	other.Server = true
	client, server = New(up, cfg), New(down, other)
	t.Cleanup(func() { client.Shut(); server.Shut() })
	return client, server, up, down
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, c *Conn, opcode Opcode, want []byte) {
	t.Helper()
	got, p, err := c.Receive(forever())
	must(t, err)
	if got != opcode || !bytes.Equal(p, want) {
		t.Fatalf("opcode %d, %d bytes; want %d, %d bytes", got, len(p), opcode, len(want))
	}
}

var compressions = map[string]*Deflate{
	"plain":          nil,
	"full":           {ServerBits: 15, ClientBits: 15},
	"no takeover":    {ServerNoTakeover: true, ClientNoTakeover: true, ServerBits: 15, ClientBits: 15},
	"small windows":  {ServerBits: 8, ClientBits: 9},
	"small, anew":    {ServerBits: 10, ClientBits: 8, ServerNoTakeover: true, ClientNoTakeover: true},
	"one side alone": {ServerNoTakeover: true, ServerBits: 15, ClientBits: 12},
}

func samples() [][]byte {
	random := rand.New(rand.NewPCG(1, 2))
	noise := func(n int) []byte {
		p := make([]byte, n)
		for i := range p {
			p[i] = byte(random.Uint32())
		}
		return p
	}
	list := [][]byte{nil, []byte("Hello"), []byte(strings.Repeat("the same again, ", 3000))}
	for _, n := range []int{1, 7, 125, 126, 127, 1024, 16383, 16384, 16385, 65535, 65536, 300000} {
		list = append(list, noise(n))
	}
	return append(list, []byte("Hello"), []byte(strings.Repeat("the same again, ", 3000)))
}

// Messages of all sizes arrive as they were sent, in both directions, whatever was
// agreed on and however the network cuts them.
func TestRoundTrip(t *testing.T) {
	for name, deflate := range compressions {
		for _, piece := range []int{0, 1000, 13} {
			client, server, up, down := pair(t, Config{Deflate: deflate})
			up.SetMaxRead(piece)
			down.SetMaxRead(piece)
			for _, p := range samples() {
				for _, ends := range [][2]*Conn{{client, server}, {server, client}} {
					must(t, ends[0].Send(forever(), Binary, p))
					expect(t, ends[1], Binary, p)
				}
			}
			must(t, client.Send(forever(), Text, []byte("κόσμε")))
			expect(t, server, Text, []byte("κόσμε"))
			if t.Failed() {
				t.Fatal(name, piece)
			}
		}
	}
}

// A message leaves in one write, masked with a key of its own.
func TestOneWrite(t *testing.T) {
	client, _, up, down := pair(t, Config{})
	seen := make(map[string]bool)
	for i := range 100 {
		must(t, client.Send(forever(), Binary, make([]byte, 3000)))
		if up.Writes() != i+1 {
			t.Fatalf("%d writes for %d messages", up.Writes(), i+1)
		}
		frame := make([]byte, 4000)
		n, err := down.Read(frame)
		must(t, err)
		key := string(frame[4:8])
		if n != 3008 || seen[key] || string(frame[8:12]) != key {
			t.Fatalf("%d bytes, key %x", n, key)
		}
		seen[key] = true
	}
}

// wire gives a connection frames that were written by hand.
func wire(t *testing.T, cfg Config, hexed string) (*Conn, *waittest.Conn) {
	t.Helper()
	near, far := waittest.Pipe()
	p, err := hex.DecodeString(strings.ReplaceAll(hexed, " ", ""))
	must(t, err)
	_, err = far.Write(p)
	must(t, err)
	c := New(near, cfg)
	t.Cleanup(func() { c.Shut() })
	return c, far
}

// sentTo reads all that a peer was sent.
func sentTo(t *testing.T, far *waittest.Conn) string {
	t.Helper()
	p := make([]byte, 1<<16)
	far.SetReadContext(wait.Now)
	n, err := far.Read(p)
	if n == 0 && !errors.Is(err, wait.ErrWouldBlock) {
		return ""
	}
	return hex.EncodeToString(p[:n])
}

// The examples of RFC 6455 section 5.7 and RFC 7692 section 7.2.3 are understood.
func TestVectors(t *testing.T) {
	deflate := &Deflate{ServerBits: 15, ClientBits: 15}
	for name, c := range map[string]struct {
		cfg  Config
		wire string
		want string
	}{
		"unmasked":           {Config{}, "81 05 48656c6c6f", "Hello"},
		"masked":             {Config{Server: true}, "81 85 37fa213d 7f9f4d5158", "Hello"},
		"fragmented":         {Config{}, "01 03 48656c 80 02 6c6f", "Hello"},
		"ping in between":    {Config{}, "01 03 48656c 89 05 48656c6c6f 80 02 6c6f", "Hello"},
		"compressed":         {Config{Deflate: deflate}, "c1 07 f248cdc9c90700", "Hello"},
		"in fragments":       {Config{Deflate: deflate}, "41 03 f248cd 80 04 c9c90700", "Hello"},
		"shared window":      {Config{Deflate: deflate}, "c1 07 f248cdc9c90700 c1 05 f200110000", "Hello Hello"},
		"not compressed":     {Config{Deflate: deflate}, "c1 0b 000500faff48656c6c6f00", "Hello"},
		"final block":        {Config{Deflate: deflate}, "c1 08 f348cdc9c9070000", "Hello"},
		"two blocks":         {Config{Deflate: deflate}, "c1 0d f248050000 00ffff cac9c90700", "Hello"},
		"empty compressed":   {Config{Deflate: deflate}, "c1 01 00", ""},
		"plain all the same": {Config{Deflate: deflate}, "81 05 48656c6c6f", "Hello"},
	} {
		conn, _ := wire(t, c.cfg, c.wire)
		var all []string
		for range 1 + strings.Count(c.want, " ") {
			opcode, p, err := conn.Receive(forever())
			if err != nil || opcode != Text {
				t.Errorf("%s: %v", name, err)
			}
			all = append(all, string(p))
		}
		if got := strings.Join(all, " "); got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// A ping is answered with what it carried, an unasked pong is ignored, and of many
// pings that could not be answered in time the last one is.
func TestPings(t *testing.T) {
	c, far := wire(t, Config{Server: true}, "8a80 00000000 8985 00000000 48656c6c6f 8180 00000000")
	expect(t, c, Text, nil)
	if got := sentTo(t, far); got != "8a0548656c6c6f" {
		t.Errorf("answered %s", got)
	}
	client, server, up, down := pair(t, Config{})
	down.SetCapacity(1)
	for i := range 5 {
		must(t, client.Ping(forever(), []byte{byte(i)}))
	}
	must(t, client.Send(forever(), Binary, nil))
	expect(t, server, Binary, nil)
	down.SetCapacity(0)
	server.answer()
	if got := sentTo(t, up); got != "8a01008a0104" {
		t.Errorf("answered %s", got)
	}
}

// What breaks a rule ends the connection with the code of that rule, on the wire
// and for the caller, again and again.
func TestViolations(t *testing.T) {
	deflate := &Deflate{ServerBits: 15, ClientBits: 15}
	for name, c := range map[string]struct {
		cfg  Config
		wire string
		code uint16
	}{
		"reserved bit 1":             {Config{}, "c1 00", 1002},
		"reserved bit 2":             {Config{Deflate: deflate}, "a1 00", 1002},
		"reserved bit 3":             {Config{}, "91 00", 1002},
		"compressed ping":            {Config{Deflate: deflate}, "c9 00", 1002},
		"compressed continuation":    {Config{Deflate: deflate}, "41 00 c0 00", 1002},
		"opcode 3":                   {Config{}, "83 00", 1002},
		"opcode 11":                  {Config{}, "8b 00", 1002},
		"masked by a server":         {Config{}, "81 80 00000000", 1002},
		"unmasked by a client":       {Config{Server: true}, "81 00", 1002},
		"fragmented ping":            {Config{}, "09 00", 1002},
		"long ping":                  {Config{}, "89 7e 007e", 1002},
		"length of 126 in 16 bits":   {Config{}, "81 7e 007d", 1002},
		"length in 64 bits":          {Config{}, "81 7f 000000000000ffff", 1002},
		"negative length":            {Config{}, "81 7f 8000000000000000", 1002},
		"continuation of nothing":    {Config{}, "80 00", 1002},
		"continuation behind an end": {Config{}, "81 00 80 00", 1002},
		"message in a message":       {Config{}, "01 00 81 00", 1002},
		"close of one byte":          {Config{}, "88 01 03", 1002},
		"close with 1005":            {Config{}, "88 02 03ed", 1002},
		"close with 1006":            {Config{}, "88 02 03ee", 1002},
		"close with 1015":            {Config{}, "88 02 03f7", 1002},
		"close with 999":             {Config{}, "88 02 03e7", 1002},
		"close with 2999":            {Config{}, "88 02 0bb7", 1002},
		"close with 5000":            {Config{}, "88 02 1388", 1002},
		"close reason":               {Config{}, "88 03 03e8 ff", 1007},
		"text":                       {Config{}, "81 02 c328", 1007},
		"text that ends too early":   {Config{}, "81 02 e282", 1007},
		"text across fragments":      {Config{}, "01 02 e282 80 01 28", 1007},
		"text, before its end":       {Config{}, "01 03 e28228", 1007},
		"surrogate":                  {Config{}, "81 03 eda080", 1007},
		"overlong":                   {Config{}, "81 02 c0af", 1007},
		"compressed text":            {Config{Deflate: deflate}, "c1 04 fa0f0000", 1007},
		"compressed nonsense":        {Config{Deflate: deflate}, "c1 03 ffffff", 1007},
		"too big":                    {Config{MaxMessage: 9}, "82 0a", 1009},
		"too big in fragments":       {Config{MaxMessage: 9}, "02 05 0000000000 80 05", 1009},
		"huge":                       {Config{MaxMessage: 9}, "82 7f 7fffffffffffffff", 1009},
	} {
		conn, far := wire(t, c.cfg, c.wire)
		for range 2 {
			var err error
			for err == nil {
				_, _, err = conn.Receive(forever())
			}
			var how *CloseError
			if !errors.As(err, &how) || how.Code != c.code || !how.Local || how.Cause == nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got := told(t, far); got != c.code {
			t.Errorf("%s: told %d", name, got)
		}
		if err := conn.Send(forever(), Text, nil); err == nil {
			t.Errorf("%s: sent after the end", name)
		}
	}
}

// told reads the code that a peer was closed with.
func told(t *testing.T, far *waittest.Conn) uint16 {
	t.Helper()
	p, err := hex.DecodeString(sentTo(t, far))
	must(t, err)
	for len(p) > 0 {
		h, size := parseHeader(p)
		payload := p[size : size+int(h.length)]
		mask(payload, h.mask, 0)
		if h.opcode == Close {
			return uint16(payload[0])<<8 | uint16(payload[1])
		}
		p = p[size+int(h.length):]
	}
	return 0
}

// A message expands as far as the limits let it, and no byte further.
func TestExpansionLimits(t *testing.T) {
	deflate := &Deflate{ServerBits: 15, ClientBits: 15}
	bomb := make([]byte, 64<<20)
	for name, c := range map[string]struct {
		cfg     Config
		allowed int
	}{
		"size":  {Config{Deflate: deflate, MaxMessage: 1 << 16}, 1 << 16},
		"ratio": {Config{Deflate: deflate, MaxExpansion: 1.5, ExpansionFloor: 1 << 20}, 1 << 20},
	} {
		client, server, _, _ := pair(t, c.cfg)
		must(t, client.Send(forever(), Binary, bomb[:c.allowed]))
		expect(t, server, Binary, bomb[:c.allowed])
		must(t, client.Send(forever(), Binary, bomb))
		_, _, err := server.Receive(forever())
		var limit *message.LimitError
		if !errors.As(err, &limit) || cap(server.expanded) > 4*c.allowed {
			t.Errorf("%s: %v, %d bytes", name, err, cap(server.expanded))
		}
	}
}

// A wait for a message that ends early loses nothing of it.
func TestReceiveResumes(t *testing.T) {
	for name, deflate := range compressions {
		client, server, up, down := pair(t, Config{Deflate: deflate})
		want := []byte(strings.Repeat("κόσμε ", 10000))
		must(t, client.Send(forever(), Text, want))
		frame := make([]byte, down.Buffered())
		_, err := down.Read(frame)
		must(t, err)
		for _, part := range [][]byte{frame[:1], frame[1:9], frame[9:40], frame[40 : len(frame)-1]} {
			_, err := up.Write(part)
			must(t, err)
			if _, _, err := server.Receive(brief()); !wait.IsTimeout(err) {
				t.Fatalf("%s: %v", name, err)
			}
		}
		_, err = up.Write(frame[len(frame)-1:])
		must(t, err)
		expect(t, server, Text, want)
	}
}

// A send that ends early has its rest leave before the next message.
func TestSendResumes(t *testing.T) {
	client, server, up, _ := pair(t, Config{})
	up.SetCapacity(1000)
	first, second := bytes.Repeat([]byte("a"), 5000), bytes.Repeat([]byte("b"), 5000)
	if err := client.Send(brief(), Binary, first); !wait.IsTimeout(err) {
		t.Fatal(err)
	}
	if err := client.Send(brief(), Binary, second); !wait.IsTimeout(err) {
		t.Fatal(err)
	}
	up.SetCapacity(0)
	must(t, client.Send(forever(), Binary, second))
	expect(t, server, Binary, first)
	expect(t, server, Binary, second)
}

// One goroutine receives while others send, and each message arrives whole.
func TestBothDirectionsAtOnce(t *testing.T) {
	const count = 300
	client, server, up, down := pair(t, Config{Deflate: compressions["full"]})
	up.SetCapacity(5000)
	down.SetCapacity(5000)
	go func() { // the server echoes
		for {
			opcode, p, err := server.Receive(forever())
			if err != nil || server.Send(forever(), opcode, p) != nil {
				return
			}
		}
	}()
	for i := range 3 {
		go func() {
			for range count {
				_ = client.Send(forever(), Binary, bytes.Repeat([]byte{byte(i)}, 1+rand.IntN(3000)))
				_ = client.Ping(forever(), []byte{byte(i)})
			}
		}()
	}
	for range 3 * count {
		_, p, err := client.Receive(forever())
		must(t, err)
		if len(p) == 0 || bytes.Count(p, p[:1]) != len(p) {
			t.Fatalf("mixed: %q", p)
		}
	}
}

// Two receives at once are a mistake, and the first is none the worse for it.
func TestSecondReceive(t *testing.T) {
	client, server, up, _ := pair(t, Config{})
	done := make(chan error)
	go func() {
		_, _, err := client.Receive(forever())
		done <- err
	}()
	for up.Reads() == 0 {
		runtime.Gosched()
	}
	if _, _, err := client.Receive(forever()); !errors.Is(err, ErrReceiving) {
		t.Error(err)
	}
	must(t, server.Send(forever(), Text, nil))
	must(t, <-done)
}

// Either side can say goodbye; both learn the code and the reason, and nothing can
// be sent any more.
func TestClose(t *testing.T) {
	for _, clientFirst := range []bool{true, false} {
		client, server, _, _ := pair(t, Config{Deflate: compressions["full"]})
		closer, other := client, server
		if !clientFirst {
			closer, other = server, client
		}
		done := make(chan error)
		go func() { done <- closer.Close(forever(), 4321, "done ✓") }()
		_, _, err := other.Receive(forever())
		var how *CloseError
		if !errors.As(err, &how) || how.Code != 4321 || how.Reason != "done ✓" || how.Local || how.Cause != nil {
			t.Fatal(err)
		}
		must(t, other.Close(forever(), NormalClosure, ""))
		must(t, <-done)
		must(t, closer.Close(forever(), NormalClosure, ""))
		for _, c := range []*Conn{closer, other} {
			if err := c.Send(forever(), Text, nil); !errors.As(err, &how) || how.Code != 4321 {
				t.Error(err)
			}
			if ended := c.Ended(); ended == nil || ended.Code != 4321 {
				t.Error(ended)
			}
		}
	}
}

// What arrives before the answer to a goodbye is dropped, without end if the peer
// never stops; the limits hold then.
func TestCloseIgnoresMessages(t *testing.T) {
	client, server, _, _ := pair(t, Config{})
	for range 10 {
		must(t, server.Send(forever(), Binary, make([]byte, 50000)))
	}
	go func() { _, _, _ = server.Receive(forever()); server.Shut() }()
	must(t, client.Close(forever(), NormalClosure, ""))

	client, _, up, _ := pair(t, Config{})
	if err := client.Close(brief(), NormalClosure, ""); !wait.IsTimeout(err) {
		t.Error(err)
	}
	if _, err := up.Write(nil); err == nil {
		t.Error("open after Close")
	}
}

// Close from one goroutine ends the Receive of another.
func TestCloseDuringReceive(t *testing.T) {
	client, server, _, _ := pair(t, Config{})
	go func() { _, _, _ = server.Receive(forever()); server.Shut() }()
	done := make(chan error)
	go func() {
		_, _, err := client.Receive(forever())
		done <- err
	}()
	must(t, client.Close(forever(), GoingAway, ""))
	var how *CloseError
	if err := <-done; !errors.As(err, &how) || how.Code != GoingAway {
		t.Error(err)
	}
}

// What cannot stand in a Close frame is refused before anything is sent.
func TestCloseCodes(t *testing.T) {
	client, _, up, _ := pair(t, Config{})
	for _, c := range []struct {
		code   uint16
		reason string
	}{{999, ""}, {1004, ""}, {1005, "why"}, {1006, ""}, {1015, ""}, {2000, ""}, {5000, ""}, {1000, strings.Repeat("x", 124)}, {1000, "\xff"}} {
		var wrong *CodeError
		if err := client.Close(forever(), c.code, c.reason); !errors.As(err, &wrong) {
			t.Errorf("%d %q: %v", c.code, c.reason, err)
		}
	}
	if up.Writes() != 0 {
		t.Error("something was sent")
	}
}

// A connection that goes without a goodbye ended with 1006, in a message or not.
func TestLost(t *testing.T) {
	for _, cut := range []string{"", "81", "81 05 4865", "01 05 48656c6c6f"} {
		c, far := wire(t, Config{}, cut)
		must(t, far.Close())
		_, _, err := c.Receive(forever())
		var how *CloseError
		if !errors.As(err, &how) || how.Code != Abnormal {
			t.Errorf("%q: %v", cut, err)
		}
	}
}

// A peer that answers pings lives on; one that is silent is given up with 1011.
func TestKeepAlive(t *testing.T) {
	cfg := Config{PingInterval: 5 * time.Millisecond, PingTimeout: 50 * time.Millisecond}
	client, server, _, down := pair(t, cfg)
	go func() { _, _, _ = server.Receive(forever()) }()
	limited := wait.New(wait.Limits{wait.Read: 200 * time.Millisecond}, nil)
	if _, _, err := client.Receive(limited); !wait.IsTimeout(err) {
		t.Fatal(err)
	}
	if down.Writes() < 3 {
		t.Errorf("%d answers", down.Writes())
	}

	up, down := waittest.Pipe()
	client = New(up, cfg)
	_, _, err := client.Receive(forever())
	var how *CloseError
	if !errors.As(err, &how) || how.Code != InternalError {
		t.Fatal(err)
	}
	if got := told(t, down); got != InternalError {
		t.Errorf("told %d", got)
	}
}

// An answer that came while nobody received counts.
func TestKeepAliveUnread(t *testing.T) {
	up, down := waittest.Pipe()
	client := New(up, Config{PingInterval: time.Millisecond, PingTimeout: time.Millisecond})
	defer client.Shut()
	server := New(down, Config{Server: true})
	defer server.Shut()
	if _, _, err := server.Receive(brief()); !wait.IsTimeout(err) {
		t.Fatal(err)
	}
	must(t, server.Send(forever(), Text, nil))
	for !client.silent() {
		runtime.Gosched()
	}
	expect(t, client, Text, nil)
}

// Large messages are read past the buffer, and their memory is not kept.
func TestLargeMessages(t *testing.T) {
	client, server, _, down := pair(t, Config{})
	large := bytes.Repeat([]byte("0123456789"), 1<<20)
	must(t, client.Send(forever(), Binary, large))
	expect(t, server, Binary, large)
	if down.Reads() > 30 {
		t.Errorf("%d reads", down.Reads())
	}
	if _, _, err := server.Receive(brief()); !wait.IsTimeout(err) {
		t.Fatal(err)
	}
	if kept := cap(server.message) + cap(client.spare) + cap(client.out); kept > 2*maxIdleBuffer {
		t.Errorf("%d bytes kept", kept)
	}
}

// A length that is only announced takes no memory.
func TestAnnouncedLength(t *testing.T) {
	c, _ := wire(t, Config{}, "82 7f 00000fffffffffff 00")
	if _, _, err := c.Receive(brief()); !wait.IsTimeout(err) {
		t.Fatal(err)
	}
	if cap(c.message) > 1<<20 {
		t.Errorf("%d bytes", cap(c.message))
	}
}
