package node

import (
	"encoding/json"
	"io"
	"mime"

	"github.com/cycletls/cycletls/golang/internal/envelope"
	"github.com/cycletls/cycletls/golang/internal/sse"
)

// maxEvent bounds an event; more is no event but a response without an end.
const maxEvent = 16 << 20

// isEventStream reports whether a response is one of events. Another one is passed on
// as it is: it tells why there are none.
func isEventStream(reply *envelope.Response) bool {
	given, _ := reply.Headers.Get("Content-Type")
	kind, _, err := mime.ParseMediaType(given)
	return err == nil && kind == sse.ContentType
}

// event is one of a stream, as the client's users take it apart.
type event struct {
	Event string `json:"event"`
	Data  string `json:"data"`
	ID    string `json:"id"`
	Retry int64  `json:"retry"` // milliseconds; 0: the stream says nothing
}

// passEvents sends each event as it is complete. The stream ends with its
// connection: npm's client does not go on with one, and is told of the end.
func (x *exchange) passEvents() error {
	parser := sse.NewParser("", maxEvent)
	buffer := make([]byte, maxChunk)
	for {
		n, err := x.Read(buffer)
		if err := x.parse(parser, buffer[:n]); err != nil {
			return err
		}
		switch err {
		case nil:
		case io.EOF:
			return nil
		default:
			return err
		}
	}
}

func (x *exchange) parse(parser *sse.Parser, came []byte) error {
	for {
		found, rest, err := parser.Feed(came)
		if err != nil || found == nil {
			return err
		}
		retry, _ := parser.Retry()
		text, err := json.Marshal(event{found.Name, found.Data, found.ID, retry.Milliseconds()})
		if err != nil {
			return err
		}
		if err := x.client.send(appendBytes(head(x.id, kindData), text)); err != nil {
			return err
		}
		came = rest
	}
}
