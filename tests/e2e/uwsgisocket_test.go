package e2e

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gobridge/tests/nginx"
	"gobridge/tests/server"
	"gobridge/tests/sockets"
)

// socketConfig passes WebSockets on as it does requests: uwsgi_params and uwsgi_pass, and
// nothing else.
const socketConfig = nginx.Base + `	uwsgi_next_upstream off;
	set_real_ip_from unix:;
	real_ip_header X-Test-Client;
	server {
		listen unix:%[1]s/site;
		location / {
			include /etc/nginx/uwsgi_params;
			uwsgi_pass unix:%[2]s;
		}
		location /secure {
			include /etc/nginx/uwsgi_params;
			uwsgi_param HTTPS on;
			uwsgi_pass unix:%[2]s;
		}
	}
}
`

// TestWebSocketsByUwsgi speaks with an application through nginx's tunnel.
func TestWebSocketsByUwsgi(t *testing.T) {
	t.Parallel()
	dir, account := unprivileged(t)
	noted, variable := notes(t)
	s := start(t, server.Config{Application: "gateway_asgi:application", Bind: "uwsgi:unix:" + filepath.Join(dir, "app"),
		Args: []string{"--workers", "1"}, Env: []string{variable}})
	startNginx(t, dir, account, fmt.Sprintf(socketConfig, dir, s.Address()), "site")
	shake := func(t *testing.T, target string, fields ...string) (*tunnel, *http.Response) {
		t.Helper()
		return shakeHands(t, dir, target, fields...)
	}

	t.Run("scope", func(t *testing.T) {
		c, r := shake(t, "/secure/caf%C3%A9?a=b", "Sec-WebSocket-Protocol: chat, other", "X-Test-Client: 192.0.2.7")
		if r.Header.Get("Sec-WebSocket-Protocol") != "chat" || r.Header.Get("X-Own") != "yes" || !strings.HasPrefix(r.Header.Get("Server"), "nginx") {
			t.Errorf("the answer's header is %v", r.Header)
		}
		var got map[string]any
		must(t, json.Unmarshal([]byte(c.hear(t, sockets.Text)), &got))
		for name, want := range map[string]string{
			"type": "websocket", "scheme": "wss", "path": "/secure/caf\u00e9", "raw_path": "/secure/caf%C3%A9", "query_string": "a=b", "http_version": "1.1",
			"subprotocols": "[chat other]", "client": "[192.0.2.7 0]", "root_path": "",
		} {
			if fmt.Sprint(got[name]) != want {
				t.Errorf("%s is %v, want %s", name, got[name], want)
			}
		}
		extensions, _ := got["extensions"].(map[string]any)
		if variables, _ := extensions["uwsgi"].(map[string]any); variables["HTTPS"] != "on" || extensions["websocket.http.response"] == nil {
			t.Errorf("the extensions are %v", extensions)
		}
	})
	t.Run("messages", func(t *testing.T) {
		c, _ := shake(t, "/?messages")
		c.hear(t, sockets.Text)
		for _, text := range []string{"", "gr\u00fc\u00dfe", strings.Repeat("\u20ac", 1_000_000)} {
			c.say(t, sockets.Fin|sockets.Text, text)
			c.mustHear(t, sockets.Text, text)
			c.say(t, sockets.Fin|sockets.Binary, text)
			c.mustHear(t, sockets.Binary, text)
		}
		c.say(t, sockets.Text, "in ")
		c.say(t, sockets.Fin|sockets.Ping, "there?")
		c.mustHear(t, sockets.Pong, "there?")
		c.say(t, sockets.Fin, "pieces")
		c.mustHear(t, sockets.Text, "in pieces")
		for range 200 {
			c.say(t, sockets.Fin|sockets.Text, "one of many")
		}
		for range 200 {
			c.mustHear(t, sockets.Text, "one of many")
		}
		c.say(t, sockets.Fin|sockets.Close, sockets.Closing(4001, "enough"))
		c.mustHear(t, sockets.Close, sockets.Closing(4001, ""))
		c.mustEnd(t)
		if note := awaitNote(t, noted, "ended-messages"); note != "4001 enough" {
			t.Errorf("the application was told %q", note)
		}
	})
	t.Run("closed by the application", func(t *testing.T) {
		c, _ := shake(t, "/?closed")
		c.hear(t, sockets.Text)
		c.say(t, sockets.Fin|sockets.Text, "close 3210")
		c.mustHear(t, sockets.Close, sockets.Closing(3210, "as you say"))
		c.say(t, sockets.Fin|sockets.Close, sockets.Closing(3210, ""))
		c.mustEnd(t)
		awaitNote(t, noted, "ended-closed 3210")
	})
	t.Run("against the protocol", func(t *testing.T) {
		c, _ := shake(t, "/?broken")
		c.hear(t, sockets.Text)
		c.say(t, sockets.Fin|sockets.Text, "\xff")
		if text := c.hear(t, sockets.Close); !strings.HasPrefix(text, sockets.Closing(1007, "")) {
			t.Errorf("the close says %q", text)
		}
		awaitNote(t, noted, "ended-broken 1007")
	})
	t.Run("a client that goes", func(t *testing.T) {
		c, _ := shake(t, "/?gone")
		c.hear(t, sockets.Text)
		c.Close()
		awaitNote(t, noted, "ended-gone 1006")
	})
	t.Run("a client of HTTP that goes", func(t *testing.T) {
		client := clientOf(dir, "site")
		r, err := client.Get("http://localhost/left?http")
		must(t, err)
		_, err = io.ReadFull(r.Body, make([]byte, len("begun ")))
		must(t, err)
		r.Body.Close()
		client.CloseIdleConnections()
		if note := awaitNote(t, noted, "left-http"); note != "http.disconnect" {
			t.Errorf("the application was told %q", note)
		}
	})
	t.Run("compressed", func(t *testing.T) { checkCompressed(t, dir) })
	t.Run("refused", func(t *testing.T) {
		if _, r := shake(t, "/refused"); r.StatusCode != http.StatusForbidden {
			t.Errorf("by the application: %v", r)
		}
		if _, r := shake(t, "/", "Sec-WebSocket-Version: 8"); r.StatusCode != http.StatusBadRequest && r.StatusCode != http.StatusUpgradeRequired {
			t.Errorf("for its version: %v", r)
		}
	})
	must(t, s.AtRest())
}

