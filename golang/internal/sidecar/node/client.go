// Package node speaks with the npm package "cycletls": JSON requests come in, frames
// of its own binary form go out, all over the one WebSocket that the client opens.
//
// The client names no flow control and has no token. What it asks for wrongly costs
// that request an "error" frame and nothing else; when it goes, everything that it
// had under way ends.
package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/wait"
	"github.com/cycletls/cycletls/golang/internal/websocket"
)

const (
	// MaxMessage is what a message of the client's may have: bodies come in one.
	MaxMessage = 256 << 20
	// maxExchanges is how many requests one client may have under way.
	maxExchanges = 4096
	// goodbye is how long a client may take to say it, too.
	goodbye = time.Second
)

// Config is what holds for all clients.
type Config struct {
	// Defaults are what holds where a request says nothing. Their profile is that of
	// requests without a notation, their bases lend what notations leave out.
	Defaults *envelope.Node
	Stall    time.Duration // that a client may take to read what waits for it
}

// client is the other end of one connection.
type client struct {
	*Config
	socket   *websocket.Conn
	sending  sync.Mutex // its owner waits for room: Stall is for that, not for waiting in line
	sessions sessions

	mu        sync.Mutex
	exchanges map[string]*exchange // the last that was begun under each id
	count     int
	running   sync.WaitGroup
}

// Serve speaks with a client until it goes, and ends what it leaves behind.
func Serve(socket *websocket.Conn, config *Config) {
	c := &client{
		Config: config, socket: socket, exchanges: make(map[string]*exchange),
		sessions: sessions{defaults: config.Defaults, open: make(map[configuration]*session)},
	}
	defer c.end()
	for {
		_, message, err := socket.Receive(wait.Background())
		if err != nil || !c.obey(message) {
			return
		}
	}
}

// end ends all that the client has under way.
func (c *client) end() {
	_ = c.socket.Shut()
	c.mu.Lock()
	for _, last := range c.exchanges {
		last.cancel()
	}
	c.mu.Unlock()
	c.running.Wait()
	c.sessions.close()
}

// command is a message of the client's: a request has options, anything else an
// action.
type command struct {
	RequestID string          `json:"requestId"`
	Action    *string         `json:"action"`
	Options   json.RawMessage `json:"options"`

	// Of a WebSocket's.
	Data     content `json:"data"`
	IsBinary bool    `json:"isBinary"`
	Code     uint16  `json:"code"`
	Reason   string  `json:"reason"`
}

// obey does what a message says, and reports whether the client wants to go on.
func (c *client) obey(message []byte) bool {
	var said command
	if err := json.Unmarshal(message, &said); err != nil {
		c.refuse(idIn(message), errors.New("not a message of this protocol: "+err.Error()))
		return true
	}
	if said.Action == nil {
		c.begin(&said)
		return true
	}
	switch *said.Action {
	case "exit":
		c.exit()
		return false
	case "cancel":
		c.cancel(said.RequestID)
	case "ws_send", "ws_close", "ws_ping":
		c.forward(&said)
	case "ws_pong": // pings are answered before the client hears of them
	default:
		c.refuse(said.RequestID, fmt.Errorf("unknown action %s", strconv.Quote(cut(*said.Action))))
	}
	return true
}

// idIn returns the id of a message whose other members cannot be read, as far as it
// can be.
func idIn(message []byte) string {
	var said struct{ RequestID scalar }
	_ = json.Unmarshal(message, &said)
	return string(said.RequestID)
}

// refuse answers what could not be begun.
func (c *client) refuse(id string, err error) {
	_ = c.send(failure(id, kindError, 0, err.Error())) // who cannot be told has gone
}

// send sends a frame, and waits for room as long as the client reads at all.
func (c *client) send(frame []byte) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	err := c.socket.Send(wait.NewPrompt(wait.Limits{wait.Write: c.Stall}), websocket.Binary, frame)
	if err != nil {
		_ = c.socket.Shut()
	}
	return err
}

// exit says goodbye.
func (c *client) exit() {
	defer time.AfterFunc(goodbye, func() { _ = c.socket.Shut() }).Stop()
	_ = c.socket.Close(wait.NewPrompt(wait.Limits{wait.Total: goodbye}), websocket.NormalClosure, "exit")
}

// begin begins an exchange. One under the id of another that has not ended follows
// it: the client, which draws ids of a thousand, could not tell their frames apart.
func (c *client) begin(said *command) {
	options, err := parse(said.Options)
	if err != nil {
		c.refuse(said.RequestID, err)
		return
	}
	c.mu.Lock()
	full := c.count == maxExchanges
	if full {
		c.mu.Unlock()
		c.refuse(said.RequestID, fmt.Errorf("more than %d requests at a time", maxExchanges))
		return
	}
	x := newExchange(c, said.RequestID, options, c.exchanges[said.RequestID])
	c.exchanges[said.RequestID] = x
	c.count++
	c.running.Add(1)
	c.mu.Unlock()
	go c.run(x)
}

func (c *client) run(x *exchange) {
	defer c.running.Done()
	defer close(x.over)
	x.run()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count--
	if c.exchanges[x.id] == x {
		delete(c.exchanges, x.id)
	}
}

// cancel ends what is under way under an id; what has ended by itself is over.
func (c *client) cancel(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.exchanges[id].cancel()
}

// forward hands a WebSocket what the client wants to be said there.
func (c *client) forward(said *command) {
	if trouble := c.enqueue(said); trouble != "" {
		c.unsaid(said, trouble)
	}
}

func (c *client) enqueue(said *command) (trouble string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := c.exchanges[said.RequestID]
	if x == nil || x.commands == nil {
		return "there is no WebSocket under this id"
	}
	select {
	case x.commands <- said:
		return ""
	default:
		return "the server takes messages too slowly"
	}
}

// unsaid answers what was not said.
func (c *client) unsaid(said *command, why string) {
	_ = c.send(failure(said.RequestID, kindWSError, 0, *said.Action+": "+why))
}
