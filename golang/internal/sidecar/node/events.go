package node

import (
	"encoding/json"
	"io"

	"github.com/cycletls/cycletls/golang/internal/sse"
)

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
	parser := sse.NewParser("", x.client.Defaults.MaxEventBytes)
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

// sendJSON sends a value as a line: the client joins what comes close together.
func (x *exchange) sendJSON(value any) error {
	line, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return x.client.send(appendBytes(head(x.id, kindData), append(line, '\n')))
}

func (x *exchange) parse(parser *sse.Parser, came []byte) error {
	for {
		found, rest, err := parser.Feed(came)
		if err != nil || found == nil {
			return err
		}
		retry, _ := parser.Retry()
		if err := x.sendJSON(event{found.Name, found.Data, found.ID, retry.Milliseconds()}); err != nil {
			return err
		}
		came = rest
	}
}
