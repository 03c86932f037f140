// Echo runs the capture server for tests in other languages. It prints one
// line of JSON with its url and, unless a certificate was given, the PEM
// authority to verify it with, and serves until its standard input ends: so it
// never outlives the test run that started it.
package main

import (
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/cycletls/cycletls/golang/internal/capture"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "echo:", err)
		os.Exit(1)
	}
}

func run() error {
	cfg, err := parseFlags()
	if err != nil {
		return err
	}
	server, err := capture.Serve(cfg)
	if err != nil {
		return err
	}
	defer server.Close()
	err = json.NewEncoder(os.Stdout).Encode(map[string]string{
		"url":       server.URL(),
		"authority": string(server.Authority()),
	})
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func parseFlags() (capture.Config, error) {
	address := flag.String("address", "", "listen on `host:port` (default: loopback, a free port)")
	secure := flag.Bool("tls", false, "speak TLS")
	h2 := flag.Bool("h2", false, "offer HTTP/2 beside HTTP/1.1 (with -tls)")
	cert := flag.String("cert", "", "PEM `file` of the certificate chain; made anew when left out")
	key := flag.String("key", "", "PEM `file` of its key")
	flag.Parse()

	cfg := capture.Config{Address: *address, TLS: *secure || *cert != ""}
	if !*h2 {
		cfg.Protocols = []string{"http/1.1"}
	}
	if *cert == "" {
		return cfg, nil
	}
	pair, err := tls.LoadX509KeyPair(*cert, *key)
	cfg.Cert = &pair
	return cfg, err
}
