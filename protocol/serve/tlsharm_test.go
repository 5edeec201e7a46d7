package serve

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gobridge/bridge"
	"gobridge/protocol/proxyproto"
)

// A sealer makes the records of a client whose handshake is done: those that crypto/tls sends of
// itself are well-behaved (RFC 8446 sections 5.2, 5.3 and 7.2, with TLS_AES_128_GCM_SHA256).
type sealer struct {
	t      *testing.T
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	count  byte // of records under these keys, which are few here
}

// sealing has a client shake hands, and then seal by itself.
func (c *client) sealing(p *pki) *sealer {
	c.t.Helper()
	var keys bytes.Buffer
	config := p.config(tls.VersionTLS13)
	config.KeyLogWriter = &keys
	if state := c.secure(config); state.CipherSuite != tls.TLS_AES_128_GCM_SHA256 {
		c.t.Fatalf("the suite is %s", tls.CipherSuiteName(state.CipherSuite))
	}
	c.Conn = c.Conn.(*tls.Conn).NetConn()
	_, line, _ := strings.Cut(keys.String(), "CLIENT_TRAFFIC_SECRET_0 ")
	line, _, _ = strings.Cut(line, "\n")
	_, secret, _ := strings.Cut(line, " ")
	s := &sealer{t: c.t}
	first, err := hex.DecodeString(secret)
	if err != nil {
		c.t.Fatal(err)
	}
	s.use(first)
	return s
}

func (s *sealer) use(secret []byte) {
	s.t.Helper()
	block, err := aes.NewCipher(s.expand(secret, "key", 16))
	if err != nil {
		s.t.Fatal(err)
	}
	if s.aead, err = cipher.NewGCM(block); err != nil {
		s.t.Fatal(err)
	}
	s.secret, s.iv, s.count = secret, s.expand(secret, "iv", 12), 0
}

