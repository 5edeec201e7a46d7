package bridge

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"gobridge/pyhost"
)

// appendVariable adds one variable of a request head (struct gb_variable).
func appendVariable[N, V ~string | ~[]byte](dst []byte, name N, value V) []byte {
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(name)))
	dst = append(dst, 0, 0)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(value)))
	dst = append(dst, name...)
	return append(dst, value...)
}

// appendEnviron writes a request head in the form WSGI wants (PEP 3333): the names
// are environ's keys, so the worker parses nothing.
func appendEnviron(dst []byte, r *Request) []byte { return appendHead(dst, r, false) }

// appendHead does that. Of a body that is taken in first, the chunked coding is gone when
// the application sees it, and so are the fields that tell of it (RFC 9112 section 7.1.3).
func appendHead(dst []byte, r *Request, decoded bool) []byte {
	if r.Gateway != nil {
		return appendGateway(dst, r)
	}
	start, count := len(dst), 0
	dst = append(dst, make([]byte, pyhost.RequestHeadSize)...)
	put := func(name string, value []byte) {
		dst = appendVariable(dst, name, value)
		count++
	}
	puts := func(name, value string) {
		dst = appendVariable(dst, name, value)
		count++
	}
	put("REQUEST_METHOD", r.Method)
	path := r.Path
	if string(path) == "*" { // no path (RFC 3875 section 4.1.5: one begins with a slash), and ASGI's is to say "*"
		path = nil
	}
	if r.Root != "" {
		dst = appendMounted(dst, r.Root, path)
		count += 2
	} else {
		dst = appendPath(dst, "PATH_INFO", path)
		count++
	}
	put("QUERY_STRING", r.Query)
	put("REQUEST_URI", r.Target)
	put("RAW_URI", r.Target)
	protocol := "HTTP/1.1"
	if r.Minor == 0 {
		protocol = "HTTP/1.0"
	}
	puts("SERVER_PROTOCOL", protocol)
	if p := r.Peer; p != nil {
		puts("REMOTE_ADDR", p.RemoteAddr)
		puts("REMOTE_PORT", p.RemotePort)
		puts("SERVER_NAME", p.ServerName)
		puts("SERVER_PORT", p.ServerPort)
		puts("wsgi.url_scheme", p.Scheme)
		if p.Scheme == "https" {
			puts("HTTPS", "on")
		}
		if p.TLS != nil {
			dst, count = p.TLS.appendVariables(dst, count, p.Relayed)
		}
	}
	if len(r.ID) > 0 {
		put(pyhost.RequestIDVariable, r.ID)
	}
	names := namesOf(r.Fields)
	for i := range r.Fields {
		if decoded && EqualFold(r.Fields[i].Name, "transfer-encoding") {
			continue
		}
		if dst, count = appendField(dst, count, &names, i); count > 65535 {
			break // http1's limit on fields is far below
		}
	}
	putHead(dst[start:], r, count)
	return dst
}

// putHead fills in struct gb_request_head, at the beginning of a whole head.
func putHead(head []byte, r *Request, count int) {
	binary.LittleEndian.PutUint32(head, uint32(len(head)))
	binary.LittleEndian.PutUint16(head[4:], uint16(count))
	binary.LittleEndian.PutUint16(head[6:], requestFlags(r))
	binary.LittleEndian.PutUint64(head[8:], uint64(r.BodyLength)) // -1 is GB_LENGTH_UNKNOWN
}

// finishHead completes the head of a request whose body has been taken in: what is known
// of its length now, and whether it is in a file.
func finishHead(head []byte, length int64, chunked, spooled bool) []byte {
	add := func(name, value string) {
		head = appendVariable(head, name, value)
		binary.LittleEndian.PutUint16(head[4:], binary.LittleEndian.Uint16(head[4:])+1)
	}
	switch {
	case chunked && length < 0: // it goes on coming as it does
		add("HTTP_TRANSFER_ENCODING", "chunked")
	case chunked:
		add("CONTENT_LENGTH", strconv.FormatInt(length, 10))
	}
	binary.LittleEndian.PutUint32(head, uint32(len(head)))
	if spooled {
		binary.LittleEndian.PutUint16(head[6:], binary.LittleEndian.Uint16(head[6:])|pyhost.RequestSpooled)
	}
	binary.LittleEndian.PutUint64(head[8:], uint64(length))
	return head
}

func requestFlags(r *Request) (flags uint16) {
	if string(r.Method) == "HEAD" {
		flags |= pyhost.RequestHEAD
	}
	if r.Minor == 0 {
		flags |= pyhost.RequestHTTP10
	}
	if r.Expect {
		flags |= pyhost.RequestExpect
	}
	if r.Gateway != nil {
		flags |= pyhost.RequestGateway
	}
	if r.WebSocket {
		flags |= pyhost.RequestWebSocket
	}
	if r.Trailers && r.Minor == 1 {
		flags |= pyhost.RequestTrailers
	}
	return flags | tlsFlag(r.Peer)
}

