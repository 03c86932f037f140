package sidecar

import (
	"sync"

	"github.com/cycletls/cycletls/golang/internal/library"
)

// room is the memory of a reply: what a read fills stands behind room for its
// header, so that it leaves as it is.
type room struct {
	ticket uint64 // the client's
	body   int64  // bytes of the verb's own body
	credit uint64 // bytes that the client has room for
	memory *[]byte
	read   bool // memory has been read into
}

var (
	smallRooms = sync.Pool{New: func() any { return new([]byte) }}
	largeRooms = sync.Pool{New: func() any { b := make([]byte, replySize+maxCredit); return &b }}
)

// buffer returns where bytes can be read to.
func (r *room) buffer() []byte {
	r.memory, r.read = largeRooms.Get().(*[]byte), true
	return (*r.memory)[replySize : replySize+min(r.credit, maxCredit)]
}

// goesOn reports whether all of a buffer was filled, while there is more of the body
// and credit for it.
func (r *room) goesOn(reply *library.Reply) bool {
	return reply.Message == nil && reply.Handle != 0 && reply.Filled == maxCredit && r.credit > maxCredit
}

// message returns a reply as it is sent.
func (r *room) message(done *library.Completion) []byte {
	reply := &done.Reply
	switch {
	case r.read && reply.Message == nil:
		appendReply((*r.memory)[:0], r.ticket, reply)
		return (*r.memory)[:replySize+reply.Filled]
	case r.read: // a failure, where nothing is quick
		return append(appendReply(nil, r.ticket, reply), (*r.memory)[replySize:replySize+reply.Filled]...)
	}
	r.memory = smallRooms.Get().(*[]byte)
	*r.memory = append(appendReply((*r.memory)[:0], r.ticket, reply), done.Body...)
	return *r.memory
}

func (r *room) recycle() {
	if r.read {
		largeRooms.Put(r.memory)
	} else {
		smallRooms.Put(r.memory)
	}
}
