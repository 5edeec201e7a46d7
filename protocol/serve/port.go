package serve

import "gobridge/bridge"

// Port is a reactor's end of the bridge. *bridge.Port is it, by BridgePorts; the tests
// of this package have one that answers in memory. The methods are the bridge's.
type Port interface {
	NewExchange() Exchange
	Begin(x Exchange, r *bridge.Request, c bridge.Client) bool
	Holds() bool
	WebSockets() bool
	Hold(x Exchange, r *bridge.Request, c bridge.Client) bool
	Submit(x Exchange, length int64, file int)
	Doorbell() int
	Turn() int
	Flush()
	Came() bool
	Taken()
	Sleep() bridge.Doze
	Deepen() bool
	Awake()
	Inflight() int
}

// Exchange is one request and its response. *bridge.Exchange is it.
type Exchange interface {
	WriteBody(b []byte) int
	EndBody()
	BodyWanted() bool
	Head() *bridge.ResponseHead
	Hints() *bridge.ResponseHead
	Body() (a, b []byte)
	Advance(n int)
	File() (bridge.File, bool)
	Trailers() []byte
	State() bridge.State
	Running() bool
	MessageRoom() int
	WriteMessage(kind bridge.MessageKind, b []byte, last bool)
	WriteClose(code int, reason []byte)
	Message() bridge.Message
	Recalled() bool
	Rest()
	HangUp()
	Leave()
}

// BridgePorts makes the bridge's ports usable here.
func BridgePorts(ports []*bridge.Port) []Port {
	all := make([]Port, len(ports))
	for i, p := range ports {
		all[i] = bridgePort{p}
	}
	return all
}

type bridgePort struct{ *bridge.Port }

func (p bridgePort) NewExchange() Exchange { return new(bridge.Exchange) }

func (p bridgePort) Begin(x Exchange, r *bridge.Request, c bridge.Client) bool {
	return p.Port.Begin(x.(*bridge.Exchange), r, c)
}

func (p bridgePort) Hold(x Exchange, r *bridge.Request, c bridge.Client) bool {
	return p.Port.Hold(x.(*bridge.Exchange), r, c)
}

func (p bridgePort) Submit(x Exchange, length int64, file int) {
	p.Port.Submit(x.(*bridge.Exchange), length, file)
}
