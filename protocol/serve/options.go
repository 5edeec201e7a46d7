package serve

import (
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/rs/zerolog"

	"gobridge/protocol/forwarded"
	"gobridge/protocol/http1"
	"gobridge/protocol/proxyproto"
	"gobridge/protocol/trust"
)

// Settings are the server's limits, deadlines and logs. DefaultSettings are good ones.
// A duration or a size of 0 is no limit, but for the head's, which always has one.
type Settings struct {
	Head              http1.Limits // of one request's head: 414, 431
	RefuseUnderscores bool         // 400 for a header name with an underscore, instead of leaving the field out

	BodySize    int64 // bytes of a request's body: 413
	Connections int   // open at once; more wait in the backlog
	CPUs        int   // that may be used; 0: those of the affinity mask
	PerAddress  int   // of them by one client's address; more are closed. Trusted proxies, and unix sockets, are not counted

	HeadTime   time.Duration // from a head's first byte to its last: 408
	BodyTime   time.Duration // between two pieces of a body: 408
	IdleTime   time.Duration // without a request; then the connection is closed silently
	WriteTime  time.Duration // in which a client must take some of its answer, or is cut off
	LingerTime time.Duration // for a client to see its last answer and to close
	DrainTime  time.Duration // for which an idle connection may still bring a request while the server drains

	BodyRate  int64 // bytes a second at least, over BodyTime: 408
	WriteRate int64 // and over WriteTime, or the client is cut off

	Buffer int64  // bytes of a body that are taken in before a worker is given its request; 0: it gets what comes as it comes
	Spool  *Spool // for longer ones; nil: the rest of them is not taken in
	Memory int64  // bytes, of all that clients have sent and nobody has taken yet; 0: no limit

	UnreadSize int64 // bytes of an unread body that are thrown away so that the connection can be used again
	LingerSize int64 // bytes that are read and thrown away after a last answer

	WebSocketSize    int64         // bytes of a WebSocket's message, inflated: 1009
	WebSocketDeflate bool          // messages may be compressed
	PingTime         time.Duration // between two pings to a WebSocket's client
	PongTime         time.Duration // for its answer; then 1011

	RetryAfter time.Duration // said by 503 when a request waited too long for a worker
	ServerName string        // for the field Server; empty: none
	NoDate     bool          // no field Date
	Extra      []http1.Extra // fields for every response

	RequestID string // name of the field with a request's id, from the client or made; empty: requests have none

	Root          string              // where the application is mounted: bridge.Request.Root
	Forwarded     forwarded.Rules     // which peers are believed what about their clients
	ProxyVersions proxyproto.Versions // which announcements are awaited
	ProxyFrom     trust.List          // and from which peers

	GatewayFrom map[string]trust.List // which peers may speak a web server's protocol, by its name, as a bind begins

	AccessLog io.Writer // nil: none
	Log       zerolog.Logger
}

// DefaultSettings returns the settings to start from.
func DefaultSettings() Settings {
	return Settings{
		Head:       http1.DefaultLimits(),
		HeadTime:   20 * time.Second,
		BodyTime:   30 * time.Second,
		IdleTime:   75 * time.Second, // longer than nginx keeps connections to its upstreams (60 s)
		WriteTime:  60 * time.Second,
		BodyRate:   500,
		WriteRate:  500,
		LingerTime: 5 * time.Second,
		DrainTime:  time.Second,
		UnreadSize: 256 << 10,
		LingerSize: 16 << 20,
		RetryAfter: time.Second,

		WebSocketSize:    16 << 20,
		WebSocketDeflate: true,
		PingTime:         20 * time.Second,
		PongTime:         20 * time.Second,

		ServerName: "gobridge",
		Log:        zerolog.Nop(),
	}
}

// proxies says whether an address is that of a proxy, whose connections are many clients'.
// A list that believes everybody names no proxy.
func (s *Settings) proxies(a netip.Addr) bool {
	return s.Forwarded.Trusted.Names(a) || s.ProxyVersions != 0 && s.ProxyFrom.Names(a)
}

func (s *Settings) check() error {
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"head time", s.HeadTime}, {"body time", s.BodyTime}, {"idle time", s.IdleTime}, {"write time", s.WriteTime},
		{"linger time", s.LingerTime}, {"drain time", s.DrainTime}, {"retry after", s.RetryAfter},
		{"ping time", s.PingTime}, {"pong time", s.PongTime},
	} {
		if d.value < 0 {
			return fmt.Errorf("%s: %s is negative", d.name, d.value)
		}
	}
	for _, n := range []struct {
		name  string
		value int64
	}{
		{"body size", s.BodySize}, {"connections", int64(s.Connections)}, {"connections per address", int64(s.PerAddress)}, {"unread size", s.UnreadSize}, {"linger size", s.LingerSize},
		{"body rate", s.BodyRate}, {"write rate", s.WriteRate}, {"buffer", s.Buffer}, {"memory", s.Memory}, {"WebSocket size", s.WebSocketSize},
		{"request line", int64(s.Head.RequestLine)}, {"head size", int64(s.Head.Head)}, {"fields", int64(s.Head.Fields)},
	} {
		if n.value < 0 {
			return fmt.Errorf("%s: %d is negative", n.name, n.value)
		}
	}
	return nil
}
