package websocket

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"

	"gobridge/bridge"
)

// Version is the only version of the protocol that there is (RFC 6455 section 4.1).
const Version = "13"

// Handshake is a client's valid wish to speak WebSocket, and what the server's consent says.
type Handshake struct {
	Accept  [28]byte // value of Sec-WebSocket-Accept
	Deflate Deflate  // how messages are compressed, if they are
}

// A Refusal is why a request is no handshake.
type Refusal struct {
	Status int // 400, or 426 for a version that is not spoken
	Reason string
}

func (r *Refusal) Error() string { return r.Reason }

func bad(format string, args ...any) *Refusal { return &Refusal{400, fmt.Sprintf(format, args...)} }

// keySize is the size of Sec-WebSocket-Key: 16 bytes in base64.
const keySize = 24

// acceptGUID is what the client's key is hashed with (RFC 6455 section 1.3).
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// Check holds a request that asks for an upgrade to websocket, by Connection and Upgrade, against
// RFC 6455 section 4.2.1. deflate says whether compression is to be had. An error is a *Refusal.
func Check(q *bridge.Request, deflate bool) (h Handshake, err error) {
	if string(q.Method) != "GET" {
		return h, bad("a WebSocket handshake is a GET request")
	}
	if q.BodyLength != 0 {
		return h, bad("a WebSocket handshake has no body")
	}
	var f fields
	if err := f.take(q.Fields); err != nil {
		return h, err
	}
	if string(f.version) != Version {
		return h, &Refusal{426, "only version 13 of the WebSocket protocol is spoken here"}
	}
	if h.Accept, err = accept(f.key); err != nil {
		return h, err
	}
	if deflate {
		h.Deflate = negotiate(f.extensions)
	}
	return h, nil
}

// fields are the values of the handshake's own header fields.
type fields struct {
	key, version []byte
	extensions   [][]byte // one for each line
}

func (f *fields) take(all []bridge.Field) error {
	for i := range all {
		var into *[]byte
		switch name, value := all[i].Name, all[i].Value; {
		case len(name) < 17 || !bridge.EqualFold(name[:14], "sec-websocket-"):
			continue
		case bridge.EqualFold(name[14:], "key"):
			into = &f.key
		case bridge.EqualFold(name[14:], "version"):
			into = &f.version
		case bridge.EqualFold(name[14:], "extensions"):
			f.extensions = append(f.extensions, value)
			continue
		default:
			continue
		}
		if *into != nil {
			return bad("the WebSocket handshake has two %s fields", all[i].Name)
		}
		if *into = all[i].Value; *into == nil {
			*into = []byte{}
		}
	}
	switch {
	case f.key == nil:
		return bad("the WebSocket handshake has no Sec-WebSocket-Key")
	case f.version == nil:
		return bad("the WebSocket handshake has no Sec-WebSocket-Version")
	}
	return nil
}

// accept is the proof that the server has understood the handshake.
func accept(key []byte) (value [28]byte, err error) {
	var raw [keySize]byte
	if len(key) != keySize {
		return value, bad("Sec-WebSocket-Key has %d bytes instead of 24, of 16 bytes in base64", len(key))
	}
	if n, err := base64.StdEncoding.Decode(raw[:], key); err != nil || n != 16 {
		return value, bad("Sec-WebSocket-Key is not 16 bytes in base64")
	}
	sum := sha1.Sum(append(append(make([]byte, 0, keySize+len(acceptGUID)), key...), acceptGUID...))
	base64.StdEncoding.Encode(value[:], sum[:])
	return value, nil
}
