package serve

import (
	"bytes"
	"crypto/tls"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gobridge/bridge"
	"gobridge/protocol/forwarded"
	"gobridge/protocol/proxyproto"
	"gobridge/protocol/trust"
	"gobridge/tests/certs"
)

// pki is an authority, a server's certificate and a client's.
type pki struct {
	dir       string
	authority *certs.Authority
	client    tls.Certificate
}

var clientName = pkix.Name{CommonName: "shop, the\nfront/CN=x", Organization: []string{"Grün"}, Country: []string{"DE"}}

func newPKI(t testing.TB) *pki {
	t.Helper()
	p := &pki{dir: t.TempDir()}
	var err error
	if p.authority, err = certs.New("a test"); err != nil {
		t.Fatal(err)
	}
	p.renew(t)
	p.writeCA(t, p.authority)
	certificate, key, err := p.authority.Issue(clientName)
	if err != nil {
		t.Fatal(err)
	}
	if p.client, err = tls.X509KeyPair(certificate, key); err != nil {
		t.Fatal(err)
	}
	return p
}

// renew gives the server another certificate.
func (p *pki) renew(t testing.TB) {
	t.Helper()
	if err := p.authority.Write(p.path("server"), pkix.Name{CommonName: "localhost"}, "localhost", "127.0.0.1"); err != nil {
		t.Fatal(err)
	}
}

