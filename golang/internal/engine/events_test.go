package engine

import (
	"testing"
	"time"

	"github.com/cycletls/cycletls/golang/internal/sse"
)

// The time between attempts doubles with each failure after the first, up to a limit
// that only the server can raise, and is then spread by a quarter.
func TestReconnectionIsPutOff(t *testing.T) {
	for _, c := range []struct {
		says   string
		failed int
		least  time.Duration
	}{
		{"", 1, time.Second},
		{"", 2, 2 * time.Second},
		{"", 4, 8 * time.Second},
		{"", 10, maxBackoff},
		{"retry: 300000\n\n", 5, 5 * time.Minute},
		{"retry: 0\n\n", 5, 0},
	} {
		e := events{parser: sse.NewParser("", 0), failed: c.failed}
		if _, _, err := e.parser.Feed([]byte(c.says)); err != nil {
			t.Fatal(err)
		}
		seen := make(map[time.Duration]bool)
		for range 100 {
			delay := e.delay(time.Second)
			if seen[delay] = true; delay < c.least || delay > c.least+c.least/4 {
				t.Errorf("%q, %d failures: %v, want %v or a quarter more", c.says, c.failed, delay, c.least)
			}
		}
		if spread := len(seen) > 1; spread != (c.failed > 1 && c.least > 0) {
			t.Errorf("%q, %d failures: %d delays", c.says, c.failed, len(seen))
		}
	}
}
