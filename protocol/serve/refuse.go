package serve

import (
	"errors"
	"time"

	"gobridge/protocol/http1"
	"gobridge/protocol/websocket"
)

// A refusal is an answer that the front gives itself.
type refusal struct {
	status int
	text   string // for people
	close  bool   // what the client sends after it is of no use
	retry  bool   // say when to try again
	lines  string // header lines
}

var (
	requestTimeout = &refusal{status: 408, text: "The request did not come in time.", close: true}
	bodyTooLarge   = &refusal{status: 413, text: "The request's body is larger than this server takes.", close: true}
	workerLost     = &refusal{status: 502, text: "The application's process ended before it had answered."}
	overrun        = &refusal{status: 504, text: "The application did not answer in time."}
	tooManyOfOne   = &refusal{status: 503, text: "Your address has as many connections as it may have here.", close: true, retry: true}
	restarting     = &refusal{status: 503, text: "The server is about to restart. Please try again.", retry: true}
	socketsFull    = &refusal{status: 503, text: "The server has as many WebSockets or requests as it takes at once. Please try again.", retry: true}
	crowded        = &refusal{status: 503, text: "The server has as many requests as it takes at once. Please try again.", retry: true}
	memoryShort    = &refusal{status: 503, text: "The server has no memory for the request at the moment. Please try again.", close: true, retry: true}
	cannotStore    = &refusal{status: 503, text: "The server cannot store the request's body at the moment. Please try again.", close: true, retry: true}
	diskFull       = &refusal{status: 507, text: "The server has no room to store the request's body. Please try again later.", close: true, retry: true}
	overloaded     = &refusal{status: 503, text: "No worker was free in time. Please try again.", retry: true}
)

// refuse answers the request with a, or cuts the answer that the application has begun.
func (c *conn) refuse(a *refusal) {
	w := c.work
	if c.phase == skipping { // it is answered already
		c.last()
		return
	}
	c.answerWith(a)
	if !c.blocked || len(w.pending) == 0 {
		c.write()
	}
}

// decline answers a request with a when nothing but its head has been used. The connection may
// stay, so the answer is not sent amid the bytes behind the head, which would be used twice.
func (c *conn) decline(a *refusal) {
	c.answerWith(a)
	c.r.later(c)
}

func (c *conn) answerWith(a *refusal) {
	w := c.work
	if w.since == 0 {
		w.since = c.r.now
	}
	c.leave()
	c.phase = serving
	w.over = true
	if w.headSent {
		w.cut = true
	} else {
		c.appendRefusal(a)
	}
	c.setRead(0)
}

// refuseError answers a request that the codec refuses.
func (c *conn) refuseError(err error) {
	c.tellOfRefusal(err)
	c.refuse(refusalOf(err))
}

// maySay says whether something that clients bring about may be logged, given when that was
// done last: of many in a second the first one.
func (r *reactor) maySay(last *int64) bool {
	if *last != 0 && r.now-*last < int64(time.Second) {
		return false
	}
	*last = r.now
	return true
}

// tellOfRefusal says so in the log: of many in a second the first one.
func (c *conn) tellOfRefusal(err error) {
	if r := c.r; r.maySay(&r.refused) {
		r.server.settings.Log.Info().Str("client", c.peer.RemoteAddr).Str("reason", err.Error()).Msg("a malformed request was refused")
	}
}

// refusalOf makes an answer of a codec's error.
func refusalOf(err error) *refusal {
	a := &refusal{status: 400, text: err.Error(), close: true}
	var e *http1.Error
	if errors.As(err, &e) {
		a.status, a.text = e.Status, e.Reason
	}
	var no *websocket.Refusal
	if errors.As(err, &no) {
		a.status, a.text, a.close = no.Status, no.Reason, false
		if a.status == 426 {
			a.lines = "\r\nUpgrade: websocket\r\nSec-WebSocket-Version: " + websocket.Version
		}
	}
	return a
}
