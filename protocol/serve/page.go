package serve

import (
	"encoding/json"
	"strconv"
	"time"

	"gobridge/bridge"
	"gobridge/protocol/fastcgi"
	"gobridge/protocol/http1"
)

// A page is the body of an answer that the front gives itself: what is wrong in a sentence,
// and nothing about the server or its application. As JSON it is a problem (RFC 9457).

const (
	textPage = "text/plain; charset=utf-8"
	jsonPage = "application/problem+json"
)

// page is the body of a refusal, and its content type.
func (a *refusal) page(asJSON bool) (body []byte, kind string) {
	if !asJSON {
		return []byte(a.text + "\n"), textPage
	}
	body, err := json.Marshal(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{"about:blank", http1.Reason(a.status), a.status, a.text})
	if err != nil { // there is no such value in it
		return []byte(a.text + "\n"), textPage
	}
	return append(body, '\n'), jsonPage
}

// appendWhole adds the body of an answer that the front gives itself.
func (w *work) appendWhole(out, body []byte) []byte {
	if w.id != 0 {
		return fastcgi.AppendStdout(out, w.id, body)
	}
	return append(out, body...)
}

func (c *conn) appendRefusal(a *refusal) {
	w := c.work
	w.refused = a.close
	w.close = w.close || a.close || w.mayBeMuchLeft(&c.r.server.settings)
	body, kind := a.page(w.asJSON)
	lines := append([]byte("Content-Type: "), kind...)
	lines = append(lines, "\r\nContent-Length: "...)
	lines = strconv.AppendInt(lines, int64(len(body)), 10)
	lines = append(lines, a.lines...)
	if wait := c.r.server.settings.RetryAfter; a.retry && wait > 0 {
		lines = append(lines, "\r\nRetry-After: "...)
		lines = strconv.AppendInt(lines, int64((wait+time.Second-1)/time.Second), 10)
	}
	h := bridge.ResponseHead{Status: a.status, BodyLength: int64(len(body)), Lines: append(lines, "\r\n"...)}
	w.pending = c.appendHead(w.pending, &h)
	if w.framing != http1.Empty {
		w.pending = w.appendWhole(w.pending, body)
		w.sent = int64(len(body))
	}
	if w.id != 0 {
		w.pending = fastcgi.AppendEnd(w.pending, w.id)
	}
}
