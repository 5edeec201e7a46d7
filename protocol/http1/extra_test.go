package http1

import (
	"strings"
	"testing"

	"gobridge/bridge"
)

func TestExtraFields(t *testing.T) {
	var extra []Extra
	for _, text := range []string{"X-Frame-Options: DENY", "x-empty:", "Server:  shop ", "Date: never"} {
		e, err := NewExtra(text)
		if err != nil {
			t.Fatal(err)
		}
		extra = append(extra, e)
	}
	for lines, want := range map[string]string{
		"":                           "X-Frame-Options: DENY\r\nx-empty: \r\nServer: shop\r\nDate: never\r\n",
		"X-FRAME-options: same\r\n":  "X-FRAME-options: same\r\nx-empty: \r\nServer: shop\r\nDate: never\r\n",
		"A: X-Frame-Options: x\r\n":  "A: X-Frame-Options: x\r\nX-Frame-Options: DENY\r\nx-empty: \r\nServer: shop\r\nDate: never\r\n",
		"A: b\r\nX-Empty: full\r\n":  "A: b\r\nX-Empty: full\r\nX-Frame-Options: DENY\r\nServer: shop\r\nDate: never\r\n",
		"X-Frame-Optionsx: same\r\n": "X-Frame-Optionsx: same\r\nX-Frame-Options: DENY\r\nx-empty: \r\nServer: shop\r\nDate: never\r\n",
	} {
		h := bridge.ResponseHead{Status: 200, Lines: []byte(lines)}
		out, _, _ := AppendHead(nil, &h, &Response{Minor: 1, KeepAlive: true, Extra: extra})
		if got := string(out); got != "HTTP/1.1 200 OK\r\n"+want+"\r\n" {
			t.Errorf("with %q: %q", lines, got)
		}
	}
}

func TestWrongExtraFields(t *testing.T) {
	for text, want := range map[string]string{
		"X-Frame-Options": "no colon", ": x": "no header's name", "A b: c": "no header's name", "A : c": "no header's name",
		"A: b\r\nC: d": "control character", "A: \x00": "control character", "Größe: 1": "no header's name",
		"content-LENGTH: 1": "server's own", "Transfer-Encoding: x": "server's own", "Connection: close": "server's own",
	} {
		if _, err := NewExtra(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", text, err, want)
		}
	}
}
