package serve

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"gobridge/bridge"
	"gobridge/protocol/cgi"
	"gobridge/protocol/fastcgi"
	"gobridge/protocol/scgi"
	"gobridge/protocol/uwsgi"
)

// FuzzGateways: whatever comes by the protocols of web servers, in whatever pieces, nothing fails
// and nothing is left. What is begun is what was sent: a body has the bytes that stand behind its
// head, and in FastCGI those of its own records; and only who has begun a request is answered. Where
// memory is short, HTTP among them, it is for nothing to be kept beyond it, and nothing to be left.
func FuzzGateways(f *testing.F) {
	for i := range ways {
		w := &ways[i]
		for piece := range 3 {
			f.Add(uint8(i+3*piece), []byte(w.asks("POST", "/d", "abc")), uint16(7*piece))
			f.Add(uint8(i), []byte(w.asks("POST", "/e", "abc", "CONTENT_TYPE=text/x", "HTTP_HOST=x")+"more"), uint16(piece))
		}
		f.Add(uint8(i), []byte(w.asks("POST", "/d", "abc")+w.asks("POST", "/d", "abc")), uint16(0))
		f.Add(uint8(i), []byte(w.asks("GET", "/n", "")), uint16(0))
		f.Add(uint8(i), []byte(w.asks("POST", "/l", "abc")), uint16(11))
		f.Add(uint8(i), []byte("GET / HTTP/1.1\r\n\r\n"), uint16(0))
	}
	f.Add(uint8(0), []byte(packet(100)), uint16(3))
	f.Add(uint8(1), []byte(keeps("/d", "abc")+keeps("/s", "")+another+asksValues+unknown+abort+keeps("/e", "abc")), uint16(0))
	f.Add(uint8(1), []byte(authorizer+keeps("/h", "abc")+abort+keeps("/e", "abc")), uint16(50))
	const usual, full, early, streamed, held, lost = 0, 0x10, 0x20, 0x40, 0x50, 0x60 // what becomes of a request
	for kind := range uint8(2) {
		f.Add(6+kind, []byte{doBegin, 0, usual, doHead, 0, 1, doBegin, 1, usual, doBody, 0, 5, doBody, 1, 7, doEnd, 0, doRest, 0, doBody, 1, 7}, uint16(0))
		f.Add(6+kind, []byte{doBegin, 0, full, doHead, 0, 1, doBody, 0, 250, doBody, 0, 250, doRest, 0, doBody, 0, 250, doBody, 0, 250, doBody, 0, 250,
			doRest, 0, doBegin, 0, usual, doHead, 0, 9, doBody, 0, 1, doEnd, 0}, uint16(0))
	}
	f.Add(uint8(6), []byte{doBegin, 0, usual, doHead, 0, 1, doBody, 0, 5, doEnd, 0, doRest, 0, doBegin, 0, early, doHead, 0, 9, doRest, 0,
		doBody, 0, 5, doBegin, 0, streamed, doHead, 0, 2, doBody, 0, 3, doEnd, 0}, uint16(0))
	f.Add(uint8(7), []byte{doBegin, 0, held, doHead, 0, 1, doBegin, 1, usual, doBody, 0, 5, doBody, 1, 7, doAbort, 0, doRest, 0, doAsk, 0,
		doBegin, 1, usual, doHead, 1, 0, doBody, 1, 7, doEnd, 1, doOdd, 0, 4}, uint16(9))
	f.Add(uint8(6), []byte{doBegin, 0, lost, doHead, 0, 1, doBody, 0, 3, doRest, 0, doBody, 0, 4, doEnd, 0, doBegin, 0, usual + 8, doHead, 0, 0x83, 2,
		doBody, 0, 2, doEnd, 0}, uint16(1))

	long := strings.Repeat("x", 30_000)
	f.Add(uint8(8), []byte("POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcPOST /d HTTP/1.1\r\nHost: x\r\nContent-Length: 30000\r\n\r\n"+long), uint16(0))
	f.Add(uint8(8), []byte("GET /n HTTP/1.1\r\nHost: x\r\nA: "+long), uint16(5000))
	for i := range ways {
		f.Add(uint8(9+i), []byte(ways[i].asks("POST", "/h", long)), uint16(9000))
	}
	f.Add(uint8(10), []byte(keeps("/n", "abc")+keeps("/s", long)+abort+keeps("/e", "abc")), uint16(0))

	const enough, short = 512 << 10, 12 << 10
	var stages, poor []*stage
	for _, buffer := range []int64{0, 16 << 10} {
		for i := range ways {
			stages = append(stages, newStage(f, ways[i].name, buffer, enough))
		}
	}
	for _, name := range []string{"http", ways[0].name, ways[1].name, ways[2].name} {
		poor = append(poor, newStage(f, name, 4<<10, short))
	}
	f.Fuzz(func(t *testing.T, kind uint8, text []byte, piece uint16) {
		size := int(piece)
		if size == 0 {
			size = 64 << 10
		}
		text = text[:min(len(text), 300*size)] // at each piece all that has come may be looked at
		kind %= 12
		if kind == 6 || kind == 7 { // FastCGI
			playScript(t, stages[1+3*(int(kind)-6)], text, size)
			return
		}
		var g *stage
		if kind < 6 {
			g = stages[kind]
		} else {
			g = poor[kind-8]
		}
		g.connect(t)
		g.send(t, text, size)
		g.leave(t)
		if kind < 6 && kind%3 != 1 {
			checkSingle(t, g, text)
		}
	})
}

