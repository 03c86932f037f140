package wait

import "testing"

type waking func()

func (f waking) Awake() { f() }

// A guest that fails takes nobody with it: what woke the others is told only once.
func TestAPanicLeavesTheOtherGuestsAwake(t *testing.T) {
	h, err := NewHall()
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	awake := false
	NewGuest(Limits{}, h, waking(func() { panic("a fault of ours") })).Wake()
	NewGuest(Limits{}, h, waking(func() { awake = true })).Wake()
	for range 3 {
		func() {
			defer func() { _ = recover() }() // as Library.Drain does
			h.Visit()
		}()
	}
	if !awake {
		t.Error("the other guest sleeps for ever")
	}
}

// A leader rings who was a guest when it was chosen, after it has given the lock back
// (http2.Conn.release); meanwhile the guest may have begun to wait in a goroutine.
func TestABellIsResetWhileItIsRung(t *testing.T) {
	h, err := NewHall()
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for range 200 {
		ctx := NewGuest(Limits{}, h, waking(func() {}))
		var bell Bell
		bell.Call(ctx)
		rung := make(chan struct{})
		go func() {
			defer close(rung)
			bell.Ring()
		}()
		bell.Reset(ctx)
		<-rung
	}
}
