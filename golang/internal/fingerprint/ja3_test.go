package fingerprint

import (
	"slices"
	"strings"
	"testing"
)

// Hellos of clients that are about, old and new.
var knownJA3 = map[string]string{
	"Chrome 83":       "771,4865-4866-4867-49195-49199-49196-49200-52393-52392-49171-49172-156-157-47-53,0-23-65281-10-11-35-16-5-13-18-51-45-43-27-21,29-23-24,0",
	"Chrome 120":      "771,4865-4866-4867-49195-49199-49196-49200-52393-52392-49171-49172-156-157-47-53,17513-65281-0-11-35-51-45-13-27-23-43-5-18-10-65037-16-21,29-23-24,0",
	"Firefox 133":     "771,4865-4867-4866-49195-49199-52393-52392-49196-49200-49162-49161-49171-49172-156-157-47-53,0-23-65281-10-11-35-16-5-34-51-43-13-45-28-27-65037,4588-29-23-24-25-256-257,0",
	"Safari 17":       "771,4865-4866-4867-49196-49195-52393-49200-49199-52392-49162-49161-49172-49171-157-156-53-47-49160-49170-10,0-23-65281-10-11-16-5-13-18-51-45-43-27-21,29-23-24-25,0",
	"OkHttp 4":        "771,4865-4866-4867-49195-49196-52393-49199-49200-52392-49171-49172-156-157-47-53,0-23-65281-10-11-35-16-5-13-51-45-43-21,29-23-24,0",
	"OkHttp 5":        "771,4865-4866-4867-49195-49199-49196-49200-52393-52392-49171-49172-156-157-47-53,0-23-65281-10-11-35-16-5-13-51-45-43-21,29-23-24,0",
	"OpenSSL 1.1":     "771,4866-4867-4865-49196-49200-163-159-52393-52392-52394-49195-49199-162-158-49188-49192-107-106-49187-49191-103-64-49162-49172-57-56-49161-49171-51-50-157-156-61-60-53-47-255,0-11-10-35-22-23-13-43-45-51,29-23-30-25-24,0-1-2",
	"JDK 11":          "771,4866-4865-49196-49195-49200-49199-159-163-158-162-49188-49192-49187-49191-107-106-103-64-49198-49202-49197-49201-49190-49194-49189-49193-49162-49172-49161-49171-57-56-51-50-49157-49167-49156-49166-157-156-61-60-53-47-255,0-5-10-11-13-50-17-23-43-45-51,29-23-24-25,0",
	"TLS 1.2 only":    "771,49195-49199-49196-49200-52393-52392-49171-49172-156-157-47-53,0-23-65281-10-11-35-16-5-13,29-23-24,0",
	"Chromium 156":    "771,4865-4866-4867-49195-49199-49196-49200-52393-52392-49171-49172-156-157-47-53,27-18-43-35-65037-45-51764-51-16-17613-65281-23-10-11-0-5-13,4588-29-23-24,0",
	"with heartbeat":  "771,4865-49195-49199,0-1-15-24-30032-13172-10-11-13-16-43-51-49-22,29-23,0",
	"nothing at all":  "771,47,,,",
	"with a session":  "771,4865-4866-4867-49195,0-10-11-13-16-43-45-51-41,29-23,0",
	"unknown to all":  "771,4865-65000,0-10-11-13-43-51-60000,29,0",
	"shuffled Chrome": "771,4865-4866-4867-49195-49199-49196-49200-52393-52392-49171-49172-156-157-47-53,16-18-0-51-5-65281-43-23-10-45-65037-17513-13-35-11-27,25497-29-23-24,0",
}

// What a string says goes to the wire, whichever profile lends the rest; a
// session's extension only with a session.
func TestJA3ArrivesAsItWasGiven(t *testing.T) {
	for _, base := range shipped {
		for client, text := range knownJA3 {
			want, err := ParseJA3(text)
			if err != nil {
				t.Fatalf("%s: %v", client, err)
			}
			if want.String() != text {
				t.Errorf("%s: written as %s", client, want)
			}
			p, err := want.Apply(load(t, base))
			if err != nil {
				t.Errorf("%s over %s: %v", client, base, err)
				continue
			}
			want.Extensions = slices.DeleteFunc(want.Extensions, func(code Code) bool { return code == 41 })
			sent := send(t, p, HelloOptions{ServerName: "example.org"})
			if got := sent.ja3(t); got.String() != want.String() || p.JA3().String() != want.String() {
				t.Errorf("%s over %s: sent %s", client, base, got)
			}
		}
	}
}

// The hash is that of the notation's definition.
func TestJA3HashIsMD5(t *testing.T) {
	if got := load(t, "firefox-153-linux").JA3().Hash(); got != "6447ab086255d194909d4013b1a89e87" {
		t.Error(got)
	}
}

