package http1

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"gobridge/bridge"
)

// Extra is a field that every response gets, unless it has one of that name.
type Extra struct {
	name string // lower case
	line []byte // with CR LF
}

// NewExtra makes an Extra of "NAME: VALUE". Names that frame a response, or that concern the
// connection, are refused: those are the server's own.
func NewExtra(text string) (Extra, error) {
	name, value, ok := strings.Cut(text, ":")
	value = strings.Trim(value, " \t")
	lowered := strings.ToLower(name)
	switch {
	case !ok:
		return Extra{}, errors.New("there is no colon")
	case name == "" || !all([]byte(name), isToken):
		return Extra{}, fmt.Errorf("%q is no header's name", name)
	case !all([]byte(value), isValue):
		return Extra{}, errors.New("the value has a control character")
	}
	for _, own := range connectionFields {
		if lowered == own {
			return Extra{}, fmt.Errorf("%s is the server's own", name)
		}
	}
	return Extra{lowered, []byte(name + ": " + value + "\r\n")}, nil
}

// Name is the field's, in lower case.
func (e *Extra) Name() string { return e.name }

// The fields that say how a response is framed, or that concern the connection alone
// (RFC 9110 section 7.6.1).
var connectionFields = []string{
	"connection", "content-length", "keep-alive", "proxy-authenticate", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
}

// appendExtra adds the fields that are not among the lines.
func appendExtra(dst, lines []byte, extra []Extra) []byte {
	for i := range extra {
		if !hasField(lines, extra[i].name) {
			dst = append(dst, extra[i].line...)
		}
	}
	return dst
}

func hasField(lines []byte, name string) bool {
	for len(lines) > 0 {
		if len(lines) > len(name) && lines[len(name)] == ':' && bridge.EqualFold(lines[:len(name)], name) {
			return true
		}
		n := bytes.IndexByte(lines, '\n')
		if n < 0 {
			break
		}
		lines = lines[n+1:]
	}
	return false
}
