package serve

import (
	"time"

	"gobridge/bridge"
	"gobridge/protocol/fastcgi"
	"gobridge/protocol/http1"
	"gobridge/protocol/scgi"
	"gobridge/protocol/uwsgi"
)

// work is what a connection needs only while it has a request. Idle connections have
// none: it goes from one to the other with its memory.
type work struct {
	x          Exchange
	parser     http1.Parser
	packets    *uwsgi.Parser // nil, as the next two: this work has had none
	netstrings *scgi.Parser
	records    *fastcgi.Parser
	note       note
	made       madeID
	pending    []byte      // of the answer: made, and not taken by the socket
	origin     bridge.Peer // what proxies say of the request, if they are believed
	progress
}

// progress is how far one request and its answer are. The zero value is the beginning.
type progress struct {
	// The request.
	since   int64        // when its head was whole
	peer    *bridge.Peer // between whom it is; nil until its head is whole
	held    bool         // the exchange is held: a worker is given it when its body is here
	begun   bool         // the exchange has been begun and not been left
	charged int64        // what a long head and a body's file have taken of the memory budget
	intake  *intake      // what of the body is taken in, and not given to the exchange yet
	expect  bool         // the client waits for 100 (Continue)
	hearing bool         // frames are being taken
	full    bool         // the application has no room for body bytes at the moment
	body    bodyState    // how much of it has come
	came    int64        // bytes of it since the deadline for more was set
	left    int64        // bytes of a counted body still to come; of a chunk that is decoded and not yet taken
	size    int64        // bytes of a chunked body so far
	chunks  http1.Chunked

	// The answer.
	minor    int    // of the request's HTTP/1.Minor
	id       uint16 // FastCGI's of the request, whose answer goes out in records; 0: it does not
	cgi      bool   // it is CGI's form of an answer
	aside    []byte // what is to go out behind the record that has begun
	noBody   bool   // the method is HEAD
	asJSON   bool   // the client would rather have an error as JSON
	upgrade  bool   // it asks for a WebSocket
	close    bool   // the connection ends after this answer
	over     bool   // everything of the answer is made; what is not sent stands in pending
	refused  bool   // by the front, and the client may be sending on
	cut      bool   // it is not whole, and the client must see that
	long     bool   // the application sent more than it had announced
	headSent bool
	framing  http1.Framing
	due      int64     // bytes still to be sent: of the answer's length, when that is the framing
	chunk    int       // bytes still to be sent of a chunk whose size is announced
	transfer *transfer // a file, which is a part of the body
	socket   *socket   // the request is a WebSocket's handshake; nil: it is none
	status   int
	sent     int64 // body bytes
}

// bodyState says how the end of the request's body is known.
type bodyState uint8

const (
	bodyWhole   bodyState = iota // it has come, or there is none
	bodyCounted                  // by its Content-Length
	bodyChunked                  // by the last chunk
	bodyRecords                  // by the last of FastCGI's records
)

// keepPending is how much memory for unsent bytes a work keeps for the next request.
const keepPending = 2 * bufferSize

func (c *conn) takeWork() {
	r := c.r
	if n := len(r.works); n > 0 {
		c.work = r.works[n-1]
		r.works = r.works[:n-1]
		return
	}
	w := &work{x: r.port.NewExchange()}
	w.parser.Limits = r.server.settings.Head
	w.parser.RefuseUnderscores = r.server.settings.RefuseUnderscores
	c.work = w
}

// releaseWork gives the work back, made ready for the next request.
func (c *conn) releaseWork() {
	w, r := c.work, c.r
	if w == nil {
		return
	}
	c.work = nil
	if len(r.works) >= keepWorks {
		return
	}
	if w.pending = w.pending[:0]; cap(w.pending) > keepPending {
		w.pending = nil
	}
	w.note.reset()
	w.parser.Reset()
	w.resetGateways()
	w.progress = progress{}
	r.works = append(r.works, w)
}

// forget has the parsers drop what they have found of a head that the bridge has. While its request
// waits they would hold on to the buffer that it lay in, which is given back and no longer counted.
func (w *work) forget() {
	w.parser.Forget()
	if w.packets != nil {
		w.packets.Head.Reset()
	}
	if w.netstrings != nil {
		w.netstrings.Head.Reset()
	}
	if w.records != nil {
		w.records.Head.Reset()
	}
}

// resetGateways has the parsers of web servers' requests drop what they have found.
func (w *work) resetGateways() {
	if w.packets != nil {
		w.packets.Reset()
	}
	if w.netstrings != nil {
		w.netstrings.Reset()
	}
	if w.records != nil {
		w.records.Reset()
	}
}

// useHead looks for a whole head in b and begins its request. It returns the bytes of
// the head; 0 when there must come more.
func (c *conn) useHead(b []byte) int {
	w := c.work
	p := &w.parser
	n, err := p.Parse(b)
	if err != nil {
		w.asJSON = p.WantsJSON
		c.refuseError(err)
		return len(b)
	}
	if n == 0 {
		c.awaitHead()
		return 0
	}
	w.minor, w.close, w.noBody, w.asJSON, w.upgrade = p.Request.Minor, !p.KeepAlive, p.HeadMethod, p.WantsJSON, p.WebSocket
	p.Request.Peer = &c.peer
	if !c.begin(&p.Request, p.Forwarded, n, len(b)-n) {
		return len(b)
	}
	if n > longHead {
		w.forget()
	}
	return n
}

