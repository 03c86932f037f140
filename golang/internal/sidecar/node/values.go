package node

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"time"

	"github.com/cycletls/cycletls/golang/internal/envelope"
)

// scalar is a text, or what JavaScript would make one of.
type scalar string

func (s *scalar) UnmarshalJSON(raw []byte) error {
	switch raw[0] {
	case '"':
		return json.Unmarshal(raw, (*string)(s))
	case '{', '[':
		return errForm
	case 'n': // null
		return nil
	}
	*s = scalar(raw)
	return nil
}

// errForm is a value of another form than what is wanted; into says which that is.
var errForm = errors.New("another form is wanted")

// headers are fields in the order in which the client wrote them. A list is a field
// for each of its values, null takes out what the profile has.
type headers []envelope.HeaderChange

func (h *headers) UnmarshalJSON(raw []byte) error {
	return members(raw, func(name string, raw json.RawMessage) error {
		if string(raw) == "null" {
			*h = append(*h, envelope.HeaderChange{Name: name, Remove: true})
			return nil
		}
		values := make([]scalar, 1)
		target := any(&values[0])
		if raw[0] == '[' {
			target = &values
		}
		if err := json.Unmarshal(raw, target); err != nil {
			return err
		}
		for _, value := range values {
			*h = append(*h, envelope.HeaderChange{Name: name, Value: string(value)})
		}
		return nil
	})
}

// members calls read for each member of an object, in order.
func members(raw []byte, read func(name string, value json.RawMessage) error) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	if opening, err := d.Token(); err != nil || opening != json.Delim('{') {
		return errForm
	}
	for d.More() {
		var value json.RawMessage
		name, err := d.Token()
		if err == nil {
			err = d.Decode(&value)
		}
		if err == nil {
			err = read(name.(string), value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// givenCookie is one that the client wants to be sent. Without a domain it goes where the
// request goes; what else may be said of a cookie concerns who keeps it.
type givenCookie struct {
	Name, Value  scalar
	Domain, Path string
	Secure       bool
}

// cookies are those, or the members of an object.
type cookies []givenCookie

func (c *cookies) UnmarshalJSON(raw []byte) error {
	if raw[0] == '[' {
		return json.Unmarshal(raw, (*[]givenCookie)(c))
	}
	return members(raw, func(name string, raw json.RawMessage) error {
		read := givenCookie{Name: scalar(name)}
		*c = append(*c, read)
		return json.Unmarshal(raw, &(*c)[len(*c)-1].Value)
	})
}

// seconds is a duration of which 0 says nothing.
type seconds time.Duration

func (s *seconds) UnmarshalJSON(raw []byte) error {
	var number float64
	if err := json.Unmarshal(raw, &number); err != nil {
		return err
	}
	if number < 0 {
		return errForm
	}
	const longest = math.MaxInt64 / int64(time.Second)
	*s = seconds(min(number, float64(longest)) * float64(time.Second))
	return nil
}

// opposite is a flag that is said the other way round.
type opposite bool

func (o *opposite) UnmarshalJSON(raw []byte) error {
	var flag bool
	err := json.Unmarshal(raw, &flag)
	*o = opposite(!flag)
	return err
}

// octets are bytes in base64, or what Node's JSON makes of a Buffer.
type octets []byte

func (o *octets) UnmarshalJSON(raw []byte) error {
	if raw[0] != '{' {
		return json.Unmarshal(raw, (*[]byte)(o))
	}
	var buffer struct {
		Type string
		Data []byte
	}
	if err := json.Unmarshal(raw, &buffer); err != nil {
		return err
	}
	if buffer.Type != "Buffer" {
		return errForm
	}
	*o = buffer.Data
	return nil
}

// content is a text, as UTF-8, or bytes.
type content []byte

func (c *content) UnmarshalJSON(raw []byte) error {
	if raw[0] != '"' {
		return json.Unmarshal(raw, (*octets)(c))
	}
	var text string
	err := json.Unmarshal(raw, &text)
	*c = content(text)
	return err
}