// expand is HKDF-Expand-Label with an empty context.
func (s *sealer) expand(secret []byte, label string, size int) []byte {
	s.t.Helper()
	label = "tls13 " + label
	b, err := hkdf.Expand(sha256.New, secret, "\x00"+string([]byte{byte(size), byte(len(label))})+label+"\x00", size)
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

const (
	keyUpdate = "\x18\x00\x00\x01\x00"
	asUpdate  = "\x18\x00\x00\x01\x01" // and wants one in return
)

// record adds a record, and one with other keys behind a KeyUpdate.
func (s *sealer) record(dst []byte, text string) []byte {
	s.t.Helper()
	kind := byte(23)
	if text == keyUpdate || text == asUpdate {
		kind = 22
	}
	header := []byte{23, 3, 3, 0, byte(len(text) + 1 + s.aead.Overhead())}
	nonce := bytes.Clone(s.iv)
	nonce[len(nonce)-1] ^= s.count
	s.count++
	dst = s.aead.Seal(append(dst, header...), nonce, append([]byte(text), kind), header)
	if kind == 22 {
		s.use(s.expand(s.secret, "traffic upd", sha256.Size))
	}
	return dst
}

// Who sends many records for few bytes has a share of each turn like everybody else. All of it
// counts in the end.
func TestTLSOfManyRecords(t *testing.T) {
	p := newPKI(t)
	s := startTLS(t, "https:127.0.0.1:0", p.tls(t, false, false), demo)
	c := s.dial(t)
	with := c.sealing(p)
	all := with.record(nil, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\nConnection: close\r\n\r\n")
	body := pattern(2000)
	for i := range body {
		all = with.record(with.record(all, keyUpdate), string(body[i:i+1]))
	}
	eventually(t, "the end of the handshake", func() bool { return s.has(idle) })
	held, sent := make(chan int), make(chan bool)
	left, goesOn := 0, false
	go s.reactorsAre(func(r *reactor) bool { // which takes no events meanwhile
		mine := r.conns[0]
		held <- mine.fd
		<-sent
		mine.readable = true
		mine.read()
		left, goesOn = waiting(mine.fd), mine.readable && mine.queued
		held <- 0
		return true
	})
	fd := <-held
	c.send(string(all)) // fits into the socket
	eventually(t, "what was sent", func() bool { return waiting(fd) == len(all) })
	sent <- true
	<-held
	if took := len(all) - left; took < shareOfTurn/2 || took > shareOfTurn*3/2 || !goesOn {
		t.Errorf("%d bytes of %d were taken in one turn; it goes on: %t", took, len(all), goesOn)
	}
	c.want("POST", 200, string(body))
}

// waiting is how many bytes lie in a socket.
func waiting(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
	if err != nil {
		return -1
	}
	return n
}

// Who has the server say more and more, and reads nothing of it, is cut off.
func TestTLSOfUnreadUpdates(t *testing.T) {
	p := newPKI(t)
	s := startTLS(t, "https:unix:"+tempSocket(t), p.tls(t, false, false), demo) // where little is queued
	c := s.dial(t)
	with := c.sealing(p)
	c.send(string(with.record(nil, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n")))
	asked := 0
	for ; asked < 1<<17; asked += 50 {
		var some []byte
		for range 50 {
			some = with.record(with.record(some, asUpdate), "x")
		}
		if _, err := c.Write(some); err != nil {
			break
		}
	}
	eventually(t, "the connection's end", func() bool { return s.Connections() == 0 })
	if text := s.logs.String(); !strings.Contains(text, errUnread.Error()) {
		t.Errorf("the log has %s", text)
	}
}

// A handshake for which there is no memory is not begun, and the log says why.
func TestTLSWithoutMemory(t *testing.T) {
	p := newPKI(t)
	s := startTLS(t, "https:127.0.0.1:0", p.tls(t, false, false), demo, func(s *Settings) { s.Memory = handshakeMemory - 1 })
	c := s.dial(t)
	if err := tls.Client(c, p.config(tls.VersionTLS13)).Handshake(); err == nil {
		t.Error("there was a handshake")
	}
	eventually(t, "a line in the log", func() bool { return strings.Contains(s.logs.String(), "--memory-budget") })
}

// A client that a balancer announces, and that has too many connections, is told so in no language
// that it does not speak.
func TestTLSOfTooMany(t *testing.T) {
	p := newPKI(t)
	s := startTLS(t, "https:127.0.0.1:0", p.tls(t, false, false), demo, func(s *Settings) {
		s.ProxyVersions, s.ProxyFrom, s.PerAddress = proxyproto.Auto, trustList(t, "127.0.0.1"), 1
		s.Forwarded.Trusted = s.ProxyFrom
	})
	first, second := s.dial(t), s.dial(t)
	first.send(announce1)
	first.secure(p.config(tls.VersionTLS13))
	second.send(announce1)
	second.wantEnd()
	first.send(helloRequest)
	first.want("GET", 200, "hello")
}

// A client that takes nothing of a file costs a part of it, and a record.
func TestTLSOfUnreadFiles(t *testing.T) {
	p := newPKI(t)
	const size = 32 << 20 // more than sockets take
	open := fileOf(t, make([]byte, size))
	s := startTLS(t, "https:127.0.0.1:0", p.tls(t, false, false), func(c *call) {
		c.start(200, size)
		c.sendFile(bridge.File{FD: open(), Length: size})
	})
	c := s.dial(t)
	c.secure(p.config(tls.VersionTLS13))
	c.send(helloRequest)
	memory := 0
	eventually(t, "a full socket", func() bool {
		return s.anyConn(func(c *conn) bool {
			if !c.blocked || c.work == nil || c.work.transfer == nil {
				return false
			}
			memory = cap(c.work.pending) + cap(c.work.transfer.piece) + cap(c.channel.wire.out)
			return true
		})
	})
	if memory > sealedPart+2*maxSealed {
		t.Errorf("it costs %d bytes", memory)
	}
	r, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, r.Body); n != size || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// A client that gathers what it sends need not wait until the kernel acknowledges its handshake of
// itself, which takes 40 ms on any machine.
func TestTLSIsAcknowledged(t *testing.T) {
	const ofItself = 40 * time.Millisecond
	p := newPKI(t)
	s := startTLS(t, "https:127.0.0.1:0", p.tls(t, false, false), demo)
	eventually(t, "an answer in less time", func() bool {
		c := s.dial(t)
		defer c.Close()
		if err := c.Conn.(*net.TCPConn).SetNoDelay(false); err != nil {
			t.Fatal(err)
		}
		c.secure(p.config(tls.VersionTLS13))
		begin := time.Now()
		c.send(helloRequest)
		c.want("GET", 200, "hello")
		return time.Since(begin) < ofItself
	})
}

// However many handshakes are begun, no more compute at once than can, so that reactors have their
// turn.
func TestTLSHandshakesTakeTurns(t *testing.T) {
	p := newPKI(t)
	with := p.tls(t, false, false)
	var now, most atomic.Int64
	entry := with.now.Load().entry
	configure := entry.GetConfigForClient
	entry.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		n := now.Add(1)
		defer now.Add(-1)
		for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
		}
		time.Sleep(5 * time.Millisecond) // so that all others come to it
		return configure(hello)
	}
	s := startTLS(t, "https:127.0.0.1:0", with, demo)
	var all sync.WaitGroup
	for range 5 * cap(s.computing) {
		c := s.dial(t)
		all.Go(func() {
			conn := tls.Client(c, p.config(tls.VersionTLS13))
			if err := conn.Handshake(); err != nil {
				t.Errorf("a handshake: %v", err)
			}
			conn.Close()
		})
	}
	all.Wait()
	if n := most.Load(); n > int64(cap(s.computing)) || cap(s.computing) != runtime.NumCPU() {
		t.Errorf("%d computed at once", n)
	}
	eventually(t, "room for as many", func() bool { return s.Connections() == 0 && len(s.computing) == 0 })
}
