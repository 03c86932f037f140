package library

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/cycletls/cycletls/golang/internal/capture"
	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/fingerprint"
	"github.com/cycletls/cycletls/golang/internal/wait"
)

// startCapture starts a capture server; closing its handle ends it.
func (l *Library) startCapture(m *envelope.Capture) (any, error) {
	cfg := capture.Config{
		Address: m.Address, TLS: m.TLS, Protocols: m.Protocols, Retry: m.Retry, NoTickets: m.NoTickets,
	}
	if m.CertFile != "" {
		keyFile := m.KeyFile
		if keyFile == "" {
			keyFile = m.CertFile
		}
		pair, err := tls.LoadX509KeyPair(m.CertFile, keyFile)
		if err != nil {
			return nil, invalid("capture: %v", err)
		}
		cfg.Cert = &pair
	}
	server, err := capture.Serve(cfg)
	if err != nil {
		return nil, invalid("capture: %v", err)
	}
	reply := &envelope.Capturing{
		Handle: l.handles.add(server), URL: server.URL(), Authority: string(server.Authority()), Leaf: server.Leaf(),
	}
	if leaf, err := x509.ParseCertificate(reply.Leaf); err == nil {
		pin := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
		reply.KeyPin = base64.StdEncoding.EncodeToString(pin[:])
	}
	return reply, nil
}

// captured waits under the caller's signals: a browser may never come.
func (l *Library) captured(target uint64, m *envelope.Captured, signals func() bool) (any, error) {
	server, ok := l.handles.get(target).(*capture.Server)
	if !ok {
		return nil, closed("capture server")
	}
	want := capture.Want{Requests: m.Requests, Target: m.Target}
	if m.Timeout == 0 {
		want = capture.Want{}
	}
	ctx := wait.New(wait.Limits{wait.Total: m.Timeout}, signals)
	seen, err := server.Log(ctx, want)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(seen)
	if err != nil {
		return nil, err
	}
	return &envelope.Document{Text: string(text)}, nil
}

func imply(m *envelope.Imply) (any, error) {
	logs := make([]*capture.Log, len(m.Captures))
	for i, text := range m.Captures {
		if err := json.Unmarshal([]byte(text), &logs[i]); err != nil || logs[i] == nil {
			return nil, invalid("captures[%d]: %v", i, err)
		}
	}
	source := fingerprint.Source{Browser: m.Browser, Version: m.Version, OS: m.OS, Captured: m.Date}
	profile, err := capture.Imply(m.Name, source, logs...)
	if err != nil {
		return nil, invalid("%v", err)
	}
	return &envelope.Document{Text: string(profile.Document())}, nil
}

func invalid(format string, arguments ...any) error {
	return &envelope.Error{Kind: envelope.InvalidOption, Message: fmt.Sprintf(format, arguments...)}
}
