package library

import (
	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// serve starts a sidecar; closing its handle ends it.
func (l *Library) serve(m *envelope.Serve) (any, error) {
	if l.Serve == nil {
		return nil, invalid("a sidecar starts no sidecar")
	}
	server, err := l.Serve(m)
	if err != nil {
		return nil, invalid("sidecar: %v", err)
	}
	return &envelope.Serving{Handle: l.handles.add(server), Address: server.Address()}, nil
}

// served waits, it may be for ever: under the caller's signals, else as a whole, so
// that a process which does nothing but serve is at rest.
func (l *Library) served(target uint64, signals func() bool) (any, error) {
	server, ok := l.handles.get(target).(Sidecar)
	if !ok {
		return nil, closed("sidecar")
	}
	ctx := wait.NewPrompt(wait.Limits{})
	if signals != nil {
		ctx = wait.New(wait.Limits{}, signals)
	}
	if err := server.Await(ctx); err != nil {
		return nil, err
	}
	return new(envelope.Done), nil
}
