package library

import (
	"sync"

	"github.com/cycletls/cycletls/golang/internal/wait"
)

// group is what ends together: the exchanges of a session, those that one cancel
// token was given to, the one that a verb in the background works on. The zero
// value is ready for use.
type group struct {
	mu    sync.Mutex
	cause error // why it has ended
	live  map[*wait.Context]struct{}
}

// enter makes an exchange end with the group; where that has ended, at once.
func (g *group) enter(ctx *wait.Context) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cause != nil {
		ctx.Cancel(g.cause)
		return
	}
	if g.live == nil {
		g.live = make(map[*wait.Context]struct{}, 1)
	}
	g.live[ctx] = struct{}{}
}

// leave takes an exchange out that has ended by itself.
func (g *group) leave(ctx *wait.Context) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.live, ctx)
}

// end ends all that is in the group, and what enters it later.
func (g *group) end(cause error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cause != nil {
		return
	}
	g.cause = cause
	for ctx := range g.live {
		ctx.Cancel(cause)
	}
	g.live = nil
}
