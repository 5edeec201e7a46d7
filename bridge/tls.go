package bridge

import (
	"encoding/binary"
	"strconv"

	"gobridge/pyhost"
)

// TLS is what is known of a connection that is encrypted. It is constant for the connection.
type TLS struct {
	Version, CipherSuite    uint16 // as TLS numbers them
	VersionName, CipherName string // TLSv1.3, TLS_AES_128_GCM_SHA256

	ServerCert string // the certificate that the client was shown, in PEM

	// The client's own, which was verified; empty: it has shown none.
	ClientCert    string // in PEM
	ClientChain   string // with those that came behind it
	ClientName    string // the subject's distinguished name (RFC 4514)
	ClientOneLine string // the same as OpenSSL once wrote it: /C=DE/CN=shop
	ClientIssuer  string // RFC 4514
	ClientSerial  string // hexadecimal
}

// appendVariables adds the environ's variables, and counts them: named as nginx, Apache's
// mod_ssl and uWSGI name them. Of a connection that is a proxy's only the last one's name is
// used, which no site uses for its users: who has verified the proxy knows nobody else.
func (t *TLS) appendVariables(dst []byte, count int, relayed bool) ([]byte, int) {
	put := func(name, value string) {
		dst = appendVariable(dst, name, value)
		count++
	}
	if !relayed {
		put("SSL_PROTOCOL", t.VersionName)
		put("SSL_CIPHER", t.CipherName)
		if t.ClientCert == "" {
			put("SSL_CLIENT_VERIFY", "NONE")
			return dst, count
		}
		put("SSL_CLIENT_VERIFY", "SUCCESS")
		put("SSL_CLIENT_S_DN", t.ClientName)
		put("SSL_CLIENT_I_DN", t.ClientIssuer)
		put("SSL_CLIENT_M_SERIAL", t.ClientSerial)
		put("SSL_CLIENT_CERT", t.ClientCert)
	}
	if t.ClientCert != "" {
		put(subjectVariable, t.ClientOneLine)
	}
	return dst, count
}

// subjectVariable is uWSGI's name for the subject of a certificate that it has verified.
const subjectVariable = "HTTPS_DN"

// appendSubject does that for a web server that passes requests on, unless it says something by
// that name itself.
func (g *Gateway) appendSubject(dst []byte, t *TLS) ([]byte, int) {
	for i := range g.Variables {
		if string(g.Variables[i].Name) == subjectVariable {
			return dst, 0
		}
	}
	return t.appendVariables(dst, 0, true)
}

// appendExtension adds the variable whose value is what an ASGI scope says of TLS.
func (t *TLS) appendExtension(dst []byte) []byte {
	at := len(dst)
	dst = appendVariable(dst, "tls", "")
	from := len(dst)
	dst = appendVariable(dst, "server_cert", t.ServerCert)
	dst = appendVariable(dst, "client_cert_chain", t.ClientChain)
	dst = appendVariable(dst, "client_cert_name", t.ClientName)
	dst = appendVariable(dst, "tls_version", strconv.Itoa(int(t.Version)))
	dst = appendVariable(dst, "cipher_suite", strconv.Itoa(int(t.CipherSuite)))
	binary.LittleEndian.PutUint32(dst[at+4:], uint32(len(dst)-from))
	return dst
}

// appendTLS adds that of a request's peer, and returns how many variables these are.
func appendTLS(dst []byte, p *Peer) ([]byte, int) {
	if p == nil || p.TLS == nil {
		return dst, 0
	}
	return p.TLS.appendExtension(dst), 1
}

// tlsFlag is the flag of a head with it.
func tlsFlag(p *Peer) uint16 {
	if p == nil || p.TLS == nil {
		return 0
	}
	return pyhost.RequestTLS
}
