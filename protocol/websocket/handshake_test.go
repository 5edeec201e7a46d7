package websocket

import (
	"errors"
	"strings"
	"testing"

	"gobridge/bridge"
)

// ask is a handshake with these lines for its own header fields.
func ask(lines ...string) *bridge.Request {
	q := &bridge.Request{Method: []byte("GET"), Minor: 1}
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		q.Fields = append(q.Fields, bridge.Field{Name: []byte(name), Value: []byte(value)})
	}
	return q
}

const (
	testKey     = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==" // of RFC 6455 section 1.3
	testVersion = "Sec-WebSocket-Version: 13"
)

func TestHandshake(t *testing.T) {
	h, err := Check(ask("Host: a", "sec-websocket-VERSION: 13", testKey), true)
	if err != nil || string(h.Accept[:]) != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" || h.Deflate.On {
		t.Fatalf("%q, %+v, %v", h.Accept, h.Deflate, err)
	}
}

func TestNoHandshake(t *testing.T) {
	post := ask(testKey, testVersion)
	post.Method = []byte("POST")
	body, chunked := ask(testKey, testVersion), ask(testKey, testVersion)
	body.BodyLength, chunked.BodyLength = 1, -1
	for reason, q := range map[string]*bridge.Request{
		"400 a WebSocket handshake is a GET request":                                       post,
		"400 a WebSocket handshake has no body":                                            body,
		"400 a WebSocket handshake has no body ":                                           chunked,
		"400 the WebSocket handshake has no Sec-WebSocket-Key":                             ask(testVersion),
		"400 the WebSocket handshake has no Sec-WebSocket-Version":                         ask(testKey),
		"400 the WebSocket handshake has two Sec-WebSocket-Key fields":                     ask(testKey, testVersion, testKey),
		"400 the WebSocket handshake has two Sec-WebSocket-Version fields":                 ask(testKey, testVersion, testVersion),
		"400 Sec-WebSocket-Key has 0 bytes instead of 24, of 16 bytes in base64":           ask("Sec-WebSocket-Key: ", testVersion),
		"400 Sec-WebSocket-Key has 28 bytes instead of 24, of 16 bytes in base64":          ask(testKey+"AAA=", testVersion),
		"400 Sec-WebSocket-Key is not 16 bytes in base64":                                  ask("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWE=", testVersion),
		"400 Sec-WebSocket-Key is not 16 bytes in base64 ":                                 ask("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j,Q==", testVersion),
		"426 only version 13 of the WebSocket protocol is spoken here":                     ask(testKey, "Sec-WebSocket-Version: 8"),
		"426 only version 13 of the WebSocket protocol is spoken here, and never a list":   ask(testKey, "Sec-WebSocket-Version: 13, 8"),
		"426 only version 13 of the WebSocket protocol is spoken here, not an empty value": ask(testKey, "Sec-WebSocket-Version: "),
	} {
		_, err := Check(q, true)
		refusal, ok := errors.AsType[*Refusal](err)
		if !ok || !strings.HasPrefix(reason[4:], refusal.Reason) || strings.HasPrefix(reason, "426") != (refusal.Status == 426) {
			t.Errorf("%v, want %s", err, reason)
		}
	}
}

func TestExtensions(t *testing.T) {
	for _, c := range []struct{ offers, answer string }{
		{"", ""},
		{"permessage-deflate", "permessage-deflate; client_no_context_takeover"},
		{"Permessage-Deflate ; client_max_window_bits", "permessage-deflate; client_max_window_bits=12"}, // Chromium
		{"permessage-deflate; client_max_window_bits=15", "permessage-deflate; client_max_window_bits=12"},
		{`permessage-deflate; client_max_window_bits="13"`, "permessage-deflate; client_max_window_bits=12"},
		{"permessage-deflate; client_max_window_bits=12", "permessage-deflate"},
		{"permessage-deflate; client_max_window_bits=8", "permessage-deflate"},
		{"permessage-deflate; client_max_window_bits; client_no_context_takeover", "permessage-deflate; client_no_context_takeover"},
		{"permessage-deflate; client_no_context_takeover; client_max_window_bits", "permessage-deflate; client_no_context_takeover"},
		{"permessage-deflate; server_no_context_takeover", "permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
		{"permessage-deflate; server_max_window_bits=9", "permessage-deflate; client_no_context_takeover; server_max_window_bits=9"},
		{"permessage-deflate; server_max_window_bits=15; client_max_window_bits", "permessage-deflate; server_max_window_bits=15; client_max_window_bits=12"},
		// What is malformed or unknown is no offer; the next one may be one.
		{"permessage-deflate; server_max_window_bits", ""},
		{"permessage-deflate; server_max_window_bits=7", ""},
		{"permessage-deflate; server_max_window_bits=16", ""},
		{"permessage-deflate; server_max_window_bits=08", ""},
		{"permessage-deflate; client_max_window_bits=", ""},
		{"permessage-deflate; client_max_window_bits=+9", ""},
		{"permessage-deflate; client_no_context_takeover=1", ""},
		{"permessage-deflate; server_no_context_takeover; server_no_context_takeover", ""},
		{"permessage-deflate; mystery", ""},
		{"permessage-deflate;", ""},
		{"x-webkit-deflate-frame", ""},
		{`other; a="x, permessage-deflate"; b="\"", bbf-usp-protocol`, ""},
		{"permessage-deflate; mystery, permessage-deflate", "permessage-deflate; client_no_context_takeover"},
		{"other, permessage-deflate; client_max_window_bits", "permessage-deflate; client_max_window_bits=12"},
	} {
		h, err := Check(ask(testKey, testVersion, "Sec-WebSocket-Extensions: "+c.offers), true)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if h.Deflate.On {
			got = string(h.Deflate.Append(nil))
		}
		if got != c.answer {
			t.Errorf("%q is answered %q, want %q", c.offers, got, c.answer)
		}
	}
	two := ask(testKey, testVersion, "Sec-WebSocket-Extensions: other", "Sec-WebSocket-Extensions: permessage-deflate")
	if h, err := Check(two, true); err != nil || !h.Deflate.On {
		t.Errorf("an offer in the second line is not taken: %v", err)
	}
	if h, err := Check(two, false); err != nil || h.Deflate.On {
		t.Errorf("an offer is taken although it is switched off: %v", err)
	}
}
