package http1

import (
	"testing"

	"github.com/cycletls/cycletls/golang/internal/message"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

type nobody struct{}

func (nobody) Awake() {}

// A request that left late was sent: should its connection be lost, it may have been seen.
func TestWhatWasHeldAndLeftWasSent(t *testing.T) {
	s := newSession(t)
	hall, err := wait.NewHall()
	if err != nil {
		t.Fatal(err)
	}
	defer hall.Close()
	ctx := wait.NewGuest(wait.Limits{}, hall, nobody{})
	s.client.SetCapacity(1)
	s.client.SetWriteContext(wait.Now)
	if n, err := s.client.Write([]byte("x")); n != 1 || err != nil { // no room at all
		t.Fatal(n, err)
	}
	stream := s.openWith(ctx)
	if err := stream.WriteHead(&message.Request{Method: "POST", Path: "/", Authority: "example.org", Fields: message.Fields{{Name: "Host", Value: "example.org"}}}); err != nil {
		t.Fatal(err)
	}
	if got := stream.Delivery(); got != message.Unsent {
		t.Fatalf("before there was room: %v", got)
	}
	s.client.SetCapacity(1 << 20)
	if _, err := stream.ReadHead(); err != wait.ErrMustStay {
		t.Fatalf("ReadHead = %v", err)
	}
	ctx.Stay()
	check(t, stream.(interface{ sendRest() error }).sendRest())
	if got := stream.Delivery(); got != message.Sent {
		t.Errorf("the server has all of it, and Delivery is %v", got)
	}
}
