package conformance

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"gobridge/tests/server"
)

// received is what the page receives tells.
type received struct {
	Messages [][4]any // type, type of the body, its length, more_body
	Sum      int
}

// check wants the messages to hold a body of so many bytes, and returns their number.
func (r *received) check(t *testing.T, size, sum int) int {
	t.Helper()
	total := 0
	for i, m := range r.Messages {
		last := i == len(r.Messages)-1
		total += int(m[2].(float64))
		if m[0] != "http.request" || m[1] != "bytes" || m[3].(bool) == last {
			t.Errorf("message %d of %d is %v", i+1, len(r.Messages), m)
		}
	}
	if total != size || r.Sum != sum {
		t.Errorf("%d bytes of sum %d, want %d of %d", total, r.Sum, size, sum)
	}
	return len(r.Messages)
}

func (a *answer) received(t *testing.T) (r received) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), &r); err != nil {
		t.Fatalf("%v: %v", a, err)
	}
	return r
}

func bodyIsDechunked(t *testing.T, a *asgi) {
	c := dial(t, a.one)
	for _, piece := range []string{"a", strings.Repeat("b", 200000)} { // the second needs the pipe several times
		c.send(t, "POST /receives HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nxyz\r\n%x\r\n%s\r\n0\r\nX-Sum: t\r\n\r\n", len(piece), piece)
		r := c.receive(t, "POST").received(t)
		r.check(t, 3+len(piece), int('x')+int('y')+int('z')+len(piece)*int(piece[0]))
	}
}