func (p *pki) writeCA(t testing.TB, a *certs.Authority) {
	t.Helper()
	if err := os.WriteFile(p.path("ca.pem"), a.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (p *pki) path(name string) string { return filepath.Join(p.dir, name) }

// files are those of a server that asks its clients for certificates, or not.
func (p *pki) files(asks, required bool) TLSFiles {
	f := TLSFiles{Certificate: p.path("server.pem"), Key: p.path("server.key"), Required: required}
	if asks {
		f.ClientCAs = p.path("ca.pem")
	}
	return f
}

func (p *pki) tls(t testing.TB, asks, required bool) *TLS {
	t.Helper()
	made, err := NewTLS(p.files(asks, required))
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// config is a client's.
func (p *pki) config(version uint16, certificates ...tls.Certificate) *tls.Config {
	return &tls.Config{RootCAs: p.authority.Pool(), ServerName: "localhost", MinVersion: version, MaxVersion: version, Certificates: certificates}
}

// encrypted has all servers that tests start be encrypted, and all clients; nil: none are.
var encrypted *pki

// TestOverTLS runs tests of plain connections on encrypted ones: whatever goes in and out, whoever
// leaves, is slow or half-closes, it makes no difference.
func TestOverTLS(t *testing.T) {
	encrypted = newPKI(t)
	defer func() { encrypted = nil }()
	for name, test := range map[string]func(*testing.T){
		"bodies": TestBodies, "uploads": TestBackPressureOnUploads, "downloads": TestBackPressureOnDownloads, "continue": TestContinue,
		"unread bodies": TestUnreadBodies, "too large": TestBodyTooLarge, "failures": TestFailures, "keep-alive": TestKeepAlive,
		"framing": TestBodyFraming, "ahead": TestPipelining, "taken in": TestBodiesAreTakenIn, "half-closed": TestHalfClose, "half-closed behind bodies": TestHalfCloseBehindBodies,
		"gone": TestClientsThatGo, "malformed": TestMalformedByteByByte, "cut": TestDrainIsCut, "sent ahead": TestDrainAnswersWhatWasSentAhead,
		"files": TestFiles, "files while receiving": TestFileWhileReceiving, "files that fail": TestFilesThatFail, "slow clients of files": TestSlowClientsOfFiles,
		"who leaves files": TestClientsThatLeaveFiles, "close amid files": TestCloseAmidFiles, "lost amid a file": TestWorkerLostAmidFile,
		"WebSocket": TestWebSocket, "slow WebSocket": TestWebSocketSlowClient, "back-pressure of a WebSocket": TestWebSocketBackPressure,
		"refusals": TestRefusalsAreSeen, "rates": TestLeastRates,
	} {
		t.Run(name, test)
	}
}

// startTLS starts a server with an encrypted listener.
func startTLS(t *testing.T, bind string, with *TLS, app application, change ...func(*Settings)) *testServer {
	t.Helper()
	l, err := (&Listening{File: DefaultSocketFile(), TLS: with}).Listen(bind)
	if err != nil {
		t.Fatal(err)
	}
	return startOn(t, l, 1, app, append([]func(*Settings){func(s *Settings) { s.GatewayFrom = map[string]trust.List{"uwsgi": trustList(t, "127.0.0.1", "unix")} }}, change...)...)
}

// secure has a client shake hands.
func (c *client) secure(config *tls.Config) *tls.ConnectionState {
	c.t.Helper()
	conn := tls.Client(c.Conn, config)
	if err := conn.Handshake(); err != nil {
		c.t.Fatalf("handshake: %v", err)
	}
	c.Conn = conn
	c.r.Reset(conn)
	state := conn.ConnectionState()
	return &state
}

// identify answers with what is known of the client.
func identify(c *call) {
	k := c.peer.TLS
	if k == nil {
		c.atOnce(200, "not encrypted")
		return
	}
	c.atOnce(200, fmt.Sprintf("%s %s %s %q %s %q %t %t", c.peer.Scheme, k.VersionName, k.CipherName, k.ClientName, k.ClientIssuer, k.ClientOneLine, k.ClientCert != "", c.peer.Relayed))
}

func TestTLS(t *testing.T) {
	p := newPKI(t)
	const named = `"CN=shop\\, the\nfront/CN=x,O=Grün,C=DE" CN=a test "/C=DE/O=Grün/CN=shop, the\\x0Afront\\/CN=x" true false`
	for _, c := range []struct {
		bind           string
		version        uint16
		asks, required bool
		shows          bool
		want           string
	}{
		{"https:127.0.0.1:0", tls.VersionTLS12, false, false, false, `https TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 ""  "" false false`},
		{"https:127.0.0.1:0", tls.VersionTLS13, false, false, true, `https TLSv1.3 TLS_AES_128_GCM_SHA256 ""  "" false false`},
		{"https:unix:", tls.VersionTLS13, true, false, false, `https TLSv1.3 TLS_AES_128_GCM_SHA256 ""  "" false false`},
		{"https:127.0.0.1:0", tls.VersionTLS12, true, true, true, `https TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 ` + named},
		{"https:127.0.0.1:0", tls.VersionTLS13, true, false, true, `https TLSv1.3 TLS_AES_128_GCM_SHA256 ` + named},
		{"suwsgi:127.0.0.1:0", tls.VersionTLS12, true, true, true, `http TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 ` + named},
		{"suwsgi:unix:", tls.VersionTLS13, true, true, true, `http TLSv1.3 TLS_AES_128_GCM_SHA256 ` + named},
	} {
		bind := c.bind
		if strings.HasSuffix(bind, "unix:") {
			bind += tempSocket(t)
		}
		t.Run(fmt.Sprintf("%s %x %t", c.bind, c.version, c.asks), func(t *testing.T) {
			s := startTLS(t, bind, p.tls(t, c.asks, c.required), identify)
			config := p.config(c.version)
			if c.shows {
				config.Certificates = []tls.Certificate{p.client}
			}
			client := s.dial(t)
			client.secure(config)
			if strings.HasPrefix(bind, "suwsgi") {
				client.send(packet(0, "REQUEST_METHOD=GET", "PATH_INFO=/"))
				client.want("GET", 200, c.want)
				client.wantEnd()
				return
			}
			client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			client.want("GET", 200, c.want)
			client.send("GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1\r\nConnection: close\r\n\r\n")
			client.want("GET", 200, c.want)
			client.wantEnd()
		})
	}
}

// A certificate of a proxy is not its client's.
func TestTLSOfProxies(t *testing.T) {
	p := newPKI(t)
	believed, err := forwarded.Named([]string{"x-forwarded-for"})
	if err != nil {
		t.Fatal(err)
	}
	s := startTLS(t, "https:127.0.0.1:0", p.tls(t, true, true), identify, func(s *Settings) {
		s.Forwarded = forwarded.Rules{Trusted: trustList(t, "127.0.0.1"), Believed: believed}
	})
	c := s.dial(t)
	c.secure(p.config(tls.VersionTLS13, p.client))
	c.send("GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n")
	if _, body := c.answer("GET"); !strings.HasSuffix(body, "true true") {
		t.Error(body)
	}
}

// Sessions are resumed, also after the certificate has changed, but not when other authorities
// sign those of clients.
func TestTLSSessions(t *testing.T) {
	p := newPKI(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		p.writeCA(t, p.authority)
		with := p.tls(t, true, false)
		s := startTLS(t, "https:127.0.0.1:0", with, identify)
		config := p.config(version, p.client)
		config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		ask := func(when string, resumed bool) (serial string) {
			t.Helper()
			c := s.dial(t)
			state := c.secure(config)
			c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			if _, body := c.answer("GET"); !strings.Contains(body, "CN=shop") {
				t.Errorf("%x, %s: %s", version, when, body)
			}
			if state.DidResume != resumed {
				t.Errorf("%x, %s: resumed: %t", version, when, state.DidResume)
			}
			c.Close()
			return state.PeerCertificates[0].SerialNumber.String()
		}
		reload := func(want bool) {
			t.Helper()
			if changed, err := with.Reload(); changed != want || err != nil {
				t.Errorf("reload: %t, %v", changed, err)
			}
		}
		first := ask("the first time", false)
		ask("again", true)
		reload(false)
		ask("after a reload", true)
		p.renew(t)
		reload(true)
		ask("with a new certificate", true)
		config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		if ask("without a session", false) == first {
			t.Error("the old certificate is shown")
		}
		if err := os.WriteFile(p.path("server.pem"), []byte("nonsense"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := with.Reload(); err == nil || !strings.Contains(err.Error(), "use the certificate in "+p.path("server.pem")) {
			t.Errorf("a bad certificate: %v", err)
		}
		ask("after a bad certificate", true)
		p.renew(t)
		other, err := certs.New("another")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p.path("ca.pem"), append(other.PEM, p.authority.PEM...), 0o600); err != nil {
			t.Fatal(err)
		}
		reload(true)
		ask("with other authorities", false)
	}
}

func TestTLSFiles(t *testing.T) {
	p := newPKI(t)
	other := newPKI(t)
	encryptedKey := p.path("encrypted.key")
	if err := os.WriteFile(encryptedKey, []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, files := range map[string]TLSFiles{
		"no such file":                    {Certificate: p.path("none.pem")},
		"private key does not match":      {Certificate: p.path("server.pem"), Key: other.path("server.key")},
		"failed to find any PEM data":     {Certificate: p.path("server.pem"), Key: "/dev/null"},
		"the key has a passphrase":        {Certificate: p.path("server.pem"), Key: encryptedKey},
		"there is no certificate in PEM":  {Certificate: p.path("server.pem"), Key: p.path("server.key"), ClientCAs: p.path("server.key")},
		"found a certificate rather than": {Certificate: p.path("server.pem")},
	} {
		if _, err := NewTLS(files); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	for _, bind := range []string{"https:127.0.0.1:0", "suwsgi:unix:/nowhere"} {
		if _, err := Listen(bind); err == nil || !strings.Contains(err.Error(), "it needs a certificate") {
			t.Errorf("%s: %v", bind, err)
		}
	}
}

// What is no TLS is told, and answered so that its sender understands.
func TestNotTLS(t *testing.T) {
	p := newPKI(t)
	for _, bind := range []string{"https:127.0.0.1:0", "suwsgi:127.0.0.1:0"} {
		s := startTLS(t, bind, p.tls(t, true, true), demo)
		name, _, _ := strings.Cut(bind, ":")
		for sends, want := range map[string]string{
			"GET / HTTP/1.1\r\nHost: x\r\n\r\n":            "this is HTTP without TLS",
			"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n":       "this is a PROXY protocol header",
			"\x80\x2e\x01\x03\x02":                         "this is no TLS",
			packet(0, "REQUEST_METHOD=GET", "PATH_INFO=/"): map[string]string{"https": "this is no TLS", "suwsgi": "this is the uwsgi protocol without TLS"}[name],
		} {
			s.logs.reset()
			s.advance(2 * time.Second) // lines are a second apart
			c := s.dial(t)
			c.send(sends)
			r, body := c.answer("GET")
			if r.StatusCode != 400 || !strings.HasPrefix(body, want) {
				t.Errorf("%s: %.10q gets %d %s", bind, sends, r.StatusCode, body)
			}
			c.Close()
			eventually(t, want, func() bool { return strings.Contains(s.logs.String(), want) })
		}
		if n := s.begun(); n != 0 {
			t.Errorf("%d requests were begun", n)
		}
		s.logs.reset()
		s.advance(2 * time.Second)
		c := s.dial(t)
		c.send("\x16\x03\x01\x00\x05hello")
		if _, err := io.ReadAll(c.r); err != nil {
			t.Errorf("after a broken handshake: %v", err)
		}
		eventually(t, "a line of it", func() bool { return strings.Contains(s.logs.String(), "a TLS handshake has failed") })
		s.advance(2 * time.Second)
		conn := tls.Client(s.dial(t).Conn, p.config(tls.VersionTLS12))
		if err := conn.Handshake(); err == nil || !strings.Contains(err.Error(), "certificate") && !strings.Contains(err.Error(), "handshake failure") {
			t.Errorf("without a certificate: %v", err)
		}
		eventually(t, "a line of the certificate", func() bool { return strings.Contains(s.logs.String(), "client didn't provide a certificate") })
	}
}

// Clients that begin and never go on are in nobody's way, and are gone after a while.
func TestSlowHandshakes(t *testing.T) {
	p := newPKI(t)
	s := startTLS(t, "https:127.0.0.1:0", p.tls(t, false, false), demo, func(s *Settings) { s.Memory = 99 * handshakeMemory })
	hello := helloOf(t, p)
	var slow []*client
	for i := range 120 {
		c := s.dial(t)
		switch i % 3 {
		case 1:
			c.send(hello[:i])
		case 2:
			c.send(hello) // and never an answer to what it gets
		}
		slow = append(slow, c)
	}
	eventually(t, "all of them", func() bool { return s.Connections() == len(slow) && s.budget.used.Load() == 80*handshakeMemory })
	for range 10 {
		c := s.dial(t)
		c.secure(p.config(tls.VersionTLS13))
		c.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
		c.want("GET", 200, "hello")
		c.Close()
	}
	eventually(t, "the end of the quick ones", func() bool { return s.Connections() == len(slow) })
	for range 19 {
		c := s.dial(t)
		c.send(hello[:9])
	}
	eventually(t, "a full budget", func() bool { return s.budget.used.Load() == 99*handshakeMemory })
	if _, err := s.tryTLS(p); err == nil {
		t.Error("there is memory for one more")
	}
	s.advance(DefaultSettings().HeadTime + time.Second)
	eventually(t, "the end of the slow ones", func() bool { return s.Connections() == 0 })
	if used := s.budget.used.Load(); used != 0 {
		t.Errorf("%d bytes of the budget are lost", used)
	}
	for _, c := range slow {
		if _, err := io.ReadAll(c.r); err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
			t.Error(err)
		}
	}
	if !strings.Contains(s.logs.String(), "it was not over in time") {
		t.Errorf("the log has\n%s", s.logs)
	}
}

func (s *testServer) tryTLS(p *pki) (*tls.Conn, error) {
	conn := tls.Client(s.dial(s.t).Conn, p.config(tls.VersionTLS13))
	return conn, conn.Handshake()
}

// helloOf is what a client sends first.
func helloOf(t *testing.T, p *pki) string {
	t.Helper()
	a, b := net.Pipe()
	defer b.Close()
	go tls.Client(a, p.config(tls.VersionTLS13)).Handshake()
	head := make([]byte, 5)
	if _, err := io.ReadFull(b, head); err != nil {
		t.Fatal(err)
	}
	rest := make([]byte, int(head[3])<<8|int(head[4]))
	if _, err := io.ReadFull(b, rest); err != nil {
		t.Fatal(err)
	}
	return string(head) + string(rest)
}

// slowConn sends each byte by itself.
type slowConn struct{ net.Conn }

func (c slowConn) Write(b []byte) (int, error) {
	for i := range b {
		if n, err := c.Conn.Write(b[i : i+1]); n != 1 {
			return i, err
		}
	}
	return len(b), nil
}

func TestTLSByteByByte(t *testing.T) {
	p := newPKI(t)
	s := startTLS(t, "https:127.0.0.1:0", p.tls(t, true, true), demo)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		c := s.dial(t)
		c.Conn = slowConn{c.Conn}
		c.secure(p.config(version, p.client))
		c.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde")
		c.want("POST", 200, "abcde")
	}
}

// onceConn sends all that is written before it is first read, and what follows, with one write
// and the end of it all.
type onceConn struct {
	*net.TCPConn
	mu   sync.Mutex
	held bytes.Buffer
	hold atomic.Bool
}

func (c *onceConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hold.Load() {
		return c.held.Write(b)
	}
	return c.TCPConn.Write(b)
}

// A client may send its last words of the handshake, a request, and FIN at once.
func TestRequestWithTheHandshake(t *testing.T) {
	p := newPKI(t)
	s := startTLS(t, "https:127.0.0.1:0", p.tls(t, true, true), demo)
	body := string(pattern(300000))
	for _, size := range []int{0, 5, 300000} {
		c := s.dial(t)
		raw := &onceConn{TCPConn: c.Conn.(*net.TCPConn)}
		config := p.config(tls.VersionTLS13)
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			raw.hold.Store(true) // from here on
			return &p.client, nil
		}
		c.Conn = raw
		c.secure(config)
		c.send(fmt.Sprintf("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", size, body[:size]))
		if err := c.Conn.(*tls.Conn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if err := raw.SetWriteDeadline(time.Now().Add(patience)); err != nil { // CloseWrite has set one that is over
			t.Fatal(err)
		}
		go func() {
			if _, err := raw.TCPConn.Write(raw.held.Bytes()); err == nil {
				raw.TCPConn.CloseWrite()
			}
		}()
		c.want("POST", 200, body[:size])
		c.wantEnd()
	}
}

// The end of an answer that only the end of the connection marks is authentic: a client can
// tell that nothing is missing.
func TestTLSEnds(t *testing.T) {
	p := newPKI(t)
	read := make(chan struct{})
	s := startTLS(t, "https:127.0.0.1:0", p.tls(t, false, false), func(c *call) {
		c.start(200, -1)
		io.WriteString(c, "half")
		if c.target == "/lost" {
			<-read
			c.end(bridge.Lost)
			return
		}
		c.end(bridge.Finished)
	})
	for target, whole := range map[string]bool{"/": true, "/lost": false} {
		c := s.dial(t)
		c.secure(p.config(tls.VersionTLS13))
		c.send("GET " + target + " HTTP/1.0\r\n\r\n")
		r, err := http.ReadResponse(c.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		body := make([]byte, 4)
		if _, err := io.ReadFull(r.Body, body); err != nil {
			t.Fatal(err)
		}
		if !whole {
			close(read)
		}
		if rest, err := io.ReadAll(r.Body); (err == nil) != whole || string(body) != "half" || len(rest) > 0 {
			t.Errorf("%s: %q, %q, %v", target, body, rest, err)
		}
	}
}

// A balancer announces its client before the handshake.
func TestAnnouncedTLS(t *testing.T) {
	p := newPKI(t)
	s := startTLS(t, "https:127.0.0.1:0", p.tls(t, false, false), func(c *call) { c.atOnce(200, c.peer.RemoteAddr+" "+c.peer.Scheme) },
		func(s *Settings) { s.ProxyVersions, s.ProxyFrom = proxyproto.Auto, trustList(t, "127.0.0.1") })
	for _, together := range []bool{true, false} {
		c := s.dial(t)
		const header = "PROXY TCP4 192.0.2.1 192.0.2.2 1000 443\r\n"
		if together {
			c.Conn = &prefixed{c.Conn, header}
		} else {
			c.send(header)
		}
		c.secure(p.config(tls.VersionTLS13))
		c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		c.want("GET", 200, "192.0.2.1 https")
	}
}

// prefixed sends something before the first bytes, in one write with them.
type prefixed struct {
	net.Conn
	text string
}

func (c *prefixed) Write(b []byte) (int, error) {
	text := c.text
	c.text = ""
	n, err := c.Conn.Write(append([]byte(text), b...))
	return max(n-len(text), 0), err
}

// The last record of an answer may be one that the socket takes only a part of, wherever that
// happens to end.
func TestLastRecordIsSent(t *testing.T) {
	p := newPKI(t)
	s := startTLS(t, "https:unix:"+tempSocket(t), p.tls(t, false, false), func(c *call) {
		n, err := strconv.Atoi(c.target[1:])
		if err != nil {
			return
		}
		c.start(200, int64(n))
		c.Write(pattern(n))
	})
	c := s.dial(t)
	c.secure(p.config(tls.VersionTLS13))
	for size := 64 << 10; size < 320<<10; size += 5000 {
		c.send(fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: x\r\n\r\n", size))
		time.Sleep(time.Millisecond) // in which the socket fills
		c.want("GET", 200, string(pattern(size)))
	}
}
