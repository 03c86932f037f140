package fingerprint

import (
	"slices"
	"strings"
)

// PeetPrint returns the notation of TrackMe (tls.peet.ws): versions, protocols,
// groups, signature algorithms, PSK mode, certificate compressions, ciphers and
// extensions, the last sorted as text; GREASE stays visible.
func (h *ClientHello) PeetPrint() string {
	extensions := strings.Split(peetList(h.Extensions), "-")
	slices.Sort(extensions)
	mode := "0"
	if len(h.Modes) > 0 {
		mode = decimals(h.Modes[:1])
	}
	return strings.Join([]string{
		peetList(h.Versions), peetProtocols(h.Protocols), peetList(h.Groups), peetList(h.Algorithms),
		mode, decimals(h.Compressions), peetList(h.Ciphers), strings.Join(extensions, "-"),
	}, "|")
}

// PeetPrintHash returns the MD5 sum by which it is quoted.
func (h *ClientHello) PeetPrintHash() string { return md5Hex(h.PeetPrint()) }

func peetList(list []Code) string {
	texts := make([]string, len(list))
	for i, code := range list {
		texts[i] = "GREASE"
		if !code.isGREASE() {
			texts[i] = decimals(list[i : i+1])
		}
	}
	return strings.Join(texts, "-")
}

// peetProtocols writes versions of HTTP and leaves other protocols out.
func peetProtocols(protocols []string) string {
	var versions []string
	for _, protocol := range protocols {
		switch protocol {
		case "h2":
			versions = append(versions, "2")
		case "http/1.1", "http/1.0":
			versions = append(versions, protocol[len("http/"):])
		}
	}
	return strings.Join(versions, "-")
}
