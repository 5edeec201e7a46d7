package bridge

import "testing"

// There are as many requests as there may be: in the line, with workers whether their clients
// are there or not, or being answered.
func TestConcurrency(t *testing.T) {
	c := config(1, 2)
	c.Concurrency = 5
	b, w := newTestBridge(t, c)
	var clients []*fakeClient
	admitted := func(p *Port) bool {
		c := &fakeClient{name: "GET /"}
		clients = append(clients, c)
		return p.Begin(&c.x, hello("/"), c)
	}
	for i := range 5 {
		if !admitted(b.ports[i%2]) {
			t.Fatalf("request %d is one too many", i)
		}
	}
	for _, p := range b.ports {
		if admitted(p) {
			t.Fatal("the sixth is begun")
		}
	}
	first, second := w[0].claim(), w[0].claim()
	clients[0].x.Leave() // it runs on
	if admitted(b.ports[0]) {
		t.Error("a request that runs for nobody does not count")
	}
	first.answer(200, "")
	b.ports[0].Turn()
	if !admitted(b.ports[0]) || admitted(b.ports[1]) {
		t.Error("when one has ended there is room for one")
	}
	second.answer(200, "")
	b.ports[1].Turn()
	if admitted(b.ports[1]) {
		t.Error("an answer that is not taken does not count")
	}
	clients[1].x.Leave()
	if !admitted(b.ports[1]) {
		t.Error("when an answer is taken there is room for one")
	}
	third := w[0].claim()
	clients[2].x.Leave()
	kill(b, w[0].slot) // with a run for nobody
	for _, c := range clients {
		c.x.Leave()
	}
	_ = third
	expectIdle(t, b)
}
