package library

import (
	"os"
	"sync"
	"testing"

	"github.com/cycletls/cycletls/golang/internal/envelope"
)

// A number names its value until it is taken back, and nothing afterwards.
func TestHandleNamesOnlyItsOwnValue(t *testing.T) {
	var h handles
	first := h.add("first")
	if h.get(first) != "first" || h.remove(first) != "first" {
		t.Fatal("the value is not there")
	}
	second := h.add("second")
	if h.get(first) != nil || h.remove(first) != nil {
		t.Error("a number that was taken back names its successor")
	}
	if h.get(second) != "second" {
		t.Error("the successor is gone")
	}
}

// Numbers that were never given out name nothing.
func TestMadeUpHandlesNameNothing(t *testing.T) {
	var h handles
	real := h.add("real")
	for _, number := range []uint64{0, 1, real + 1, real + 1<<32, ^uint64(0)} {
		if h.get(number) != nil || h.remove(number) != nil {
			t.Errorf("%#x names something", number)
		}
	}
}

// Many threads make and close handles at once without ever seeing another's.
func TestHandlesUnderManyThreads(t *testing.T) {
	var h handles
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for range 2000 {
				number := h.add(worker)
				if h.get(number) != worker || h.remove(number) != worker || h.remove(number) != nil {
					t.Error("a handle named another's value")
					return
				}
			}
		})
	}
	all.Wait()
	h.each(func(value any) { t.Errorf("%v is left", value) })
}

// A copy of a jar lasts until its handle is closed; a request that names it
// afterwards is refused instead of falling back on the session's cookies.
func TestCopiedJarEndsWithItsHandle(t *testing.T) {
	b := newBench(t, &envelope.Capture{TLS: true})
	document, err := os.ReadFile("../../../cycletls/browsers/plain.json")
	if err != nil {
		t.Fatal(err)
	}
	session := b.session(string(document), nil)
	jar := b.ask(session, &envelope.CopyJar{}).(*envelope.Made).Handle
	b.send(session, &envelope.Request{Method: "GET", URL: "/", Jar: jar}, "")
	if !b.Close(jar) || b.Close(jar) {
		t.Error("closed not once")
	}
	reply := b.request(session, &envelope.Request{Method: "GET", URL: b.server.URL, Jar: jar}, nil, given(nil), host{})
	if failure, ok := reply.Message.(*envelope.Error); !ok || failure.Kind != envelope.Closed {
		t.Errorf("%+v", reply)
	}
}

// No fault behind a handle ends the host process.
func TestFaultsInCancelAndCloseAreSurvived(t *testing.T) {
	var l Library
	handle := l.handles.add(&exchange{}) // without a context to cancel
	if l.Cancel(handle) || l.Close(handle) {
		t.Error("a fault is reported as done")
	}
}
