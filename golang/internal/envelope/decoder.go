package envelope

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"github.com/tinylib/msgp/msgp"

	"github.com/cycletls/cycletls/golang/internal/message"
)

// A decoder reads one msgpack message and keeps the first error. Strings are
// views of its input: one buffer holds a whole message, and nobody writes to it
// once it is decoded.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
		d.rest = nil
	}
}

// fields calls set for each field of a map; set reports whether it knows the
// name and has read the value.
func (d *decoder) fields(set func(name string) bool) {
	count, rest, err := msgp.ReadMapHeaderBytes(d.rest)
	if err != nil {
		d.fail(err)
		return
	}
	d.rest = rest
	d.each(count, set)
}

func (d *decoder) each(count uint32, set func(name string) bool) {
	for ; count > 0 && d.err == nil; count-- {
		name := d.text()
		if d.err != nil {
			return
		}
		if !set(name) {
			d.fail(fmt.Errorf("unknown field %q", name))
		} else if d.err != nil {
			d.err = fmt.Errorf("%s: %w", name, d.err)
		}
	}
}

// opening reads the head of a message: a map whose first field is its type.
func (d *decoder) opening() (kind string, remaining uint32) {
	count, rest, err := msgp.ReadMapHeaderBytes(d.rest)
	if err != nil {
		d.fail(err)
		return "", 0
	}
	d.rest = rest
	if count == 0 || d.text() != "type" {
		d.fail(errors.New(`the first field is not "type"`))
		return "", 0
	}
	return d.text(), count - 1
}

// items calls read for each element of an array.
func (d *decoder) items(read func()) {
	for count := d.arrayLen(); count > 0 && d.err == nil; count-- {
		read()
	}
}

// arrayLen refuses a count that the input cannot hold, so that a few bytes
// never make us allocate much.
func (d *decoder) arrayLen() int {
	count, rest, err := msgp.ReadArrayHeaderBytes(d.rest)
	if err != nil {
		d.fail(err)
		return 0
	}
	if int64(count) > int64(len(rest)) {
		d.fail(fmt.Errorf("array of %d in %d bytes", count, len(rest)))
		return 0
	}
	d.rest = rest
	return int(count)
}

func (d *decoder) text() string {
	raw, rest, err := msgp.ReadStringZC(d.rest)
	if err != nil {
		d.fail(err)
		return ""
	}
	d.rest = rest
	return unsafe.String(unsafe.SliceData(raw), len(raw))
}

func (d *decoder) texts() []string {
	count := d.arrayLen()
	list := make([]string, 0, count)
	for ; count > 0 && d.err == nil; count-- {
		list = append(list, d.text())
	}
	return list
}

func (d *decoder) boolean() bool {
	value, rest, err := msgp.ReadBoolBytes(d.rest)
	if err != nil {
		d.fail(err)
		return false
	}
	d.rest = rest
	return value
}

func (d *decoder) integer() int64 {
	value, rest, err := msgp.ReadInt64Bytes(d.rest)
	if err != nil {
		d.fail(err)
		return 0
	}
	d.rest = rest
	return value
}

// count reads a number that may not be negative.
func (d *decoder) count() int64 {
	value := d.integer()
	if value < 0 {
		d.fail(fmt.Errorf("%d is negative", value))
	}
	return value
}

func (d *decoder) handle() uint64 {
	value, rest, err := msgp.ReadUint64Bytes(d.rest)
	if err != nil {
		d.fail(err)
		return 0
	}
	d.rest = rest
	return value
}

func (d *decoder) number() float64 {
	if msgp.NextType(d.rest) != msgp.Float64Type {
		return float64(d.integer())
	}
	value, rest, err := msgp.ReadFloat64Bytes(d.rest)
	if err != nil {
		d.fail(err)
		return 0
	}
	d.rest = rest
	return value
}

// milliseconds reads a duration; a century is as good as for ever and keeps
// the arithmetic from overflowing.
func (d *decoder) milliseconds() time.Duration {
	const century = 100 * 365 * 24 * time.Hour
	return min(time.Duration(min(d.count(), int64(century/time.Millisecond)))*time.Millisecond, century)
}

func (d *decoder) null() bool {
	if !msgp.IsNil(d.rest) {
		return false
	}
	d.rest = d.rest[1:]
	return true
}

// pair begins a [name, value] array and reads the name.
func (d *decoder) pair() string {
	if count := d.arrayLen(); count != 2 && d.err == nil {
		d.fail(fmt.Errorf("%d items where a pair is due", count))
	}
	return d.text()
}

func (d *decoder) pairs() message.Fields {
	count := d.arrayLen()
	list := make(message.Fields, 0, count)
	for ; count > 0 && d.err == nil; count-- {
		list = append(list, message.Field{Name: d.pair(), Value: d.text()})
	}
	return list
}

// changes reads pairs whose value may be nil: take the field out.
func (d *decoder) changes() []HeaderChange {
	count := d.arrayLen()
	list := make([]HeaderChange, 0, count)
	for ; count > 0 && d.err == nil; count-- {
		change := HeaderChange{Name: d.pair()}
		if change.Remove = d.null(); !change.Remove {
			change.Value = d.text()
		}
		list = append(list, change)
	}
	return list
}
