// Libcycletls is the shared library behind the Python package cycletls: an HTTP
// client core that speaks TLS, HTTP/1.1 and HTTP/2 as a chosen browser does.
// It is built with -buildmode=c-shared; exports.go holds its verbs.
package main

/*
#include "cycletls.h"

static int run_signals(cycletls_signals signals) { return signals(); }
*/
import "C"

import (
	"runtime"

	"github.com/cycletls/cycletls/golang/internal/library"
	"github.com/cycletls/cycletls/golang/internal/sidecar"
)

// version is set by the build (-DCYCLETLS_VERSION=…) from cycletls/_version.py.
// The Python side refuses a library of another version.
const version = C.CYCLETLS_VERSION

// core is what the handles of this process name.
var core = &library.Library{Serve: sidecar.Starter(version)}

// places is how many goroutines may run at once where there is one processor.
// With a single place Go's monitor takes it from every call that waits in the
// kernel for 20 us and wakes a thread to fill it, in vain: two context switches a
// request. With two, a thread whose response has come finds both held by threads
// that the kernel has put aside; with four they get into each other's way. At
// 32 threads over HTTP/2 three are a tenth quicker than two (all measured).
const places = 3

func init() {
	if runtime.GOMAXPROCS(0) == 1 {
		runtime.GOMAXPROCS(places)
	}
}

// main is never called: the host process has one of its own.
func main() {}

// signalsOf wraps the host's function for the waits of one call.
func signalsOf(signals C.cycletls_signals) func() bool {
	if signals == nil {
		return nil
	}
	return func() bool { return C.run_signals(signals) != 0 }
}
