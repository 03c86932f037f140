//go:build !linux

package wait

import "time"

// canSleep: threads wait on channels, as goroutines do.
const canSleep = false

type thread struct{}

func (*thread) reset()              {}
func (*thread) wake()               {}
func (*thread) sleep(time.Duration) {}
