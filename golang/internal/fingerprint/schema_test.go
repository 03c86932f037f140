package fingerprint

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// The published schema, which is made of Python's model, names what Parse reads
// and nothing else.
func TestSchemaNamesWhatIsRead(t *testing.T) {
	text, err := os.ReadFile("../../../docs/profile.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	type part struct{ Properties map[string]any }
	var schema struct {
		part
		Parts map[string]part `json:"$defs"`
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		named part
		read  any
	}{
		"the profile": {schema.part, Profile{}}, "source": {schema.Parts["Source"], Source{}},
		"tls": {schema.Parts["TLSProfile"], TLS{}}, "an extension": {schema.Parts["Extension"], Extension{}},
		"a key share": {schema.Parts["KeyShare"], KeyShare{}}, "tls.websocket": {schema.Parts["Variation"], Variation{}},
		"http1": {schema.Parts["HTTP1Profile"], HTTP1{}}, "http2": {schema.Parts["HTTP2Profile"], HTTP2{}},
		"http2.upload": {schema.Parts["Upload"], Upload{}}, "a priority": {schema.Parts["Priority"], Priority{}},
		"a PRIORITY frame": {schema.Parts["PriorityFrame"], PriorityFrame{}},
	} {
		var read []string
		for _, field := range reflect.VisibleFields(reflect.TypeOf(c.read)) {
			if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
				read = append(read, name)
			}
		}
		slices.Sort(read)
		if named := slices.Sorted(maps.Keys(c.named.Properties)); !slices.Equal(named, read) {
			t.Errorf("%s: the schema names %q, Parse reads %q", name, named, read)
		}
	}
	if len(schema.Parts) != 10 {
		t.Errorf("%d parts", len(schema.Parts))
	}
}
