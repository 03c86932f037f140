package node

import "testing"

// Whatever the options are, they are refused or make a request.
func FuzzOptions(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `[1]`, `{"url":"http://a/"}`,
		`{"url":"/","method":"get","headers":{"a":["b",1,null],"c":null,"d":{}},"headerOrder":["a"]}`,
		`{"url":"/","cookies":[{"name":"a","value":1,"domain":"b","path":"c","secure":true},null]}`,
		`{"url":"/","cookies":{"a":"b","c":null},"timeout":1e300,"body":{"type":"Buffer","data":[0]},"bodyBytes":"YQ=="}`,
		`{"url":"/","enableConnectionReuse":false,"forceHTTP3":false,"quicFingerprint":"","protocol":"sse"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		o, err := parse(raw)
		if err != nil {
			return
		}
		_, _ = o.jar()
		if r := o.request(); r.URL == "" || r.Method != o.method {
			t.Errorf("%+v", r)
		}
	})
}