// checkCompressed sends a message compressed (RFC 7692), and wants it back so.
func checkCompressed(t *testing.T, dir string) {
	c, r := shakeHands(t, dir, "/?compressed", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
	if got := r.Header.Get("Sec-WebSocket-Extensions"); !strings.HasPrefix(got, "permessage-deflate") {
		t.Fatalf("it answers with the extensions %q", got)
	}
	// What a frame leaves out of its last block, and one more block, which ends the stream.
	const compressed, tail, end = 0x40, "\x00\x00\xff\xff", "\x01\x00\x00\xff\xff"
	var heard []byte // each message may refer to what was before it
	hear := func() string {
		first, payload, err := sockets.ReadFrame(c.in)
		must(t, err)
		if first != sockets.Fin|compressed|sockets.Text {
			t.Fatalf("a frame begins with %#x", first)
		}
		text, err := io.ReadAll(flate.NewReaderDict(io.MultiReader(bytes.NewReader(payload), strings.NewReader(tail+end)), heard))
		must(t, err)
		heard = append(heard, text...)
		return string(text)
	}
	if text := hear(); !strings.Contains(text, "permessage-deflate") {
		t.Errorf("the scope, compressed, is %.300q", text)
	}
	text := strings.Repeat("compressed ", 60)
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	must(t, err)
	_, err = io.WriteString(w, text)
	must(t, err)
	must(t, w.Flush())
	c.say(t, sockets.Fin|compressed|sockets.Text, strings.TrimSuffix(b.String(), tail))
	if got := hear(); got != text {
		t.Errorf("%.100q came back", got)
	}
}

// tunnel is a client's end of a WebSocket.
type tunnel struct {
	net.Conn
	in *bufio.Reader
}

// shakeHands asks nginx for a WebSocket, or for what it answers instead. A field counts instead
// of the usual one.
func shakeHands(t *testing.T, dir, target string, fields ...string) (*tunnel, *http.Response) {
	t.Helper()
	conn, err := net.Dial("unix", filepath.Join(dir, "site"))
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	must(t, conn.SetDeadline(time.Now().Add(server.Patience)))
	own := sockets.Fields
	for _, f := range fields {
		if name, _, _ := strings.Cut(f, ":"); name == "Sec-WebSocket-Version" {
			own = strings.Replace(own, "Sec-WebSocket-Version: 13\r\n", "", 1)
		}
	}
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n%s%s\r\n", target, own, strings.Join(append(fields, ""), "\r\n"))
	must(t, err)
	c := &tunnel{Conn: conn, in: bufio.NewReader(conn)}
	r, err := http.ReadResponse(c.in, nil)
	must(t, err)
	if r.StatusCode == http.StatusSwitchingProtocols && r.Header.Get("Sec-WebSocket-Accept") != sockets.Accept {
		t.Errorf("%s: the answer's header is %v", target, r.Header)
	}
	return c, r
}

func (c *tunnel) say(t *testing.T, first byte, payload string) {
	t.Helper()
	_, err := c.Write(sockets.Frame(first, payload))
	must(t, err)
}

// hear reads a message, or a control frame, which must be of that kind.
func (c *tunnel) hear(t *testing.T, kind byte) string {
	t.Helper()
	op, message, err := sockets.ReadMessage(c.in)
	must(t, err)
	if op != kind {
		t.Fatalf("heard %#x %.100q, want %#x", op, message, kind)
	}
	return string(message)
}

func (c *tunnel) mustHear(t *testing.T, kind byte, text string) {
	t.Helper()
	if got := c.hear(t, kind); got != text {
		t.Fatalf("heard %.100q of %d bytes, want %.100q of %d", got, len(got), text, len(text))
	}
}

// mustEnd wants nothing more to come but the connection's end.
func (c *tunnel) mustEnd(t *testing.T) {
	t.Helper()
	if rest, err := io.ReadAll(c.in); err != nil || len(rest) > 0 {
		t.Errorf("behind the close frame: %q, %v", rest, err)
	}
}
