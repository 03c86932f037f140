package library

import (
	"fmt"
	"runtime"

	"github.com/cycletls/cycletls/golang/internal/capture"
	"github.com/cycletls/cycletls/golang/internal/engine"
	"github.com/cycletls/cycletls/golang/internal/engine/cookie"
	"github.com/cycletls/cycletls/golang/internal/envelope"
)

// control handles every message but a request.
func (l *Library) control(target uint64, incoming any, signals func() bool) (any, error) {
	switch m := incoming.(type) {
	case *envelope.Session:
		return l.makeSession(m)
	case *envelope.Capture:
		return l.startCapture(m)
	case *envelope.Captured:
		return l.captured(target, m, signals)
	case *envelope.Imply:
		return imply(m)
	case *envelope.Serve:
		return l.serve(m)
	case *envelope.Served:
		return l.served(target, signals)
	case *envelope.Describe:
		return engine.Describe(&m.Identity)
	case *envelope.Stats:
		return l.stats(), nil
	case *envelope.MakeQueue:
		return l.makeQueue()
	case *envelope.MakeToken:
		return &envelope.Made{Handle: l.handles.add(new(token))}, nil
	}
	switch incoming.(type) {
	case *envelope.Undecode:
		return l.undecode(target)
	case *envelope.Watch:
		return l.watch(target)
	}
	session, ok := l.handles.get(target).(*session)
	if !ok {
		return nil, closed("session")
	}
	switch m := incoming.(type) {
	case *envelope.Cookies:
		return cookies(session.Jar(), m)
	case *envelope.CopyJar:
		return &envelope.Made{Handle: l.handles.add(session.Jar().Copy())}, nil
	case *envelope.Certificates:
		return &envelope.CertificateChain{Certificates: session.Certificates(m.Connection)}, nil
	}
	return nil, &envelope.Error{Kind: envelope.InvalidMessage, Message: fmt.Sprintf("%T has no handler", incoming)}
}

func (l *Library) undecode(target uint64) (any, error) {
	x, err := l.use(target, host{})
	if err != nil {
		return nil, err
	}
	defer x.mu.Unlock()
	x.Undecode()
	return new(envelope.Done), nil
}

func (l *Library) makeSession(m *envelope.Session) (any, error) {
	var jar *cookie.Jar
	if m.CookieJar != 0 {
		owner, ok := l.handles.get(m.CookieJar).(*session)
		if !ok {
			return nil, closed("session whose cookies are to be shared")
		}
		jar = owner.Jar()
	}
	made, err := engine.NewSession(m, jar)
	if err != nil {
		return nil, err
	}
	return &envelope.Made{Handle: l.handles.add(&session{Session: made})}, nil
}

func cookies(jar *cookie.Jar, m *envelope.Cookies) (any, error) {
	switch m.Action {
	case "list":
	case "set":
		for _, c := range m.Set {
			if err := jar.Set(c); err != nil {
				return nil, err
			}
		}
	case "delete":
		jar.Delete(m.Name, m.Domain, m.Path)
	case "clear":
		jar.Clear()
	default:
		return nil, &envelope.Error{Kind: envelope.InvalidMessage, Message: fmt.Sprintf("cookies: unknown action %q", m.Action)}
	}
	return &envelope.CookieList{Cookies: jar.All()}, nil
}

func (l *Library) stats() *envelope.StatsReply {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	reply := &envelope.StatsReply{Goroutines: runtime.NumGoroutine(), HeapBytes: memory.HeapAlloc}
	l.handles.each(func(value any) {
		switch live := value.(type) {
		case *session:
			reply.Sessions++
			reply.Connections += live.Connections()
		case *exchange:
			reply.Exchanges++
		case *capture.Server:
			reply.Captures++
		}
	})
	return reply
}