// awaitHead waits for the rest of a head of which a part has come.
func (c *conn) awaitHead() {
	if c.phase == idle {
		c.phase = reading
		c.setRead(c.r.after(c.r.server.settings.HeadTime))
	}
}

// longHead is so many bytes that a head counts in the memory budget, for the bridge may have
// to keep it: until the body is here, or as long as the request waits in the line.
const longHead = smallBuffer

// headMemory is about what the bridge keeps of a head of so many bytes: in environ the target stands
// three times (PATH_INFO and QUERY_STRING, REQUEST_URI, RAW_URI), and fields are variables.
func headMemory(q *bridge.Request, head int) int64 {
	const more = 8 + len("HTTP_") // struct gb_variable, and the prefix
	return int64(head + 2*len(q.Target) + more*len(q.Fields))
}

// begin hands a request to the bridge, or takes its body in first. In its head, of so many
// bytes, proxies may have spoken of the client; behind it lie as many bytes already. It reports
// false when it was refused instead, and what stands behind its head is of no use any more.
func (c *conn) begin(q *bridge.Request, forwarded bool, head, behind int) bool {
	w, r := c.work, c.r
	s := &r.server.settings
	q.Root = s.Root
	c.phase = serving
	w.since = r.now
	if q.ID = nil; s.RequestID != "" {
		w.identify(q, r.server.requestID, r.server.requestIDLower)
	}
	w.note.take(q, r.log != nil)
	w.expectBody(q)
	if forwarded && !c.hear(q) {
		return false
	}
	w.peer = q.Peer
	if w.upgrade && r.port.WebSockets() && !c.shake(q) {
		return true
	}
	if limit := s.BodySize; limit > 0 && q.BodyLength > limit {
		c.refuse(bodyTooLarge)
		return false
	}
	if head > longHead {
		size := headMemory(q, head)
		if !r.server.budget.take(size) {
			c.refuse(memoryShort)
			return false
		}
		w.charged = size
	}
	if c.takesIn(q, behind) {
		return c.take(q, behind)
	}
	if !r.port.Begin(w.x, q, c) {
		c.decline(w.tooMany())
		return true
	}
	w.begun = true
	if c.gone() {
		c.hangUp()
	}
	c.awaitBody()
	return true
}

// expectBody notes what follows the head.
func (w *work) expectBody(q *bridge.Request) {
	switch {
	case w.id != 0 && q.BodyLength != 0:
		w.body = bodyRecords
	case q.BodyLength > 0:
		w.body, w.left, w.expect = bodyCounted, q.BodyLength, q.Expect
	case q.BodyLength < 0:
		w.body, w.expect = bodyChunked, q.Expect
		w.chunks.Reset()
	}
}

// leave takes the connection out of its exchange.
func (c *conn) leave() {
	w := c.work
	if w.begun || w.held {
		w.begun, w.held = false, false
		if w.socket != nil {
			c.leaveSocket()
		}
		w.x.Leave()
	}
	c.dropIntake()
	if w.charged > 0 {
		c.r.server.budget.give(w.charged)
		w.charged = 0
	}
}

// A note is what is remembered of a request's head, which is not kept itself: enough to
// name it in a log.
type note struct {
	text                        []byte
	name, line, referrer, agent int // where the parts end: "GET /path", and the rest of the line; the id is the last
}

const (
	noteTarget = 256  // bytes of a target that are remembered for naming it
	noteField  = 1024 // and of each part, for the access log
)

func (n *note) reset() { *n = note{text: n.text[:0]} }

func (n *note) describe() string {
	if id := n.text[n.agent:]; len(id) > 0 {
		return string(n.text[:n.name]) + " [" + string(id) + "]"
	}
	return string(n.text[:n.name])
}

// take remembers a request; all of it for an access log.
func (n *note) take(q *bridge.Request, all bool) {
	limit := noteTarget
	if all {
		limit = noteField
	}
	n.text = append(append(n.text[:0], q.Method...), ' ')
	n.text = append(n.text, q.Target[:min(len(q.Target), limit)]...)
	n.name = len(n.text)
	n.line, n.referrer, n.agent = n.name, n.name, n.name
	if all {
		if g := q.Gateway; g != nil {
			n.text = append(append(n.text, ' '), g.Protocol[:min(len(g.Protocol), noteField)]...)
		} else {
			n.text = append(n.text, " HTTP/1."...)
			n.text = append(n.text, byte('0'+q.Minor))
		}
		n.line = len(n.text)
		n.text = appendField(n.text, q.Fields, "referer")
		n.referrer = len(n.text)
		n.text = appendField(n.text, q.Fields, "user-agent")
		n.agent = len(n.text)
	}
	n.text = append(n.text, q.ID...)
}

func appendField(dst []byte, fields []bridge.Field, name string) []byte {
	for i := range fields {
		if bridge.EqualFold(fields[i].Name, name) {
			return append(dst, fields[i].Value[:min(len(fields[i].Value), noteField)]...)
		}
	}
	return dst
}

// logRequest writes the request's line into the access log.
func (c *conn) logRequest() {
	w, r := c.work, c.r
	if r.log == nil {
		return
	}
	n, p := &w.note, w.peer
	if p == nil {
		p = &c.peer
	}
	r.log.add(&entry{
		remote: p.RemoteAddr, request: n.text[:n.line], referrer: n.text[n.line:n.referrer], agent: n.text[n.referrer:n.agent], id: n.text[n.agent:],
		status: w.status, sent: w.sent, took: time.Duration(r.now - w.since),
	}, r.wall)
}
