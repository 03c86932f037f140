package fingerprint

import (
	"os"
	"path/filepath"
	"testing"
)

const profiles = "../../../cycletls/profiles"

// load parses one of the shipped profiles.
func load(t testing.TB, name string) *Profile {
	t.Helper()
	document, err := os.ReadFile(filepath.Join(profiles, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := Parse(document)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The shipped profiles can be read, and can be written and read again.
func TestShippedProfilesSurviveARoundTrip(t *testing.T) {
	for _, name := range []string{"chrome-156-linux", "firefox-153-linux", "plain"} {
		p := load(t, name)
		again, err := Parse(p.Document())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if string(again.Document()) != string(p.Document()) {
			t.Errorf("%s changes when it is written and read again", name)
		}
	}
}
