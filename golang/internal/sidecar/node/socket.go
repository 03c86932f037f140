package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/wait"
	"github.com/cycletls/cycletls/golang/internal/websocket"
)

const (
	// maxQueue is how many messages wait while the server takes none.
	maxQueue = 1024
	// maxSocketMessage is what a message of the server's may have.
	maxSocketMessage = 64 << 20
	// farewell is how long a server may take to answer a goodbye.
	farewell = 10 * time.Second
)

// refusedError is a handshake that was answered with something else.
type refusedError struct {
	status int
	reason string
}

func (e *refusedError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("the server refuses the WebSocket: %d %s", e.status, e.reason))
}

// What the client hears of a WebSocket: frames of their own, and for published clients,
// which know none of these, lines of JSON in "data" frames, too.
type (
	wsOpen struct {
		Type       string `json:"type"`
		Protocol   string `json:"protocol"`
		Extensions string `json:"extensions"`
	}
	wsClose struct {
		Type   string `json:"type"`
		Code   uint16 `json:"code"`
		Reason string `json:"reason"`
	}
	wsConnected struct {
		Type    string `json:"type"`
		Status  string `json:"status"`
		Message string `json:"message"`
	}
	wsText struct {
		Type        string           `json:"type"`
		MessageType websocket.Opcode `json:"messageType"`
		Data        string           `json:"data"`
	}
	wsBytes struct {
		Type        string           `json:"type"`
		MessageType websocket.Opcode `json:"messageType"`
		Data        []byte           `json:"data"` // base64
		Encoding    string           `json:"encoding"`
	}
)

// passMessages sends each message of the server's as it comes, until the WebSocket is
// closed by either side.
func (x *exchange) passMessages(reply *envelope.Response) error {
	socket := x.WebSocket()
	if err := x.tellOpen(reply); err != nil {
		return err
	}
	if len(x.options.body) > 0 {
		if err := socket.Send(x.ctx, websocket.Text, x.options.body); err != nil {
			return err
		}
	}
	defer x.speak(socket)()
	for {
		opcode, p, err := socket.Receive(x.ctx)
		if err != nil {
			return x.closed(socket, err)
		}
		if err := x.tellMessage(opcode, p); err != nil {
			return err
		}
	}
}

func (x *exchange) tellOpen(reply *envelope.Response) error {
	protocol, _ := reply.Headers.Get("Sec-WebSocket-Protocol")
	extensions, _ := reply.Headers.Get("Sec-WebSocket-Extensions")
	if err := x.tell(kindWSOpen, wsOpen{"open", protocol, extensions}); err != nil {
		return err
	}
	return x.sendJSON(wsConnected{"websocket", "connected", "the WebSocket is open"})
}

func (x *exchange) tellMessage(opcode websocket.Opcode, p []byte) error {
	frame := appendBytes(append(head(x.id, kindWSMessage), byte(opcode)), p)
	if err := x.client.send(frame); err != nil {
		return err
	}
	if opcode == websocket.Text {
		return x.sendJSON(wsText{"websocket", opcode, string(p)})
	}
	return x.sendJSON(wsBytes{"websocket", opcode, p, "base64"})
}

func (x *exchange) tell(kind string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return x.client.send(appendBytes(head(x.id, kind), text))
}

// closed tells how the WebSocket was closed. One that was lost is an error; from one
// that the client has cancelled, the server is not left without a word.
func (x *exchange) closed(socket *websocket.Conn, err error) error {
	if errors.Is(err, wait.ErrCancelled) {
		_ = socket.Close(wait.NewPrompt(wait.Limits{wait.Total: goodbye}), websocket.GoingAway, "")
		return err
	}
	how := x.closing.Load()
	if how == nil && (!errors.As(err, &how) || how.Local || how.Code == websocket.Abnormal) {
		return err
	}
	return x.tell(kindWSClose, wsClose{"close", how.Code, how.Reason})
}

// speak does what the client wants to be said, until the function that it returns is
// called.
func (x *exchange) speak(socket *websocket.Conn) func() {
	var done sync.WaitGroup
	ended := make(chan struct{})
	done.Go(func() {
		for {
			select {
			case said := <-x.commands:
				if err := x.say(socket, said); err != nil {
					_ = x.client.send(failure(x.id, kindWSError, statusOf(err), err.Error()))
				}
			case <-ended:
				return
			}
		}
	})
	return func() {
		close(ended)
		_ = socket.Shut()
		done.Wait()
	}
}

// hush answers what can not be said any more, before the client hears of the end.
func (x *exchange) hush() {
	x.client.mu.Lock()
	left := x.commands
	x.commands = nil
	x.client.mu.Unlock()
	for len(left) > 0 {
		x.client.unsaid(<-left, "the WebSocket has ended")
	}
}

// say says one thing. The context is not that of who receives: there is one wait of a
// context at a time.
func (x *exchange) say(socket *websocket.Conn, said *command) error {
	ctx := wait.NewPrompt(wait.Limits{wait.Write: x.client.Defaults.Timeouts.Write})
	switch *said.Action {
	case "ws_send":
		opcode := websocket.Text
		if said.IsBinary {
			opcode = websocket.Binary
		}
		return socket.Send(ctx, opcode, said.Data)
	case "ws_ping":
		return socket.Ping(ctx, said.Data)
	}
	return x.close(socket, said)
}

func (x *exchange) close(socket *websocket.Conn, said *command) error {
	how := &websocket.CloseError{Code: said.Code, Reason: said.Reason}
	if how.Code == 0 {
		how.Code = websocket.NormalClosure
	}
	x.closing.CompareAndSwap(nil, how)
	err := socket.Close(wait.NewPrompt(wait.Limits{wait.Total: farewell}), how.Code, how.Reason)
	var unsayable *websocket.CodeError
	if errors.As(err, &unsayable) {
		x.closing.CompareAndSwap(how, nil)
		return err
	}
	return nil // how it ended is for who receives to tell
}
