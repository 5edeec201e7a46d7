package cgi

import (
	"bytes"
	"strconv"

	"gobridge/bridge"
)

// AppendVariables adds the variables of a request in which a web server would pass it on, as
// nginx's own lists have them: uwsgi_params, fastcgi_params, scgi_params. The path is decoded, as
// web servers do it. Fields become HTTP_ variables, but for Content-Type; the body's length is
// the request's.
func AppendVariables(dst []bridge.Field, q *bridge.Request) []bridge.Field {
	path, query, _ := bytes.Cut(q.Target, []byte("?"))
	length := ""
	if q.BodyLength > 0 {
		length = strconv.FormatInt(q.BodyLength, 10)
	}
	kind, fields := []byte(nil), make([]bridge.Field, 0, len(q.Fields))
	for _, f := range q.Fields {
		switch name := variableOf(f.Name); {
		case bytes.Equal(name, []byte("HTTP_CONTENT_TYPE")):
			kind = f.Value
		case bytes.Equal(name, []byte("HTTP_CONTENT_LENGTH")):
		default:
			fields = append(fields, bridge.Field{Name: name, Value: f.Value})
		}
	}
	p := q.Peer
	for _, v := range [...]struct {
		name  string
		value []byte
	}{
		{"QUERY_STRING", query}, {"REQUEST_METHOD", q.Method}, {"CONTENT_TYPE", kind}, {"CONTENT_LENGTH", []byte(length)},
		{"REQUEST_URI", q.Target}, {"PATH_INFO", decoded(path)}, {"SERVER_PROTOCOL", []byte("HTTP/1.1")}, {"REQUEST_SCHEME", []byte(p.Scheme)},
		{"REMOTE_ADDR", []byte(p.RemoteAddr)}, {"REMOTE_PORT", []byte(p.RemotePort)}, {"SERVER_PORT", []byte(p.ServerPort)}, {"SERVER_NAME", []byte(p.ServerName)},
	} {
		dst = append(dst, bridge.Field{Name: []byte(v.name), Value: v.value})
	}
	return append(dst, fields...)
}

// variableOf is the variable of a header field.
func variableOf(field []byte) []byte {
	name := append([]byte("HTTP_"), bytes.ToUpper(field)...)
	for i, c := range name {
		if c == '-' {
			name[i] = '_'
		}
	}
	return name
}

// decoded is a path without its percent-encoding.
func decoded(path []byte) []byte {
	var h Head
	return h.decode(path)
}
