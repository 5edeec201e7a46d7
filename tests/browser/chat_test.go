package browser

import (
	"syscall"
	"testing"
)

// TestChat has two people talk in examples/chat, over a reload of its code.
func TestChat(t *testing.T) {
	s := serve(t, "chat", "app:app", "--graceful-timeout", "1s")
	d := startDriver(t)
	ada, zoe := d.open(t, s.URL("/")), d.open(t, s.URL("/"))
	ada.enter("#name", "Ada")
	ada.awaitText("#state", "Here: Ada")
	zoe.enter("#name", "Zoë")
	for _, w := range []*window{ada, zoe} {
		w.awaitText("#state", "Here: Ada, Zoë")
	}
	zoe.enter("#text", "Grüße & <b>markup</b>")
	for _, w := range []*window{ada, zoe} {
		w.awaitText("#said li", "ZoëGrüße & <b>markup</b>")
	}
	ada.enter("#text", "hello")
	zoe.awaitText("#said li:nth-child(2)", "Adahello")

	// The old code closes its WebSockets when its time is over, and the pages come back.
	for _, w := range []*window{ada, zoe} {
		w.run(`socket.addEventListener("close", event => window.closedWith = event.code)`)
	}
	must(t, s.Signal(syscall.SIGHUP))
	for _, w := range []*window{ada, zoe} {
		w.await("return window.closedWith", 1012)
	}
	for _, w := range []*window{ada, zoe} {
		w.awaitText("#state", "Here: Ada, Zoë")
	}
	ada.enter("#text", "again")
	zoe.awaitText("#said li:last-child", "Adaagain")
}

// TestBoard has two people use examples/channels: pages and forms by HTTP, what comes of it by WebSocket.
func TestBoard(t *testing.T) {
	s := serve(t, "channels", "board.asgi:application", "--graceful-timeout", "1s")
	d := startDriver(t)
	ada, zoe := d.open(t, s.URL("/")), d.open(t, s.URL("/"))
	ada.enter("[name=name]", "Ada")
	ada.awaitText("#state", "Ada came")
	zoe.enter("[name=name]", "Zoë")
	ada.awaitText("#state", "Zoë came")
	zoe.enter("[name=text]", "Käse & <b>")
	for _, w := range []*window{ada, zoe} {
		w.awaitText("#said li", "Zoë: Käse & <b>")
	}
	ada.awaitText("#state", "Zoë writes")
}
