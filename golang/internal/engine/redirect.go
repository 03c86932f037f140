package engine

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cycletls/cycletls/golang/internal/engine/target"
	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/fingerprint"
	"github.com/cycletls/cycletls/golang/internal/message"
)

// TooManyRedirectsError is a chain of redirects beyond the limit.
type TooManyRedirectsError struct{ Limit int }

func (e *TooManyRedirectsError) Error() string {
	return fmt.Sprintf("more redirects than the limit of %d", e.Limit)
}

// RedirectError is a redirect that must not be followed.
type RedirectError struct{ Cause error }

func (e *RedirectError) Error() string { return "redirect refused: " + e.Cause.Error() }
func (e *RedirectError) Unwrap() error { return e.Cause }

// UnrewindableError is a redirect that wants a body again which is gone.
type UnrewindableError struct{ Status int }

func (e *UnrewindableError) Error() string {
	return fmt.Sprintf("a redirect with status %d wants the body again, which cannot be read twice", e.Status)
}

// redirect follows the response where it leads to another request, or leaves it
// to the driver with that request prepared.
func (x *Exchange) redirect(head *message.Response) (followed bool, err error) {
	policy := x.session.config.Redirects
	if x.request.Redirects != nil {
		policy = *x.request.Redirects
	}
	if !policy.Follow || !isRedirect(head.Status) {
		return false, nil
	}
	location, err := locationOf(head.Fields)
	if err != nil || location == "" {
		return false, err
	}
	if x.intent.hops >= policy.Max {
		return false, &TooManyRedirectsError{policy.Max}
	}
	to, err := x.intent.url.Resolve(location)
	if err != nil {
		return false, &RedirectError{err}
	}
	if x.intent.url.Secure() && !to.Secure() && !policy.AllowDowngrade {
		return false, &RedirectError{errors.New("it leads from https to http")}
	}
	next := x.intent.after(head.Status, to, x.session.config.Headers)
	if next.hasBody && x.request.Body.Streamed {
		if !x.request.Body.Replayable {
			return false, &UnrewindableError{head.Status}
		}
		return false, x.handOver(&next)
	}
	if x.request.ManualRedirects {
		return false, x.handOver(&next)
	}
	return true, x.follow(&next, head)
}

func isRedirect(status int) bool {
	switch status {
	case 301, 302, 303, 307, 308:
		return true
	}
	return false
}

// locationOf returns "" where there is none. Two that differ are an attack or a
// fault; no choice between them is right.
func locationOf(fields message.Fields) (string, error) {
	found := ""
	for i := range fields {
		if !same(fields[i].Name, "Location") {
			continue
		}
		if found != "" && found != fields[i].Value {
			return "", &RedirectError{errors.New("two Location fields that differ")}
		}
		found = fields[i].Value
	}
	return found, nil
}

// after returns the intent of the next hop (RFC 9110 section 15.4). What belongs
// to the origin that is left stays behind, and does not come back (CVE-2024-45336).
func (i *intent) after(status int, to *target.URL, session []envelope.HeaderChange) intent {
	next := *i
	next.url = to
	next.hops++
	if status == 303 && i.method != "HEAD" || (status == 301 || status == 302) && i.method == "POST" {
		next.method, next.hasBody, next.length = "GET", false, 0
		next.changes = without(next.changes, session, describesBody)
		if i.kind == fingerprint.Navigate || i.url.SameOrigin(to) {
			// Origin goes with GET only where a script asks another origin (Fetch section 3.2).
			next.changes = without(next.changes, session, func(name string) bool { return same(name, "Origin") })
		}
	}
	if i.url.SameOrigin(to) {
		next.url = to.InheritUserinfo(i.url)
	} else {
		next.changes = without(next.changes, session, staysBehind)
		next.cookies, next.auth, next.host, next.foreign = nil, nil, "", true
	}
	return next
}

// without drops the caller's fields that match and removes those of the session.
func without(changes, session []envelope.HeaderChange, match func(name string) bool) []envelope.HeaderChange {
	matches := func(c envelope.HeaderChange) bool { return !c.Remove && match(c.Name) }
	kept := slices.DeleteFunc(slices.Clone(changes), matches)
	for _, c := range session {
		if matches(c) && !mentions(kept, c.Name) {
			kept = append(kept, envelope.HeaderChange{Name: c.Name, Remove: true})
		}
	}
	return kept
}

// handOver leaves the next request to the driver, complete in that nothing of
// this one needs to be known: what the session would add again is taken out.
func (x *Exchange) handOver(next *intent) error {
	x.response.Redirect = &envelope.Redirect{
		Method:   next.method,
		URL:      next.url.WithUserinfo(),
		Kind:     next.kind,
		KeepBody: next.hasBody,
		Headers:  next.changes,
		Foreign:  next.foreign,
		Hops:     next.hops,
	}
	return nil
}

// follow ends this hop and sends the next request.
func (x *Exchange) follow(next *intent, head *message.Response) error {
	x.discard(head)
	x.response.History = append(x.response.History, x.response)
	last := &x.response.History[len(x.response.History)-1]
	last.History = nil
	x.response = envelope.Response{History: x.response.History}
	x.intent = *next
	x.hop = hop{began: time.Now()}
	return x.send()
}

// drainLimit is how much of an unwanted body is read to keep its connection:
// about what arrives in the time that a new one takes.
const drainLimit = 64 << 10

// discard reads a short body to its end, as it is on the wire: a bomb stays
// packed. A long one costs its connection.
func (x *Exchange) discard(head *message.Response) {
	if head.Length <= drainLimit {
		var scratch [4 << 10]byte
		for total := 0; total <= drainLimit; {
			n, err := x.hop.stream.Read(scratch[:])
			if total += n; err != nil {
				break
			}
		}
	}
	x.hop.stream.Close()
	x.hop.stream = nil
}
