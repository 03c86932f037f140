//go:build !linux

package wait

// watcher watches sockets for a hall. Here it cannot: exchanges of event loops run
// in goroutines.
type watcher struct{}

func (watcher) open(int) error { return nil }

// Watches reports whether sockets can wait here.
func (watcher) Watches() bool { return false }

func (watcher) descriptor() int { return -1 }

func (watcher) arrived(due []*Context) []*Context { return due }

func (watcher) close() {}
