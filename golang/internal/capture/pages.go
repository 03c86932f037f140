package capture

import (
	_ "embed"
	"strconv"
	"strings"

	"github.com/cycletls/cycletls/golang/internal/fingerprint"
)

// Whoever opens /pages/start with a browser makes it send every kind of request,
// each to a path that names its kind. The last one is to Done.
const (
	pages = "/pages/"
	Start = pages + "start"
	Done  = pages + "done"
)

// page is what a path of pages answers; ends says that the connection goes with
// it, so that the next request needs another one and offers a session; followed,
// that it is only asked for by who follows a redirect.
type page struct {
	kind     string
	ends     bool
	followed bool
	status   int
	fields   []Field
	body     string
}

//go:embed pages/all.html
var pageAll string

//go:embed pages/again.html
var pageAgain string

//go:embed pages/resumed.html
var pageResumed string

const (
	html = "text/html; charset=utf-8"
	svg  = `<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>`
)

// Two cookies, because clients write a long and a short one differently.
var pageCookies = []Field{
	{"set-cookie", "visit=1; Path=/pages"},
	{"set-cookie", "session=0123456789abcdef0123456789abcdef; Path=/pages"},
}

var allPages = map[string]page{
	"start":     {kind: fingerprint.Navigate, status: 303, fields: []Field{{"location", pages + "all"}}},
	"all":       {kind: fingerprint.Navigate, followed: true, fields: append([]Field{{"content-type", html}}, pageCookies...), body: pageAll},
	"navigate":  {kind: fingerprint.Navigate, fields: []Field{{"content-type", html}}, body: "<!doctype html>"},
	"form":      {kind: fingerprint.Navigate, status: 303, fields: []Field{{"location", pages + "again"}}},
	"again":     {kind: fingerprint.Navigate, followed: true, ends: true, fields: []Field{{"content-type", html}}, body: pageAgain},
	"turn":      {kind: fingerprint.Navigate, status: 303, fields: []Field{{"location", pages + "resumed"}}},
	"resumed":   {kind: fingerprint.Navigate, followed: true, fields: []Field{{"content-type", html}}, body: pageResumed},
	"fetch":     {kind: fingerprint.Fetch, fields: []Field{{"content-type", "text/plain"}}},
	"moved":     {kind: fingerprint.Fetch, status: 303, fields: []Field{{"location", pages + "fetched"}}},
	"fetched":   {kind: fingerprint.Fetch, followed: true, fields: []Field{{"content-type", "text/plain"}}},
	"upload":    {kind: fingerprint.Fetch, fields: []Field{{"content-type", "text/plain"}}},
	"done":      {kind: fingerprint.Fetch, fields: []Field{{"content-type", "text/plain"}}},
	"xhr":       {kind: fingerprint.XHR, fields: []Field{{"content-type", "text/plain"}}},
	"image":     {kind: fingerprint.Image, fields: []Field{{"content-type", "image/svg+xml"}}, body: svg},
	"websocket": {kind: fingerprint.WebSocket, fields: []Field{{"content-type", "text/plain"}}},
}

// pageOf finds the page of a request's target.
func pageOf(target string) (page, bool) {
	path, _, _ := strings.Cut(target, "?")
	name, ok := strings.CutPrefix(path, pages)
	found, known := allPages[name]
	return found, ok && known
}

// kindOf says which kind of request this is: by its path where that is one of
// ours, else by what browsers say of it themselves (Fetch Metadata).
func kindOf(r *Request) string {
	if found, ok := pageOf(r.Target); ok {
		return found.kind
	}
	destination := value(r.Fields, "sec-fetch-dest")
	switch {
	case isWebSocket(r):
		return fingerprint.WebSocket
	case destination == "empty":
		return fingerprint.Fetch
	case destination == "image":
		return fingerprint.Image
	}
	return fingerprint.Navigate
}

// reply is an answer in the terms that both versions share.
type reply struct {
	status  int
	fields  []Field
	content []byte
	ends    bool
}

// answer is a page, or the report of the request.
func (c *connection) answer(request *Request) (*reply, error) {
	request.Kind = kindOf(request)
	report, err := c.report(request)
	if err != nil {
		return nil, err
	}
	found, ok := pageOf(request.Target)
	if !ok {
		fields := []Field{{"content-type", "application/json"}, {"content-length", strconv.Itoa(len(report))}}
		return &reply{status: 200, fields: fields, content: report}, nil
	}
	r := &reply{status: max(found.status, 200), content: []byte(found.body), ends: found.ends}
	r.fields = append([]Field{{"cache-control", "no-store"}, {"content-length", strconv.Itoa(len(found.body))}}, found.fields...)
	return r, nil
}