// checkSingle holds what a connection with one request has come to against what was sent.
func checkSingle(t *testing.T, g *stage, text []byte) {
	t.Helper()
	n, h, err := headOf(g.l.dialect.name, text)
	if n == 0 || err != nil || h == nil || letter(string(h.Request.Target)) == 'n' {
		if len(g.p.calls) > 0 {
			t.Fatalf("a request was begun: %s", g.p.calls[0].target)
		}
		return
	}
	sent := text[n:]
	whole := int64(len(sent)) >= h.Request.BodyLength
	if whole {
		sent = sent[:h.Request.BodyLength]
	}
	switch {
	case len(g.p.calls) > 1 || len(g.p.calls) == 0 && whole:
		t.Fatalf("%d requests were begun", len(g.p.calls))
	case len(g.p.calls) == 0:
		return
	}
	c := g.p.calls[0]
	if c.target != string(h.Request.Target) || !bytes.HasPrefix(sent, c.body) {
		t.Fatalf("%s with %q, sent was %s with %q", c.target, c.body, h.Request.Target, sent)
	}
	if strings.IndexByte("ehls", letter(c.target)) < 0 && whole && (len(c.body) < len(sent) || !bytes.Contains(g.answer, []byte("<"+c.target+">"))) {
		t.Fatalf("%s got %d bytes of %d, and the answer is %q", c.target, len(c.body), len(sent), g.answer)
	}
}

// headOf parses a head; nil: it is none.
func headOf(protocol string, text []byte) (int, *cgi.Head, error) {
	text = bytes.Clone(text)
	peer := &bridge.Peer{}
	if protocol == "scgi" {
		p := scgi.NewParser()
		p.Local = peer
		n, err := p.Parse(text)
		return n, &p.Head, err
	}
	p := uwsgi.NewParser()
	p.Local = peer
	n, err := p.Parse(text)
	if p.Ping {
		return n, nil, err
	}
	return n, &p.Head, err
}

// What a script has a web server do by FastCGI. Behind each stands the request's number, and then
// what else there is to say.
const (
	doBegin = iota
	doHead
	doBody
	doEnd
	doAbort
	doAsk // for values
	doOdd
	doRest // and wait for what comes of it
	actions
)

// scriptIDs are how many requests' numbers there are.
const scriptIDs = 3

// A script is a web server that says, well-formed, what may make no sense. The body of each request
// that it begins consists of one letter, which is in its path, too.
type script struct {
	*testing.T
	stage *stage
	size  int // of the pieces
	rest  []byte
	out   []byte

	begun [scriptIDs + 1]int // how many requests of each number
	tags  [scriptIDs + 1]byte
	kinds [scriptIDs + 1]byte
	of    map[byte]uint16 // the numbers of the requests, by their letters
}

func playScript(t *testing.T, g *stage, text []byte, size int) {
	t.Helper()
	s := &script{T: t, stage: g, size: size, rest: text, of: map[byte]uint16{}}
	g.connect(t)
	for len(s.rest) > 0 && len(s.of) < 26 {
		s.act()
	}
	s.flush()
	g.leave(t)
	s.checkBodies()
	s.checkAnswers()
}

func (s *script) next() (b byte) {
	if len(s.rest) > 0 {
		b, s.rest = s.rest[0], s.rest[1:]
	}
	return b
}

func (s *script) flush() {
	s.stage.send(s.T, s.out, s.size)
	s.out = s.out[:0]
}

