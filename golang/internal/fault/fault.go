// Package fault keeps a panic of ours from ending the host process.
package fault

import (
	"fmt"
	"runtime/debug"
)

// Error is a panic.
type Error struct {
	Value any
	Stack string
}

// New returns what a panic with this value was; call it where that is recovered.
func New(value any) *Error { return &Error{value, string(debug.Stack())} }

func (e *Error) Error() string { return fmt.Sprintf("%v\n%s", e.Value, e.Stack) }

// Catch makes an error of a panic. It must be deferred itself.
func Catch(err *error) {
	if value := recover(); value != nil {
		*err = New(value)
	}
}

// Survive is Catch for what has no error to return, and nobody to tell.
func Survive() { _ = recover() }
