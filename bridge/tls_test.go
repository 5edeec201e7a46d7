package bridge

import (
	"encoding/binary"
	"strings"
	"testing"

	"gobridge/pyhost"
)

// anyTLS is a connection whose client has shown a certificate, or none.
func anyTLS(shown bool) *TLS {
	t := &TLS{Version: 0x0304, CipherSuite: 0x1301, VersionName: "TLSv1.3", CipherName: "TLS_AES_128_GCM_SHA256", ServerCert: "server's\n"}
	if shown {
		t.ClientCert, t.ClientChain, t.ClientName = "client's\n", "client's\nits authority's\n", "CN=x,C=DE"
		t.ClientOneLine, t.ClientIssuer, t.ClientSerial = "/C=DE/CN=x", "CN=authority", "1F"
	}
	return t
}

// What an environ says of TLS depends on whose connection it is.
func TestEnvironOfTLS(t *testing.T) {
	gateway := func(variables ...Field) *Gateway { return &Gateway{Name: "uwsgi", Variables: variables} }
	for _, c := range []struct {
		name    string
		tls     *TLS
		relayed bool
		gateway *Gateway
		want    string
	}{
		{"plain", nil, false, nil, ""},
		{"no certificate", anyTLS(false), false, nil, "SSL_CIPHER=TLS_AES_128_GCM_SHA256 SSL_CLIENT_VERIFY=NONE SSL_PROTOCOL=TLSv1.3"},
		{"a certificate", anyTLS(true), false, nil, "HTTPS_DN=/C=DE/CN=x SSL_CIPHER=TLS_AES_128_GCM_SHA256 SSL_CLIENT_CERT=client's\n SSL_CLIENT_I_DN=CN=authority " +
			"SSL_CLIENT_M_SERIAL=1F SSL_CLIENT_S_DN=CN=x,C=DE SSL_CLIENT_VERIFY=SUCCESS SSL_PROTOCOL=TLSv1.3"},
		{"a proxy's", anyTLS(true), true, nil, "HTTPS_DN=/C=DE/CN=x"},
		{"a proxy without", anyTLS(false), true, nil, ""},
		{"a web server's", anyTLS(true), false, gateway(), "HTTPS_DN=/C=DE/CN=x"},
		{"a web server without", anyTLS(false), false, gateway(), ""},
		{"a web server that speaks of its client", anyTLS(true), false, gateway(Field{[]byte("HTTPS_DN"), []byte("other")}, Field{[]byte("SSL_CLIENT_VERIFY"), []byte("NONE")}),
			"HTTPS_DN=other SSL_CLIENT_VERIFY=NONE"},
	} {
		r := hello("/")
		r.Peer, r.Gateway = &Peer{Scheme: "http", TLS: c.tls, Relayed: c.relayed}, c.gateway
		got := environOf(t, r)
		var parts []string
		for _, name := range []string{"HTTPS_DN", "SSL_CIPHER", "SSL_CLIENT_CERT", "SSL_CLIENT_I_DN", "SSL_CLIENT_M_SERIAL", "SSL_CLIENT_S_DN", "SSL_CLIENT_VERIFY", "SSL_PROTOCOL"} {
			if value, ok := got[name]; ok {
				parts = append(parts, name+"="+value)
			}
		}
		if text := strings.Join(parts, " "); text != c.want {
			t.Errorf("%s: %s, want %s", c.name, text, c.want)
		}
	}
}

// A scope has it in one variable before its fields, behind what a web server has sent.
func TestScopeOfTLS(t *testing.T) {
	for _, gateway := range []*Gateway{nil, {Name: "uwsgi"}} {
		r := &Request{Method: []byte("GET"), Path: []byte("/"), Peer: &Peer{Scheme: "https", TLS: anyTLS(true)}, Gateway: gateway, Fields: []Field{{[]byte("X-A"), []byte("1")}}}
		head := appendScope(nil, r)
		if binary.LittleEndian.Uint16(head[6:])&pyhost.RequestTLS == 0 {
			t.Error("the head does not say that it is encrypted")
		}
		_, fields := readScope(t, head)
		if gateway != nil {
			fields = fields[1:]
		}
		if len(fields) != 2 || fields[1] != "x-a: 1" || !strings.HasPrefix(fields[0], "tls: ") {
			t.Fatalf("the fields are %q", fields)
		}
		inner := fields[0][len("tls: "):]
		for name, value := range map[string]string{"server_cert": "server's\n", "client_cert_chain": "client's\nits authority's\n", "client_cert_name": "CN=x,C=DE", "tls_version": "772", "cipher_suite": "4865"} {
			if part := string(appendVariable(nil, name, value)); !strings.Contains(inner, part) {
				t.Errorf("%q is not among %q", part, inner)
			}
		}
	}
}
