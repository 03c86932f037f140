package main

/*
#include <stdlib.h>
#include "cycletls.h"
*/
import "C"

import (
	"encoding/base64"
	"sync"
	"time"
	"unsafe"

	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/library"
)

// The numbers of verbs and statuses are those of the header: the lists have no
// gaps, so that the last one tells.
var (
	_ = [1]struct{}{}[C.CYCLETLS_FLUSH-library.VerbFlush]
	_ = [1]struct{}{}[C.CYCLETLS_PENDING-library.Pending]
)

// cycletls_version returns the version the library was built as; the caller
// frees it.
//
//export cycletls_version
func cycletls_version() *C.char {
	return C.CString(version)
}

// cycletls_call handles one message from start to end; see library.Call.
//
//export cycletls_call
func cycletls_call(target C.uint64_t, text *C.char, body unsafe.Pointer, bodySize C.int64_t, buffer unsafe.Pointer, bufferSize C.int64_t, signals C.cycletls_signals, reply *C.cycletls_reply) {
	answer(reply, core.Call(uint64(target), C.GoString(text), view(body, bodySize), view(buffer, bufferSize), signalsOf(signals)))
}

// cycletls_start begins a request whose body follows; see library.Start.
//
//export cycletls_start
func cycletls_start(target C.uint64_t, text *C.char, signals C.cycletls_signals, reply *C.cycletls_reply) {
	answer(reply, core.Start(uint64(target), C.GoString(text), signalsOf(signals)))
}

// cycletls_write sends a piece of a body, or with size 0 ends it; see
// library.Write.
//
//export cycletls_write
func cycletls_write(handle C.uint64_t, piece unsafe.Pointer, size C.int64_t, signals C.cycletls_signals, reply *C.cycletls_reply) {
	answer(reply, core.Write(uint64(handle), view(piece, size), signalsOf(signals)))
}

// cycletls_wait returns the response to a started request; see library.Wait.
//
//export cycletls_wait
func cycletls_wait(handle C.uint64_t, buffer unsafe.Pointer, size C.int64_t, signals C.cycletls_signals, reply *C.cycletls_reply) {
	answer(reply, core.Wait(uint64(handle), view(buffer, size), signalsOf(signals)))
}

// cycletls_read fills a buffer from the body of a response; see library.Read.
//
//export cycletls_read
func cycletls_read(handle C.uint64_t, buffer unsafe.Pointer, size C.int64_t, signals C.cycletls_signals, reply *C.cycletls_reply) {
	answer(reply, core.Read(uint64(handle), view(buffer, size), signalsOf(signals)))
}

// cycletls_receive waits for a message of a WebSocket or an event, so many
// milliseconds at most (0: for ever, below: not at all); see library.Receive.
//
//export cycletls_receive
func cycletls_receive(handle C.uint64_t, limit C.int64_t, buffer unsafe.Pointer, size C.int64_t, signals C.cycletls_signals, reply *C.cycletls_reply) {
	answer(reply, core.Receive(uint64(handle), time.Duration(limit)*time.Millisecond, view(buffer, size), signalsOf(signals)))
}

// cycletls_send says something on a WebSocket; see library.Send.
//
//export cycletls_send
func cycletls_send(handle C.uint64_t, verb C.int32_t, data unsafe.Pointer, size C.int64_t, signals C.cycletls_signals, reply *C.cycletls_reply) {
	answer(reply, core.Send(uint64(handle), library.Verb(verb), view(data, size), signalsOf(signals)))
}

// cycletls_submit has a verb done in the background and returns a ticket, 0 where
// there is no such queue. Body and buffer are the caller's until it is done; see
// library.Submit.
//
//export cycletls_submit
func cycletls_submit(queue C.uint64_t, verb C.int32_t, target C.uint64_t, text *C.char, body unsafe.Pointer, bodySize C.int64_t, buffer unsafe.Pointer, bufferSize C.int64_t) C.uint64_t {
	return C.uint64_t(core.Submit(uint64(queue), library.Work{
		Verb:   library.Verb(verb),
		Target: uint64(target),
		Text:   C.GoString(text),
		Body:   view(body, bodySize),
		Buffer: view(buffer, bufferSize),
	}))
}

// cycletls_drain tells what is done and returns how many completions it has
// written, or how much memory the first of them needs, as a negative number; see
// library.Drain.
//
//export cycletls_drain
func cycletls_drain(queue C.uint64_t, into *C.cycletls_completion, count C.int64_t, memory unsafe.Pointer, size C.int64_t) C.int64_t {
	completions, rest := unsafe.Slice(into, int(count)), view(memory, size)
	done, short := 0, 0
	core.Drain(uint64(queue), func(c *library.Completion) bool {
		need := len(c.Head) + len(c.Body)
		if done == len(completions) || need > len(rest) {
			short = need
			return false
		}
		completions[done] = C.cycletls_completion{
			ticket: C.uint64_t(c.Ticket),
			handle: C.uint64_t(c.Reply.Handle),
			length: C.int64_t(c.Reply.Length),
			filled: C.int64_t(c.Reply.Filled),
			status: C.int64_t(c.Reply.Status),
			head:   C.int64_t(copy(rest, c.Head)),
			body:   C.int64_t(copy(rest[len(c.Head):], c.Body)),
		}
		rest = rest[need:]
		done++
		return true
	})
	if done == 0 {
		return C.int64_t(-short)
	}
	return C.int64_t(done)
}

// cycletls_cancel ends an exchange from any thread; see library.Cancel.
//
//export cycletls_cancel
func cycletls_cancel(handle C.uint64_t) C.int32_t {
	return truth(core.Cancel(uint64(handle)))
}

// cycletls_close ends a session or an exchange; see library.Close.
//
//export cycletls_close
func cycletls_close(handle C.uint64_t) C.int32_t {
	return truth(core.Close(uint64(handle)))
}

// cycletls_free gives back what a verb returned.
//
//export cycletls_free
func cycletls_free(text *C.char) {
	C.free(unsafe.Pointer(text))
}

// view is the caller's memory for the length of the call.
func view(memory unsafe.Pointer, size C.int64_t) []byte {
	if memory == nil || size <= 0 {
		return nil
	}
	return unsafe.Slice((*byte)(memory), int(size))
}

func truth(value bool) C.int32_t {
	if value {
		return 1
	}
	return 0
}

func answer(into *C.cycletls_reply, reply library.Reply) {
	defer func() {
		if fault := recover(); fault != nil {
			*into = C.cycletls_reply{head: envelopeString(library.Fault(fault).Message)}
		}
	}()
	*into = C.cycletls_reply{
		handle: C.uint64_t(reply.Handle),
		length: C.int64_t(reply.Length),
		filled: C.int64_t(reply.Filled),
		status: C.int32_t(reply.Status),
	}
	if reply.Message != nil {
		into.head = envelopeString(reply.Message)
	}
}

// scratch holds memory for messages on their way out.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

// envelopeString encodes a message straight into the C string that carries it.
func envelopeString(message any) *C.char {
	memory := scratch.Get().(*[]byte)
	defer scratch.Put(memory)
	*memory = envelope.Append((*memory)[:0], message)
	raw := *memory
	size := base64.StdEncoding.EncodedLen(len(raw))
	text := C.malloc(C.size_t(size + 1))
	into := unsafe.Slice((*byte)(text), size+1)
	base64.StdEncoding.Encode(into, raw)
	into[size] = 0
	return (*C.char)(text)
}
