package hpack

import (
	"fmt"
	"strings"
)

// Policy is how a client represents its header fields.
type Policy int

const (
	// Plain puts every field into the table and uses Huffman codes where they
	// are shorter.
	Plain Policy = iota
	// Quiche is Chromium's (quiche, http2/hpack/hpack_encoder.cc): of the
	// pseudo-header fields only :authority enters the table.
	Quiche
	// Gecko is Firefox's (netwerk/protocol/http/Http2Compression.cpp).
	Gecko
)

// rules are what sets the policies apart.
type rules struct {
	name string
	// lastName: a name is referred to by its last entry, the static table
	// before the dynamic one, instead of its first.
	lastName bool
	// alwaysHuffman: also where the code is longer than the string.
	alwaysHuffman bool
	// repeatsSize: a setting that changes nothing is answered, too.
	repeatsSize bool
	// crumbs is what cookie fields are split at; a space after ";" goes as well.
	crumbs string
	// represent chooses what becomes of a field, given the table's size limit.
	represent func(name, value string, limit uint32) representation
}

// representation is how a field is written when the table does not hold it.
type representation struct {
	pattern byte
	prefix  uint
	// literally: even when the table does hold it.
	literally bool
}

var (
	remembered = representation{incremental, 6, false}
	passing    = representation{notIndexed, 4, false}
	spelled    = representation{notIndexed, 4, true}
	secret     = representation{neverIndexed, 4, true}
)

var policies = [...]rules{
	Plain:  {name: "plain", represent: representPlain},
	Quiche: {name: "quiche", crumbs: ";", represent: representQuiche},
	Gecko: {
		name: "gecko", lastName: true, alwaysHuffman: true, repeatsSize: true,
		crumbs: "; ", represent: representGecko,
	},
}

func (p Policy) rules() *rules { return &policies[p] }

// String returns the name that profiles use.
func (p Policy) String() string { return p.rules().name }

// ParsePolicy reads the name of a policy.
func ParsePolicy(name string) (Policy, error) {
	for policy := range policies {
		if policies[policy].name == name {
			return Policy(policy), nil
		}
	}
	return 0, fmt.Errorf("%q is none of %s, %s and %s", name, Plain, Quiche, Gecko)
}

func representPlain(string, string, uint32) representation { return remembered }

func representQuiche(name, _ string, _ uint32) representation {
	if strings.HasPrefix(name, ":") && name != ":authority" {
		return passing
	}
	return remembered
}

// shortCookie is the length below which Gecko takes a cookie for a secret worth
// guessing.
const shortCookie = 20

func representGecko(name, value string, limit uint32) representation {
	switch {
	case name == "authorization", name == "cookie" && len(value) < shortCookie:
		return secret
	case name == ":path":
		return spelled
	case entrySize(name, value) > limit/2, limit < 128:
		return passing
	}
	return remembered
}
