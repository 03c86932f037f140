package node

import (
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/cycletls/cycletls/golang/internal/engine"
	"github.com/cycletls/cycletls/golang/internal/envelope"
)

// maxSessions is how many configurations of a client keep their connections.
const maxSessions = 32

// sessions are those of one client, one for each configuration that its requests
// have named lately.
type sessions struct {
	defaults *envelope.Node

	mu   sync.Mutex
	open map[configuration]*session
	uses uint64
}

// session is made by the first request that needs it.
type session struct {
	*engine.Session
	make sync.Once
	err  error

	users int    // requests under way
	used  uint64 // when, in uses
}

// take returns the session of a configuration; give takes it back.
func (s *sessions) take(c configuration) (*session, error) {
	made := s.enter(c)
	made.make.Do(func() {
		var config *envelope.Session
		if config, made.err = s.with(&c); made.err == nil {
			made.Session, made.err = engine.NewSession(config, nil)
		}
	})
	if made.err != nil {
		s.forget(c, made)
		return nil, made.err
	}
	return made, nil
}

func (s *sessions) enter(c configuration) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	made := s.open[c]
	if made == nil {
		s.makeRoom()
		made = new(session)
		s.open[c] = made
	}
	s.uses++
	made.users, made.used = made.users+1, s.uses
	return made
}

// makeRoom closes the session that has been idle the longest, when there are many.
func (s *sessions) makeRoom() {
	if len(s.open) < maxSessions {
		return
	}
	var oldest *session
	var its configuration
	for c, candidate := range s.open {
		if candidate.users == 0 && (oldest == nil || candidate.used < oldest.used) {
			oldest, its = candidate, c
		}
	}
	if oldest != nil {
		delete(s.open, its)
		oldest.Close()
	}
}

func (s *sessions) give(made *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	made.users--
}

// forget drops a session that could not be made.
func (s *sessions) forget(c configuration, failed *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[c] == failed {
		delete(s.open, c)
	}
}

// close closes all of them; no request is under way any more.
func (s *sessions) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, made := range s.open {
		made.Close()
	}
	clear(s.open)
}

// with puts a configuration over what holds for everybody.
func (s *sessions) with(c *configuration) (*envelope.Session, error) {
	config := s.defaults.Session
	config.Async = true
	config.Identity = envelope.Identity{
		JA3: c.ja3, JA4R: c.ja4r, HTTP2Fingerprint: c.http2Fingerprint, DisableGREASE: c.disableGREASE,
	}
	switch {
	case c.profile != "":
		if config.Profile = s.named(c.profile); config.Profile == "" {
			return nil, &optionError{"profile", "there is none that is called " + strconv.Quote(c.profile)}
		}
	case c.ja3 != "" || c.ja4r != "":
		config.Bases = s.defaults.Bases
	default:
		config.Profile = s.defaults.Profile
	}
	config.ServerName, config.LocalAddress = c.serverName, c.localAddress
	config.InsecureSkipVerify, config.ForceHTTP1 = c.insecure, c.forceHTTP1
	config.EnableConnectionReuse = !c.noReuse
	if c.proxy != "" {
		config.Proxies, config.NoProxy = []envelope.ProxyRule{{Match: "all", URL: c.proxy, Option: "proxy"}}, ""
	}
	return &config, nil
}

// named returns the document that a name means; which these are is for whoever
// started the sidecar to say.
func (s *sessions) named(name string) string {
	name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
	for i, names := range s.defaults.Names {
		if slices.Contains(names, name) {
			return s.defaults.Bases[i]
		}
	}
	return ""
}
