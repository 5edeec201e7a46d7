package http1

import (
	"bytes"
	"fmt"
	"strconv"

	"gobridge/bridge"
)

// AppendRequest adds a request's head, as a client sends it: with the body's length, if it has a
// body, and no other fields than its own. What would be more than one line is an error.
func AppendRequest(dst []byte, q *bridge.Request) ([]byte, error) {
	if !IsToken(q.Method) {
		return dst, fmt.Errorf("%q is no method", q.Method)
	}
	if len(q.Target) == 0 || bytes.ContainsFunc(q.Target, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return dst, fmt.Errorf("%q is no path: write %%20 for a space", q.Target)
	}
	at := len(dst)
	dst = append(append(append(append(dst, q.Method...), ' '), q.Target...), " HTTP/1.1\r\n"...)
	for _, f := range q.Fields {
		if !IsToken(f.Name) {
			return dst[:at], fmt.Errorf("%q is no name of a header field", f.Name)
		}
		if n := text(f.Value); n < len(f.Value) {
			return dst[:at], fmt.Errorf("the header field %s has the control character 0x%02x in its value", f.Name, f.Value[n])
		}
		dst = append(append(append(append(dst, f.Name...), ": "...), f.Value...), "\r\n"...)
	}
	if q.BodyLength > 0 {
		dst = strconv.AppendInt(append(dst, "Content-Length: "...), q.BodyLength, 10)
		dst = append(dst, "\r\n"...)
	}
	return append(dst, "\r\n"...), nil
}
