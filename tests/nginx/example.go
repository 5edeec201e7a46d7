package nginx

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Example is a configuration from examples/nginx, but for where things are: each of the texts in
// places must be there once, and gives way to another one.
func Example(t testing.TB, path string, places map[string]string) string {
	t.Helper()
	all, err := os.ReadFile(path)
	must(t, err)
	var text strings.Builder
	for line := range strings.Lines(string(all)) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			text.WriteString(line)
		}
	}
	config := text.String()
	for old, place := range places {
		if n := strings.Count(config, old); n != 1 {
			t.Fatalf("%s has %q %d times", path, old, n)
		}
		config = strings.Replace(config, old, place, 1)
	}
	return config
}

// Certificate puts one for localhost, with its key, into the folder, as cert.pem and key.pem. It
// returns who trusts it.
func Certificate(t testing.TB, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true}
	made, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: made}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret}} {
		must(t, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o644)) // for whoever nginx runs as
	}
	certificate, err := x509.ParseCertificate(made)
	must(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(certificate)
	return pool
}
