package fingerprint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// encoding/json finds unknown fields, but cannot say where; a profile has
// hundreds of values, so the decoder here walks the document itself and leaves
// only the leaves to encoding/json. The path of an error reads like
// tls.extensions[4].groups[0].

// decode reads one JSON document into v, strictly.
func decode(document []byte, v any) error {
	decoder := json.NewDecoder(bytes.NewReader(document))
	var raw json.RawMessage
	if err := decoder.Decode(&raw); err != nil {
		return fmt.Errorf("not a JSON document: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("more than one JSON document")
	}
	return decodeValue("", raw, reflect.ValueOf(v).Elem())
}

func decodeValue(path string, raw json.RawMessage, v reflect.Value) error {
	if _, leaf := v.Addr().Interface().(json.Unmarshaler); leaf || string(raw) == "null" {
		return decodeLeaf(path, raw, v)
	}
	switch v.Kind() {
	case reflect.Struct:
		return decodeStruct(path, raw, v)
	case reflect.Slice, reflect.Array:
		return decodeList(path, raw, v)
	case reflect.Map:
		return decodeMap(path, raw, v)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return decodeValue(path, raw, v.Elem())
	default:
		return decodeLeaf(path, raw, v)
	}
}

func decodeStruct(path string, raw json.RawMessage, v reflect.Value) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return leafError(path, err)
	}
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		member, ok := members[name]
		if name == "" || !ok {
			continue
		}
		delete(members, name)
		if err := decodeValue(join(path, name), member, v.Field(i)); err != nil {
			return err
		}
	}
	for name := range members {
		return fmt.Errorf("%s: unknown field", join(path, name))
	}
	return nil
}

func decodeList(path string, raw json.RawMessage, v reflect.Value) error {
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		return leafError(path, err)
	}
	if v.Kind() == reflect.Slice {
		v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
	} else if v.Len() != len(items) {
		return fmt.Errorf("%s: %d items where %d belong", path, len(items), v.Len())
	}
	for i, item := range items {
		if err := decodeValue(fmt.Sprintf("%s[%d]", path, i), item, v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

func decodeMap(path string, raw json.RawMessage, v reflect.Value) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return leafError(path, err)
	}
	v.Set(reflect.MakeMap(v.Type()))
	for name, member := range members {
		item := reflect.New(v.Type().Elem()).Elem()
		if err := decodeValue(join(path, name), member, item); err != nil {
			return err
		}
		v.SetMapIndex(reflect.ValueOf(name), item)
	}
	return nil
}

func decodeLeaf(path string, raw json.RawMessage, v reflect.Value) error {
	if string(raw) == "null" {
		return fmt.Errorf("%s: null, leave the field out instead", path)
	}
	if err := json.Unmarshal(raw, v.Addr().Interface()); err != nil {
		return leafError(path, err)
	}
	return nil
}

func leafError(path string, err error) error {
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		return fmt.Errorf("%s: a %s where a %s belongs", path, mismatch.Value, mismatch.Type)
	}
	return fmt.Errorf("%s: %w", path, err)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
