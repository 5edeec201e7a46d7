package serve

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// TLSFiles names what a TLS is made of, all in PEM.
type TLSFiles struct {
	Certificate string // with the chain behind it
	Key         string // empty: it is in Certificate, too
	ClientCAs   string // who signs the clients' certificates; empty: clients are asked for none
	Required    bool   // each client must have one
}

// TLS is how connections are encrypted. It makes their tls.Configs: TLS 1.2 and 1.3, with the
// suites and curves that crypto/tls prefers, and no ALPN.
type TLS struct {
	files TLSFiles
	mu    sync.Mutex // for Reload
	now   atomic.Pointer[certificates]
}

// certificates is what was read from the files, and made of it.
type certificates struct {
	read   [3][]byte // the files' contents
	pem    string    // the server's own
	leaf   *x509.Certificate
	config *tls.Config
	// entry has the keys of session tickets, which crypto/tls makes and replaces by itself. It
	// stays when the certificate changes, so that sessions go on; with other authorities for
	// clients there is a new one, for a session says that its client was once believed.
	entry *tls.Config
}

// KeyPair reads a certificate, with the chain behind it, and its key, which is in the same file if
// key is empty.
func KeyPair(certificate, key string) (tls.Certificate, error) {
	c, err := (&TLSFiles{Certificate: certificate, Key: key}).load()
	if err != nil {
		return tls.Certificate{}, err
	}
	return c.config.Certificates[0], nil
}

// NewTLS reads the files.
func NewTLS(files TLSFiles) (*TLS, error) {
	t := &TLS{files: files}
	_, err := t.Reload()
	return t, err
}

// Reload reads the files again, for connections that come from now on. It reports whether they
// had changed. With an error everything stays as it was.
func (t *TLS) Reload() (changed bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.now.Load()
	next, err := t.files.load()
	if err != nil {
		return false, err
	}
	if old != nil && equal(old.read, next.read) {
		return false, nil
	}
	if old != nil && bytes.Equal(old.read[2], next.read[2]) {
		next.entry = old.entry
	} else {
		next.entry = &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return t.now.Load().config, nil
		}}
	}
	t.now.Store(next)
	return true, nil
}

func equal(a, b [3][]byte) bool {
	return bytes.Equal(a[0], b[0]) && bytes.Equal(a[1], b[1]) && bytes.Equal(a[2], b[2])
}

// Validity is from when until when the server's certificate is valid.
func (t *TLS) Validity() (from, to time.Time) {
	leaf := t.now.Load().leaf
	return leaf.NotBefore, leaf.NotAfter
}

// load reads the files.
func (f *TLSFiles) load() (*certificates, error) {
	key := f.Key
	if key == "" {
		key = f.Certificate
	}
	c := new(certificates)
	for i, path := range []string{f.Certificate, key, f.ClientCAs} {
		if path == "" {
			continue
		}
		var err error
		if c.read[i], err = os.ReadFile(path); err != nil {
			return nil, fmt.Errorf("read a certificate or its key: %w", err)
		}
	}
	pair, err := tls.X509KeyPair(c.read[0], c.read[1])
	if err != nil {
		return nil, fmt.Errorf("use the certificate in %s with the key in %s: %w", f.Certificate, key, why(err, c.read[1]))
	}
	c.leaf = pair.Leaf
	c.pem = pemOf(pair.Certificate[0])
	c.config = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair},
		// One record for each send, of the largest size: small first records help only browsers far away.
		DynamicRecordSizingDisabled: true}
	if f.ClientCAs == "" {
		return c, nil
	}
	c.config.ClientAuth = tls.VerifyClientCertIfGiven
	if f.Required {
		c.config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	c.config.ClientCAs = x509.NewCertPool()
	if !c.config.ClientCAs.AppendCertsFromPEM(c.read[2]) {
		return nil, fmt.Errorf("there is no certificate in PEM in %s", f.ClientCAs)
	}
	return c, nil
}

var errPassphrase = errors.New("the key has a passphrase: store it without one (openssl pkey -in KEY -out NEW), readable for the server's user only")

// why makes clear what X509KeyPair means.
func why(err error, key []byte) error {
	for block, rest := pem.Decode(key); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
			return errPassphrase
		}
	}
	return err
}

func pemOf(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