// appendField adds field i as a variable. A name that comes several times is one
// variable, at its first place: the values joined by ", " (RFC 9110 section 5.3),
// cookies by "; " (RFC 6265 section 5.4). Proxy is left out: HTTP_PROXY in an
// environment is taken for a setting by many libraries (httpoxy).
func appendField(dst []byte, count int, names *names, i int) ([]byte, int) {
	fields := names.fields
	name := fields[i].Name
	if EqualFold(name, "proxy") || !names.first(i) {
		return dst, count
	}
	at := len(dst)
	dst = append(dst, make([]byte, pyhost.VariableSize)...)
	if !EqualFold(name, "content-type") && !EqualFold(name, "content-length") {
		dst = append(dst, "HTTP_"...)
	}
	for _, c := range name {
		dst = append(dst, environByte[c])
	}
	nameSize := len(dst) - at - pyhost.VariableSize
	dst = append(dst, fields[i].Value...)
	separator := ", "
	if EqualFold(name, "cookie") {
		separator = "; "
	}
	for j := names.next(i); j > 0; j = names.next(j) {
		dst = append(dst, separator...)
		dst = append(dst, fields[j].Value...)
	}
	binary.LittleEndian.PutUint16(dst[at:], uint16(nameSize))
	binary.LittleEndian.PutUint32(dst[at+4:], uint32(len(dst)-at-pyhost.VariableSize-nameSize))
	return dst, count + 1
}

// appendMounted adds SCRIPT_NAME and PATH_INFO of an application that is mounted at root. A
// path below it, or root itself, is cut there; any other is one of which a proxy has cut
// off root already. A path that only begins with the same letters is not below it.
func appendMounted(dst []byte, root string, path []byte) []byte {
	const scriptName, pathInfo = "SCRIPT_NAME", "PATH_INFO"
	from := len(dst) + pyhost.VariableSize + len(scriptName)
	dst = appendPath(dst, scriptName, []byte(root))
	at := len(dst)
	dst = appendPath(dst, pathInfo, path)
	script, info := dst[from:at], dst[at+pyhost.VariableSize+len(pathInfo):]
	if rest, below := CutRoot(info, script); below {
		dst = dst[:len(dst)-len(script)]
		binary.LittleEndian.PutUint32(dst[at+4:], uint32(len(rest)))
		copy(info, rest)
	}
	return dst
}

// CutRoot takes a root off a path that is below it, or is it. A path that only begins with the
// same letters is not below it; below an empty root everything is.
func CutRoot(path, root []byte) (rest []byte, below bool) {
	rest, below = bytes.CutPrefix(path, root)
	return rest, below && (len(rest) == 0 || len(root) == 0 || rest[0] == '/')
}

// appendPath adds a variable with a path: percent-decoded once, as bytes; a "%" that no
// two hexadecimal digits follow stays as it is.
func appendPath(dst []byte, name string, path []byte) []byte {
	at := len(dst)
	dst = appendVariable(dst, name, "")
	from := len(dst)
	for i := 0; i < len(path); i++ {
		if path[i] == '%' && i+2 < len(path) && hexDigit[path[i+1]] >= 0 && hexDigit[path[i+2]] >= 0 {
			dst = append(dst, byte(hexDigit[path[i+1]]<<4|hexDigit[path[i+2]]))
			i += 2
			continue
		}
		dst = append(dst, path[i])
	}
	binary.LittleEndian.PutUint32(dst[at+4:], uint32(len(dst)-from))
	return dst
}

var (
	environByte [256]byte // a field name's byte as it stands in an environ key
	lowerByte   [256]byte
	upperByte   [256]byte
	hexDigit    [256]int16 // value, or -1
)

func init() {
	for i := range 256 {
		c := byte(i)
		environByte[i], lowerByte[i], upperByte[i], hexDigit[i] = c, c, c, -1
		switch {
		case c >= 'a' && c <= 'z':
			environByte[i], upperByte[i] = c-'a'+'A', c-'a'+'A'
		case c >= 'A' && c <= 'Z':
			lowerByte[i] = c - 'A' + 'a'
		case c == '-':
			environByte[i] = '_'
		}
		switch {
		case c >= '0' && c <= '9':
			hexDigit[i] = int16(c - '0')
		case c >= 'a' && c <= 'f':
			hexDigit[i] = int16(c-'a') + 10
		case c >= 'A' && c <= 'F':
			hexDigit[i] = int16(c-'A') + 10
		}
	}
}

// EqualFold compares a name, of a field mostly, with one in lower case.
func EqualFold(name []byte, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i, c := range name {
		if lowerByte[c] != lower[i] {
			return false
		}
	}
	return true
}

func sameName(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i, c := range a {
		if lowerByte[c] != lowerByte[b[i]] {
			return false
		}
	}
	return true
}
