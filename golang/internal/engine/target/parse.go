package target

import (
	"bytes"
	"strconv"
	"strings"
)

// parse is the Standard's basic URL parser for special schemes; base may be nil.
func parse(text string, base *URL) (*URL, error) {
	input := strings.TrimFunc(text, isC0OrSpace)
	fail := func(what string) (*URL, error) { return nil, &Error{Redact(input), what} }
	if strings.ContainsAny(input, "\t\r\n") {
		return fail("a tab or line break within the URL")
	}
	u := new(URL)
	scheme, rest := splitScheme(input)
	switch {
	case scheme == "" && base == nil:
		return fail("no scheme; an absolute URL begins with http:// or https://")
	case scheme == "":
		scheme = base.Scheme
	case scheme != "http" && scheme != "https":
		return nil, &SchemeError{scheme}
	case base != nil && scheme != base.Scheme:
		base = nil
	}
	u.Scheme = scheme
	slashes := len(rest) - len(strings.TrimLeft(rest, `/\`))
	if base != nil && slashes < 2 {
		u.inherit(base)
		u.compose(rest, slashes == 0, base)
		return u, nil
	}
	rest = rest[slashes:]
	end := strings.IndexAny(rest, `/\?#`)
	if end < 0 {
		end = len(rest)
	}
	if what := u.setAuthority(rest[:end]); what != "" {
		return fail(what)
	}
	u.compose(rest[end:], false, nil)
	return u, nil
}

// splitScheme returns the scheme in lower case, "" where there is none, and what
// follows its colon.
func splitScheme(input string) (scheme, rest string) {
	for i := range len(input) {
		c := input[i]
		switch {
		case isAlpha(c), i > 0 && (isDigit(c) || c == '+' || c == '-' || c == '.'):
		case c == ':' && i > 0:
			return strings.ToLower(input[:i]), input[i+1:]
		default:
			return "", input
		}
	}
	return "", input
}

// setAuthority reads [userinfo@]host[:port] and says what is wrong with it.
func (u *URL) setAuthority(authority string) (what string) {
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		user, password, _ := strings.Cut(authority[:at], ":")
		u.User, u.Password = percentDecode(user), percentDecode(password)
		u.HasUser = u.User != "" || u.Password != ""
		authority = authority[at+1:]
	}
	host, port := splitPort(authority)
	if host == "" {
		return "no host"
	}
	var literal bool
	if u.Host, literal, what = parseHost(host); what != "" {
		return what
	}
	u.Authority = u.Host
	if literal {
		u.Authority = "[" + u.Host + "]"
	}
	return u.setPort(port)
}

// splitPort cuts at the first colon outside of brackets.
func splitPort(authority string) (host, port string) {
	inside := false
	for i := range len(authority) {
		switch c := authority[i]; {
		case c == '[':
			inside = true
		case c == ']':
			inside = false
		case c == ':' && !inside:
			return authority[:i], authority[i+1:]
		}
	}
	return authority, ""
}

// defaultPorts by scheme; where none is known, a port that is not there is 0.
var defaultPorts = map[string]uint16{"http": 80, "https": 443}

func (u *URL) setPort(port string) (what string) {
	u.Port = defaultPorts[u.Scheme]
	if port == "" {
		return ""
	}
	if strings.Trim(port, "0123456789") != "" {
		return "the port is not a number"
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return "the port is not between 1 and 65535"
	}
	if uint16(number) != u.Port {
		u.Port = uint16(number)
		u.Authority += ":" + strconv.FormatUint(number, 10)
	}
	return ""
}

// inherit takes what a reference without authority has from its base.
func (u *URL) inherit(base *URL) {
	u.Host, u.Port, u.Authority = base.Host, base.Port, base.Authority
	u.User, u.Password, u.HasUser = base.User, base.Password, base.HasUser
}

// compose writes the normal form of the URL, of which all other parts are
// slices. rest is what follows the authority; a relative one starts from the
// path of base.
func (u *URL) compose(rest string, relative bool, base *URL) {
	path, query, fragment := cutPath(rest)
	buffer := make([]byte, 0, len("https://")+len(u.Authority)+len(rest)+16)
	buffer = append(buffer, u.Scheme...)
	buffer = append(buffer, "://"...)
	buffer = append(buffer, u.Authority...)
	start := len(buffer)
	switch {
	case relative && path == "":
		buffer = append(buffer, base.Path...)
		if query == "" {
			query = base.Target[len(base.Path):]
		}
	case relative:
		buffer = append(buffer, base.Path[:strings.LastIndexByte(base.Path, '/')+1]...)
		buffer = appendPath(buffer, start, path)
	case path == "":
		buffer = append(buffer, '/')
	default: // a slash of either kind, and more
		buffer = appendPath(append(buffer, '/'), start, path[1:])
	}
	pathEnd := len(buffer)
	buffer = appendEncoded(buffer, query, &queryEncoded)
	targetEnd := len(buffer)
	buffer = appendEncoded(buffer, fragment, &fragmentEncoded)
	u.slice(string(buffer), start, pathEnd-start, targetEnd)
}

// slice sets the parts of text: the path begins at start, the target ends at
// end.
func (u *URL) slice(text string, start, pathLength, end int) {
	u.text = text
	u.Path = text[start : start+pathLength]
	u.Target = text[start:end]
	u.Fragment = text[end:]
}

// cutPath splits what follows the authority; query and fragment keep their "?"
// and "#".
func cutPath(rest string) (path, query, fragment string) {
	if i := strings.IndexByte(rest, '#'); i >= 0 {
		rest, fragment = rest[:i], rest[i:]
	}
	if i := strings.IndexByte(rest, '?'); i >= 0 {
		rest, query = rest[:i], rest[i:]
	}
	return rest, query, fragment
}

// appendPath adds the segments of path to buffer, whose own path begins at start
// and ends with a slash, and resolves the dots on the way.
func appendPath(buffer []byte, start int, path string) []byte {
	for {
		end := strings.IndexAny(path, `/\`)
		segment, last := path, end < 0
		if !last {
			segment, path = path[:end], path[end+1:]
		}
		switch dots(segment) {
		case 1:
		case 2:
			if parent := bytes.LastIndexByte(buffer[start:len(buffer)-1], '/'); parent >= 0 {
				buffer = buffer[:start+parent+1]
			}
		default:
			buffer = appendEncoded(buffer, segment, &pathEncoded)
			if !last {
				buffer = append(buffer, '/')
			}
		}
		if last {
			return buffer
		}
	}
}

// dots counts the dots of a segment that has nothing else, "%2e" among them.
func dots(segment string) int {
	count := 0
	for segment != "" && count < 3 {
		switch {
		case segment[0] == '.':
			segment = segment[1:]
		case len(segment) >= 3 && strings.EqualFold(segment[:3], "%2e"):
			segment = segment[3:]
		default:
			return 0
		}
		count++
	}
	return count
}