// GREASE comes along only from a profile of the same family.
func TestJA3TakesGREASEOnlyFromItsFamily(t *testing.T) {
	for client, want := range map[string]bool{"Chrome 83": true, "Chrome 120": true, "Chromium 156": true, "Firefox 133": false, "Safari 17": false, "OkHttp 4": false, "OkHttp 5": false, "OpenSSL 1.1": false} {
		j, err := ParseJA3(knownJA3[client])
		if err != nil {
			t.Fatal(err)
		}
		p, err := j.Apply(load(t, "chrome-156-linux"))
		if err != nil {
			t.Fatal(err)
		}
		sent := send(t, p, HelloOptions{ServerName: "example.org"})
		_, groups := sent.shares(t)
		lists := [][]uint16{sent.ciphers, sent.order, sent.list(t, 10), sent.list(t, 13), groups}
		for i, list := range lists {
			if got := slices.ContainsFunc(list, isGREASE); got != want {
				t.Errorf("%s: GREASE in list %d: %v", client, i, got)
			}
		}
	}
}

// Without supported_versions the hello is one of TLS 1.2.
func TestJA3WithoutVersionsStopsAtTLS12(t *testing.T) {
	j, err := ParseJA3(knownJA3["TLS 1.2 only"])
	if err != nil {
		t.Fatal(err)
	}
	p, err := j.Apply(load(t, "chrome-156-linux"))
	if err != nil {
		t.Fatal(err)
	}
	if p.TLS.MaxVersion != versionTLS12 || !strings.HasPrefix(p.JA4().String(), "t12") {
		t.Errorf("goes up to %04x, JA4 %s", p.TLS.MaxVersion, p.JA4())
	}
}

// Apply leaves its base as it was.
func TestJA3LeavesItsBaseAlone(t *testing.T) {
	base := load(t, "firefox-153-linux")
	before := string(base.Document())
	for _, text := range knownJA3 {
		j, err := ParseJA3(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := j.Apply(base); err != nil {
			t.Fatal(err)
		}
	}
	if string(base.Document()) != before {
		t.Error("the base has changed")
	}
}

// A string that cannot be sent is refused, with the reason.
func TestJA3IsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "1 fields",
		"771,4865,0,29":                "4 fields",
		"771,4865,0,29,0,0":            "6 fields",
		"769,47,0,,":                   "version 769",
		"771-772,47,0,,":               "not one number",
		"771,,0,,":                     "no ciphers",
		"771,047,0,,":                  `ciphers[0]: "047"`,
		"771,47-,0,,":                  `ciphers[1]: ""`,
		"771,65536,0,,":                `ciphers[0]: "65536"`,
		"771,-47,0,,":                  `ciphers[0]: ""`,
		"771,2570-47,0,,":              "ciphers[0]: 2570 is a GREASE",
		"771,47-47,0,,":                "ciphers[1]: 47 is there twice",
		"771,47,0-10,,":                "extension 10",
		"771,47,0,29,":                 "extension 10",
		"771,47,0-11,,":                "extension 11",
		"771,47,0-11,,256":             "point format",
		"771,47,41-0,,":                "last one",
		"771,4865,0-10-43-51,256,":     "",
		"771,4865,0-10-43,29,":         "",
		"md5:6447ab086255d194909d4013": "1 fields",
	} {
		j, err := ParseJA3(text)
		if err == nil {
			_, err = j.Apply(load(t, "chrome-156-linux"))
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "ja3: ") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// FuzzJA3: a string is refused or arrives as it was given.
func FuzzJA3(f *testing.F) {
	for _, text := range knownJA3 {
		f.Add(text)
	}
	base := load(f, "chrome-156-linux")
	f.Fuzz(func(t *testing.T, text string) {
		j, err := ParseJA3(text)
		if err != nil {
			return
		}
		p, err := j.Apply(base)
		if err != nil {
			return
		}
		if j.String() != text {
			t.Fatalf("%q is written as %q", text, j)
		}
		if spec, err := p.Hello(HelloOptions{ServerName: "example.org"}); err != nil || len(spec.Extensions) < len(j.Extensions) {
			t.Fatalf("%d of %d extensions, %v", len(spec.Extensions), len(j.Extensions), err)
		}
	})
}

// The vectors of JA4's definition.
func TestJA4IsComputedAsDefined(t *testing.T) {
	j, err := ParseJA3("771,4865-4866-4867-49195-49199-49196-49200-52393-52392-49171-49172-156-157-47-53,27-0-23-65281-10-11-35-16-5-13-18-51-45-43-17513-21,29-23-24,0")
	if err != nil {
		t.Fatal(err)
	}
	p, err := j.Apply(load(t, "plain"))
	if err != nil {
		t.Fatal(err)
	}
	p.TLS.extension("signature_algorithms").Algorithms = []Code{0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601}
	if got := p.JA4().Hash(); got != "t13d1516h2_8daaf6152771_e5627efa2ab1" {
		t.Error(got)
	}
	p.TLS.extension("alpn").Protocols = []string{"\xab\xcd"}
	if got := p.JA4().String(); !strings.HasPrefix(got, "t13d1516ad_") {
		t.Error(got)
	}
	p.TLS.Extensions = slices.DeleteFunc(p.TLS.Extensions, func(e Extension) bool {
		return e.Type == "alpn" || e.Type == "server_name" || e.Type == "signature_algorithms"
	})
	if got := p.JA4().String(); !strings.HasPrefix(got, "t13i151300_") {
		t.Error(got)
	}
}
