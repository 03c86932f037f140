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

// served waits under the caller's signals: it may serve for ever.
func (l *Library) served(target uint64, signals func() bool) (any, error) {
	server, ok := l.handles.get(target).(Sidecar)
	if !ok {
		return nil, closed("sidecar")
	}
	if err := server.Await(wait.New(wait.Limits{}, signals)); err != nil {
		return nil, err
	}
	return new(envelope.Done), nil
}