func bodyEndsOnce(t *testing.T, a *asgi) {
	for _, size := range []int{1, 70000, 1000000} {
		r := a.ask(t, "POST", "/receives", strings.Repeat("a", size)).received(t)
		if n := r.check(t, size, size*int('a')); size == 1 && n != 1 {
			t.Errorf("one byte is %d messages", n)
		}
	}
	empty := a.get(t, "/receives").received(t)
	if empty.check(t, 0, 0) != 1 {
		t.Errorf("no body is %v", empty)
	}
	// An end that comes later than the last bytes.
	c := dial(t, a.one)
	c.send(t, "POST /receives HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
	time.Sleep(20 * time.Millisecond)
	c.send(t, "0\r\n\r\n")
	last := c.receive(t, "POST").received(t)
	last.check(t, 3, int('a')+int('b')+int('c'))
}

func continueOnReceive(t *testing.T, a *asgi) {
	c := dial(t, a.one)
	for range 2 {
		c.send(t, "POST /receives HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
		if early, err := c.head(); err != nil || early.status != 100 {
			t.Fatalf("%v, %v", early, err)
		}
		c.send(t, "body")
		r := c.receive(t, "POST").received(t)
		r.check(t, 4, int('b')+int('o')+int('d')+int('y'))
	}
	c.send(t, "POST /life HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
	if got := c.receive(t, "POST"); got.status != 200 || len(got.early) > 0 {
		t.Errorf("an application that does not receive: %v after %v", got, got.early)
	}
}

func disconnectIsTold(t *testing.T, a *asgi) {
	for _, leave := range []func(c *client) error{
		func(c *client) error { return c.Close() },
		func(c *client) error { return c.reset() },
		func(c *client) error { return c.finish() }, // his half: he gets his answer
	} {
		name, c := unique(), dial(t, a.one)
		c.send(t, "POST /waits?%s HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody", name)
		a.awaitNotes(t, name, "waiting")
		if err := leave(c); err != nil {
			t.Fatal(err)
		}
		a.awaitNotes(t, name, "waiting", "http.disconnect", "http.disconnect")
	}
	name, c := unique(), dial(t, a.one)
	c.send(t, "GET /waits?%s HTTP/1.1\r\nHost: x\r\n\r\nGET /life HTTP/1.1\r\nHost: x\r\n\r\n", name)
	a.awaitNotes(t, name, "waiting") // what is sent behind the request is no leaving
	if err := c.finish(); err != nil {
		t.Fatal(err)
	}
	if got := c.receive(t, "GET"); got.status != 200 {
		t.Errorf("who has closed his half got %v", got)
	}
	if got := c.receive(t, "GET"); got.status != 200 {
		t.Errorf("behind it: %v", got)
	}
	atOnce(t, a)
}

// atOnce wants most of several leavings to be told within 100 ms; a busy machine may be late.
func atOnce(t *testing.T, a *asgi) {
	inTime := 0
	for range 5 {
		name, c := unique(), dial(t, a.one)
		c.send(t, "GET /waits?%s HTTP/1.1\r\nHost: x\r\n\r\n", name)
		a.awaitNotes(t, name, "waiting")
		c.Close()
		time.Sleep(100 * time.Millisecond)
		if strings.Contains(a.notes(t, name), "http.disconnect") {
			inTime++
		}
	}
	if inTime < 3 {
		t.Errorf("only %d of 5 leavings were told within 100 ms", inTime)
	}
}

func disconnectAfterResponse(t *testing.T, a *asgi) {
	for _, text := range []string{"", "body"} {
		name := unique()
		if got := a.ask(t, "POST", "/complete?"+name, text); got.body != "complete" {
			t.Errorf("%v", got)
		}
		a.awaitNotes(t, name, "http.disconnect", "http.disconnect", "RuntimeError")
	}
}

func sendRaisesOSError(t *testing.T, a *asgi) {
	for _, how := range []string{"", "slow", "other"} {
		name, c := unique()+how, dial(t, a.one)
		before := len(a.one.Log())
		c.send(t, "GET /endless?%s HTTP/1.1\r\nHost: x\r\n\r\n", name)
		if _, err := c.head(); err != nil {
			t.Fatal(err)
		}
		if err := c.reset(); err != nil {
			t.Fatal(err)
		}
		a.awaitNotes(t, name, "OSError: True")
		a.get(t, "/life")
		if log := a.one.Log()[before:]; strings.Contains(log, name) || strings.Contains(log, "Traceback") {
			t.Errorf("it is logged: %s", log)
		}
	}
}

func leavingCancelsNothing(t *testing.T, a *asgi) {
	name, c := unique(), dial(t, a.one)
	c.send(t, "GET /computes?%s HTTP/1.1\r\nHost: x\r\n\r\n", name)
	a.awaitNotes(t, name, "computing")
	c.Close()
	a.open(t, name)
	a.awaitNotes(t, name, "computing", "finished")
}

func receiveIsACoroutine(t *testing.T, a *asgi) {
	name := unique()
	if got := a.get(t, "/timed?"+name).body; got != `[0, ["CancelledError", "CancelledError"]]` {
		t.Errorf("%s", got)
	}
	a.awaitNotes(t, name, "nothing came")
}

func tasksShareARequest(t *testing.T, a *asgi) {
	c := dial(t, a.one)
	body := strings.Repeat("z", 300000)
	sent := make(chan error, 1)
	go func() {
		_, err := fmt.Fprintf(c, "POST /concurrent HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		sent <- err
	}()
	var want strings.Builder
	for i := range 8 {
		want.WriteString(strings.Repeat(string(rune('A'+i)), 100000))
	}
	if got := c.receive(t, "POST"); got.body != want.String()+"300000" || got.cut != nil {
		t.Errorf("%v", got)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

func nothingIsLeft(t *testing.T, a *asgi) {
	had := a.tasks(t)
	for i := range 40 {
		c := dial(t, a.one)
		page := []string{"waits", "endless", "gated", "computes"}[i%4]
		name := unique()
		c.send(t, "GET /%s?%s HTTP/1.1\r\nHost: x\r\n\r\n", page, name)
		if i%2 == 0 {
			if err := c.reset(); err != nil {
				t.Fatal(err)
			}
		}
		c.Close()
		a.open(t, name)
	}
	a.awaitRest(t, had)
	a.invent(t, 300) // what is kept of the last requests is there then
	before := a.memory(t)
	a.invent(t, 2000)
	if grown := a.memory(t) - before; grown > 4<<10 {
		t.Errorf("2000 methods that clients have made up, of 4 KB each, take %d KiB of the worker", grown)
	}
}

// invent asks by methods that nobody has heard of.
func (a *asgi) invent(t *testing.T, n int) {
	t.Helper()
	client := a.one.Client()
	defer client.CloseIdleConnections()
	for range n {
		r, err := http.NewRequest(unique()+strings.Repeat("M", 4000), a.one.URL("/tasks"), nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
	}
}

// memory is what the worker has, in KiB.
func (a *asgi) memory(t *testing.T) int {
	t.Helper()
	n, err := server.Status(a.one.Workers()[0], "VmRSS")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// awaitRest waits until there is no more than there was. There may be less: among what there was
// may be the last of an earlier check.
func (a *asgi) awaitRest(t *testing.T, had [2]int) {
	t.Helper()
	var got [2]int
	if err := server.Await(func() bool { got = a.tasks(t); return got[0] <= had[0] && got[1] <= had[1] }); err != nil {
		t.Errorf("tasks and descriptors are %d, they were %d", got, had)
	}
}

// tasks are how many tasks and descriptors the worker has.
func (a *asgi) tasks(t *testing.T) (n [2]int) {
	t.Helper()
	body := a.get(t, "/tasks").body
	if _, err := fmt.Sscan(body, &n[0], &n[1]); err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	return n
}
