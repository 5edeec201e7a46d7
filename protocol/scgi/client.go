package scgi

import (
	"strconv"

	"gobridge/bridge"
)

// AppendRequest adds the head of a request with a body of so many bytes, which comes behind it.
// CONTENT_LENGTH and SCGI are not among the variables. For clients.
func AppendRequest(dst []byte, variables []bridge.Field, length int64) []byte {
	var block []byte
	add := func(name, value string) {
		block = append(append(append(append(block, name...), 0), value...), 0)
	}
	add("CONTENT_LENGTH", strconv.FormatInt(length, 10))
	add("SCGI", "1")
	for _, v := range variables {
		add(string(v.Name), string(v.Value))
	}
	dst = append(strconv.AppendInt(dst, int64(len(block)), 10), ':')
	return append(append(dst, block...), ',')
}
