package capture

import (
	"bytes"
	"crypto/tls"
	"net"
	"reflect"
	"testing"
)

// sent keeps what a client writes.
type sent struct {
	net.Conn
	bytes bytes.Buffer
}

func (s *sent) Write(p []byte) (int, error) {
	s.bytes.Write(p)
	return s.Conn.Write(p)
}

func dialTLS(t *testing.T, server *Server, cfg *tls.Config) (*tls.Conn, *sent) {
	t.Helper()
	raw, err := net.Dial("tcp", server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	kept := &sent{Conn: raw}
	conn := tls.Client(kept, cfg)
	t.Cleanup(func() { conn.Close() })
	return conn, kept
}

// TestHelloIsReportedByteForByte compares with what the client wrote.
func TestHelloIsReportedByteForByte(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		server := start(t, Config{TLS: true})
		cfg := client(t, server)
		cfg.MaxVersion = version
		cfg.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		for _, resumed := range []bool{false, true} {
			conn, kept := dialTLS(t, server, cfg)
			if err := conn.Handshake(); err != nil {
				t.Fatal(err)
			}
			report := exchange(t, conn, "GET / HTTP/1.1\r\n\r\n").TLS
			if report.Version != point(version) || report.Resumed != resumed || report.ServerName != "localhost" {
				t.Errorf("TLS %+v", report)
			}
			first := report.Records[0].Length
			want := kept.bytes.Bytes()[5 : 5+first]
			if len(report.Hellos) != 1 || !bytes.Equal(report.Hellos[0], want) {
				t.Errorf("hellos %x, want %x", report.Hellos, want)
			}
			conn.Close()
		}
	}
}

// TestHelloMayBeSplit: records end anywhere, and reads return anything.
func TestHelloMayBeSplit(t *testing.T) {
	stream := []byte("\x16\x03\x01\x00\x03\x01\x00\x00\x16\x03\x03\x00\x03\x02ab" + // one hello in two records
		"\x14\x03\x03\x00\x01\x01" + "\x16\x03\x03\x00\x05\x01\x00\x00\x01c" + "\x17\x03\x03\x00\x02zz")
	var whole tap
	whole.observe(stream)
	var dripped tap
	for i := range stream {
		dripped.observe(stream[i : i+1])
	}
	for _, seen := range []*tap{&whole, &dripped} {
		got := hellos(seen.opening)
		if len(got) != 2 || string(got[0]) != "\x01\x00\x00\x02ab" || string(got[1]) != "\x01\x00\x00\x01c" {
			t.Errorf("hellos %q", got)
		}
		if len(seen.records) != 5 || !reflect.DeepEqual(seen.records[4], Record{23, Hex{3, 3}, 2}) {
			t.Errorf("records %v", seen.records)
		}
	}
}

// FuzzTap: whatever a client sends, and however it is cut, the same is seen.
func FuzzTap(f *testing.F) {
	f.Add([]byte("\x16\x03\x01\x00\x05\x01\x00\x00\x01a\x17\x03\x03\x00\x00"), 3)
	f.Fuzz(func(t *testing.T, stream []byte, at int) {
		at = max(0, min(at, len(stream)))
		var whole, cut tap
		whole.observe(stream)
		cut.observe(stream[:at])
		cut.observe(stream[at:])
		if !bytes.Equal(whole.opening, cut.opening) || len(whole.records) != len(cut.records) {
			t.Errorf("cut at %d: %v, whole: %v", at, cut.records, whole.records)
		}
		rest := whole.opening
		for _, hello := range hellos(rest) {
			if !bytes.HasPrefix(rest, hello) {
				t.Errorf("hello %x is not in %x", hello, rest)
			}
			notations(hello)
			rest = rest[len(hello):]
		}
	})
}