// act does one thing, with some padding.
func (s *script) act() {
	action, id := s.next(), uint16(s.next()%scriptIDs)+1
	padding := action / actions
	switch action % actions {
	case doBegin:
		s.begin(id, s.next())
	case doHead:
		s.head(id, padding)
	case doBody:
		s.record(5, id, bytes.Repeat([]byte{s.tags[id]}, int(s.next())*64), padding)
	case doEnd:
		s.record(5, id, nil, padding)
	case doAbort:
		s.record(2, id, nil, padding)
	case doAsk:
		s.out = append(s.out, asksValues...)
	case doOdd:
		kind := s.next()
		if kind%2 == 0 {
			id = 0
		}
		s.record(20+kind, id, []byte("odd"), padding)
	case doRest:
		s.flush()
	}
}

func (s *script) begin(id uint16, with byte) {
	tag := byte('A' + len(s.of))
	s.begun[id]++
	s.of[tag], s.tags[id], s.kinds[id] = id, tag, "dfeeshln"[with>>4&7]
	role, keep := byte(1), byte(1)
	if with&7 == 7 {
		role = 2
	}
	if with&8 != 0 {
		keep = 0
	}
	s.record(1, id, []byte{0, role, keep, 0, 0, 0, 0, 0}, 0)
}

// head adds a request's parameters, in two records.
func (s *script) head(id uint16, padding byte) {
	variables := []string{"REQUEST_METHOD=POST", fmt.Sprintf("REQUEST_URI=/%c%c", s.kinds[id], s.tags[id])}
	cut := int(s.next())
	if cut >= 0x80 {
		variables = append(variables, fmt.Sprintf("CONTENT_LENGTH=%d", int(s.next())*7))
	}
	text := records(true, variables...)[16+fastcgi.HeaderSize:] // behind BEGIN_REQUEST and one header
	text = text[:len(text)-fastcgi.HeaderSize]
	if cut = min(cut&0x7f, len(text)); cut > 0 {
		s.record(4, id, []byte(text[:cut]), padding)
	}
	if cut < len(text) {
		s.record(4, id, []byte(text[cut:]), 0)
	}
	s.record(4, id, nil, padding)
}

func (s *script) record(kind byte, id uint16, content []byte, padding byte) {
	s.out = append(s.out, 1, kind, byte(id>>8), byte(id), byte(len(content)>>8), byte(len(content)), padding, 0)
	s.out = append(append(s.out, content...), bytes.Repeat([]byte{'!'}, int(padding))...)
}

// checkBodies: no request has another's bytes.
func (s *script) checkBodies() {
	s.Helper()
	for _, c := range s.stage.p.calls {
		if tag := c.target[2]; len(bytes.Trim(c.body, string(rune(tag)))) > 0 {
			s.Fatalf("%s has the body %q", c.target, c.body)
		}
	}
}

// checkAnswers: each answer is that of a request with this number, and there are no more of them.
func (s *script) checkAnswers() {
	s.Helper()
	told := map[uint16]int{}
	texts := map[uint16][]byte{}
	for b := s.stage.answer; len(b) >= fastcgi.HeaderSize && !bytes.HasPrefix(b, []byte("HTTP/")); {
		kind, id := b[1], binary.BigEndian.Uint16(b[2:])
		size := int(binary.BigEndian.Uint16(b[4:]))
		end := fastcgi.HeaderSize + size + int(b[6])
		if b[0] != 1 || len(b) < end && !s.stage.cut {
			s.Fatalf("no record: %.20q", b)
		}
		if len(b) < end {
			return
		}
		content := b[fastcgi.HeaderSize : fastcgi.HeaderSize+size]
		b = b[end:]
		switch {
		case kind == 10 && id == 0, kind == 11 && id == 0:
		case id == 0 || id > scriptIDs || s.begun[id] == 0:
			s.Fatalf("an answer to request %d, which nobody has begun", id)
		case kind == 6:
			texts[id] = append(texts[id], content...)
		case kind == 3:
			if told[id]++; told[id] > s.begun[id] {
				s.Fatalf("request %d was answered %d times, and begun %d times", id, told[id], s.begun[id])
			}
			s.checkText(id, texts[id])
			delete(texts, id)
		default:
			s.Fatalf("a record of type %d for request %d", kind, id)
		}
	}
}

// checkText: what the application has said is for whoever has asked it.
func (s *script) checkText(id uint16, text []byte) {
	s.Helper()
	_, after, ok := bytes.Cut(text, []byte("<"))
	if !ok {
		return
	}
	target, rest, ok := bytes.Cut(after, []byte(">"))
	if !ok || len(target) != 3 || s.of[target[2]] != id || bytes.Contains(rest, []byte("<")) {
		s.Fatalf("request %d is answered %q", id, text)
	}
	delete(s.of, target[2]) // and it is answered once
}
