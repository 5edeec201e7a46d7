package http1

import (
	"bytes"

	"gobridge/bridge"
)

// AppendUpgrade adds the head of an answer that switches to websocket (RFC 6455 section 4.2.2). Of
// the application's lines those are left out that are the handshake's own.
func AppendUpgrade(dst []byte, h *bridge.ResponseHead, r *Response, accept, extensions []byte) []byte {
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	dst = append(append(dst, accept...), "\r\n"...)
	if len(extensions) > 0 {
		dst = append(append(append(dst, "Sec-WebSocket-Extensions: "...), extensions...), "\r\n"...)
	}
	for line := range bytes.Lines(h.Lines) {
		if name, _, _ := bytes.Cut(line, colon); !handshakes(name) {
			dst = append(dst, line...)
		}
	}
	return append(appendOwn(dst, h, r), "\r\n"...)
}

// handshakes says whether a field of an acceptance is the front's.
func handshakes(name []byte) bool {
	for _, own := range [...]string{"upgrade", "connection", "sec-websocket-accept", "sec-websocket-extensions", "content-length", "transfer-encoding"} {
		if bridge.EqualFold(name, own) {
			return true
		}
	}
	return false
}
