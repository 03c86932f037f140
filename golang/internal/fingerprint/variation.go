package fingerprint

import (
	"errors"
	"fmt"
	"slices"
)

// Variation is how the ClientHello of connections for one use differs from all
// others.
type Variation struct {
	Protocols []string `json:"protocols"`         // of ALPN, those that are left
	Without   []string `json:"without,omitempty"` // types of extensions that are left out
	// UnlessHTTP1: where the server is known to speak nothing but HTTP/1.1, the
	// hello is as all others are.
	UnlessHTTP1 bool `json:"unless_http1,omitempty"`
}

const http1 = "http/1.1"

func (v *Variation) check() error {
	if !slices.Equal(v.Protocols, []string{http1}) {
		return errors.New(`protocols: only ["http/1.1"] can carry a WebSocket here`)
	}
	for i, kind := range v.Without {
		if _, known := extensionTypes[kind]; !known || kind == "generic" {
			return fmt.Errorf("without[%d]: %q is no type of extension", i, kind)
		}
	}
	return nil
}

// ForWebSocket returns the options of the ClientHello that a WebSocket's
// connection begins with. onlyHTTP1 says that the server is known to speak
// nothing else.
func (p *Profile) ForWebSocket(o HelloOptions, onlyHTTP1 bool) HelloOptions {
	v := p.TLS.WebSocket
	switch {
	case v == nil:
		o.Protocols = []string{http1}
	case !v.UnlessHTTP1 || !onlyHTTP1:
		o.Protocols, o.Without = v.Protocols, v.Without
	}
	return o
}

// ImpliedVariation returns how hellos for one use differ from t: those to
// servers that had spoken HTTP/2, and those to servers that speak HTTP/1.1
// alone. It is nil where there is nothing to say.
func (t *TLS) ImpliedVariation(toHTTP2, toHTTP1 []*SentHello) *Variation {
	if len(toHTTP2) == 0 {
		return nil
	}
	v := &Variation{Protocols: toHTTP2[0].protocols(), UnlessHTTP1: len(toHTTP1) > 0}
	for i := range t.Extensions {
		e := &t.Extensions[i]
		if e.follows() && !slices.ContainsFunc(toHTTP2, func(h *SentHello) bool { return h.find(e.code()) != nil }) {
			v.Without = append(v.Without, e.Type)
		}
	}
	for _, h := range toHTTP1 {
		v.UnlessHTTP1 = v.UnlessHTTP1 && !slices.Equal(h.protocols(), v.Protocols)
	}
	if v.check() != nil || v.Without == nil && !v.UnlessHTTP1 {
		return nil
	}
	return v
}

// follows reports whether an extension is always sent: what goes by ALPN, by the
// length of the hello or by the session that is offered is no variation.
func (e *Extension) follows() bool {
	switch e.Type {
	case "application_settings", "padding", "pre_shared_key", "session_ticket", "grease", "generic":
		return false
	}
	return true
}

func (h *SentHello) protocols() []string {
	if alpn := h.Extension(idALPN); alpn != nil {
		return alpn.Protocols
	}
	return nil
}
