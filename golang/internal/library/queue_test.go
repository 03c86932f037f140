package library

import (
	"encoding/base64"
	"maps"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/tinylib/msgp/msgp"

	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// get writes a request to the core.
func get(url string, token uint64) string {
	b := msgp.AppendMapHeader(nil, 4)
	for _, text := range []string{"type", "request", "method", "GET", "url", url, "cancel"} {
		b = msgp.AppendString(b, text)
	}
	return base64.StdEncoding.EncodeToString(msgp.AppendUint64(b, token))
}

// inBackground makes a session for work that is submitted.
func (b *bench) inBackground() uint64 {
	document, err := os.ReadFile("../../../cycletls/browsers/plain.json")
	if err != nil {
		b.Fatal(err)
	}
	return b.session(string(document), func(m *envelope.Session) { m.Async = true })
}

// results drains a queue until so much is done.
func (b *bench) results(queue uint64, count int) map[uint64]int {
	done := make(map[uint64]int)
	for end := time.Now().Add(20 * time.Second); len(done) < count; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			b.Fatalf("%d of %d are done", len(done), count)
		}
		b.Drain(queue, func(c *Completion) bool {
			done[c.Ticket] = c.Reply.Status
			return true
		})
	}
	return done
}

// Each piece of work is told of once, under its ticket.
func TestEveryTicketIsAnswered(t *testing.T) {
	b := newBench(t, &envelope.Capture{TLS: true})
	queue := b.ask(0, &envelope.MakeQueue{}).(*envelope.Queue).Handle
	defer b.Close(queue)
	session := b.inBackground()
	text := get(b.server.URL, 0)
	want := make(map[uint64]int)
	for range 300 {
		want[b.Submit(queue, Work{Verb: VerbCall, Target: session, Text: text})] = 200
	}
	want[b.Submit(queue, Work{Verb: VerbCall, Target: session, Text: "@"})] = Failed
	want[b.Submit(queue, Work{Verb: VerbRead, Target: 12345})] = Failed
	want[b.Submit(queue, Work{Verb: 99})] = Failed
	if got := b.results(queue, len(want)); !maps.Equal(got, want) {
		t.Errorf("%d tickets, %d answers, or other ones", len(want), len(got))
	}
}

// silent is a listener that never answers.
func silent(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return "http://" + listener.Addr().String()
}

// A ticket can be cancelled, at any time; so can those who hold a token.
func TestTicketsAndTokensCancel(t *testing.T) {
	b := newBench(t, &envelope.Capture{TLS: true})
	queue := b.ask(0, &envelope.MakeQueue{}).(*envelope.Queue).Handle
	defer b.Close(queue)
	token := b.ask(0, &envelope.MakeToken{}).(*envelope.Made).Handle
	defer b.Close(token)
	session := b.inBackground()
	url := silent(t)
	plain := get(url, 0)
	held := get(url, token)
	want := make(map[uint64]int)
	for n := range 40 {
		ticket := b.Submit(queue, Work{Verb: VerbCall, Target: session, Text: plain})
		want[ticket] = Failed
		want[b.Submit(queue, Work{Verb: VerbCall, Target: session, Text: held})] = Failed
		time.Sleep(time.Duration(n%5) * time.Millisecond)
		if !b.Cancel(ticket) {
			t.Error("a ticket names nothing")
		}
	}
	b.Cancel(token)
	if got := b.results(queue, len(want)); !maps.Equal(got, want) {
		t.Errorf("%d tickets, %d answers, or other ones", len(want), len(got))
	}
	for ticket := range want {
		if b.Cancel(ticket) {
			t.Error("a ticket that is done names something")
		}
	}
}

// Closing a queue ends its work and returns when that has ended: nobody uses the
// host's memory afterwards. Nothing can be submitted any more.
func TestClosingAQueueEndsItsWork(t *testing.T) {
	b := newBench(t, &envelope.Capture{TLS: true})
	session := b.inBackground()
	text := get(silent(t), 0)
	for range 10 {
		queue := b.ask(0, &envelope.MakeQueue{}).(*envelope.Queue).Handle
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 20 {
					b.Submit(queue, Work{Verb: VerbCall, Target: session, Text: text})
				}
			})
		}
		b.Close(queue)
		all.Wait()
		if b.Submit(queue, Work{Verb: VerbCall, Target: session, Text: text}) != 0 {
			t.Error("a closed queue takes work")
		}
	}
	b.handles.each(func(value any) {
		switch value.(type) {
		case *operation, *exchange, *queue:
			t.Errorf("%T is left", value)
		}
	})
}

// A group ends what is in it and what comes to it later, and nothing that left.
func TestAGroupEndsTogether(t *testing.T) {
	var g group
	inside, left, late := wait.Background(), wait.Background(), wait.Background()
	g.enter(inside)
	g.enter(left)
	g.leave(left)
	g.end(wait.ErrCancelled)
	g.end(wait.ErrClosed)
	g.enter(late)
	if inside.Err() != wait.ErrCancelled || late.Err() != wait.ErrCancelled || left.Err() != nil {
		t.Errorf("inside: %v, late: %v, left: %v", inside.Err(), late.Err(), left.Err())
	}
}
