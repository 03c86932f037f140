package proxy

import (
	"errors"
	"strings"
	"testing"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

// A proxy's URL names scheme, host, port and who asks; the port of each scheme
// is its own, and the scheme without a name is http.
func TestParse(t *testing.T) {
	for text, want := range map[string]Proxy{
		"http://h":                      {Scheme: "http", Host: "h", Port: 80},
		"h:8080":                        {Scheme: "http", Host: "h", Port: 8080},
		"u:p@h:8080/":                   {Scheme: "http", Host: "h", Port: 8080, User: "u", Password: "p", HasUser: true},
		" HTTPS://Bücher.example ":      {Scheme: "https", Host: "xn--bcher-kva.example", Port: 443},
		"http://[::1]:3128":             {Scheme: "http", Host: "::1", Port: 3128},
		"socks4://me@h":                 {Scheme: "socks4", Host: "h", Port: 1080, User: "me", HasUser: true},
		"socks4a://h:80":                {Scheme: "socks4a", Host: "h", Port: 80},
		"socks5://h":                    {Scheme: "socks5", Host: "h", Port: 1080},
		"socks5h://u%40:p%3a%2F%25@h:1": {Scheme: "socks5h", Host: "h", Port: 1, User: "u@", Password: "p:/%", HasUser: true},
	} {
		if got, err := Parse(text); err != nil || *got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

// What is no proxy's URL is refused, and the refusal tells no password.
func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"", "http://", "ftp://u:secret@h", "h:x", "http://u:secret@h:x", "http://u:sec/ret@h", "h:0", "http://u:secret@h/path",
		"http://h?q", "http://h#f", "http://h\r\nX: 1", "http://a b", "http://[::1%25eth0]", "secret://@h",
		"socks4://u:secret@h", "socks4://u%00@h", "socks5://:secret@h", "socks5://" + strings.Repeat("u", 256) + "@h",
		"socks5h://u:" + strings.Repeat("secret", 50) + "@h", "http://u%3ax:secret@h", "u:secret://x@h", "http://" + strings.Repeat("a", 254),
	} {
		got, err := Parse(text)
		if err == nil {
			t.Errorf("%q: %+v", text, got)
		} else if strings.Contains(err.Error(), "secret") && text != "secret://@h" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// An error names the proxy and not who asked it; the end of an exchange is no
// fault of the proxy's.
func TestErrorNamesTheProxyOnly(t *testing.T) {
	p, _ := Parse("socks5h://user:secret@h")
	err := p.Failed(errors.New("lost"))
	if err.Error() != "proxy socks5h://h:1080: lost" || p.Failed(err) != err {
		t.Error(err)
	}
	if err := p.Failed(wait.ErrCancelled); err != wait.ErrCancelled {
		t.Error(err)
	}
	if p.Failed(nil) != nil {
		t.Error("an error out of nothing")
	}
}
