package serve

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"strings"

	"gobridge/bridge"
)

// describe is what an application may know of a connection that is encrypted.
func describe(state *tls.ConnectionState, server string) *bridge.TLS {
	d := &bridge.TLS{Version: state.Version, CipherSuite: state.CipherSuite, ServerCert: server,
		VersionName: versionName(state.Version), CipherName: tls.CipherSuiteName(state.CipherSuite)}
	if len(state.VerifiedChains) == 0 {
		return d
	}
	for _, each := range state.PeerCertificates {
		d.ClientChain += pemOf(each.Raw)
	}
	client := state.PeerCertificates[0]
	d.ClientCert = pemOf(client.Raw)
	d.ClientName, d.ClientOneLine = namesOf(client.RawSubject)
	d.ClientIssuer, _ = namesOf(client.RawIssuer)
	d.ClientSerial = fmt.Sprintf("%X", client.SerialNumber)
	return d
}

// versionName is as OpenSSL, and so nginx, writes it: TLSv1.3.
func versionName(version uint16) string {
	return strings.Replace(tls.VersionName(version), "TLS ", "TLSv", 1)
}

// namesOf writes a distinguished name as RFC 4514 says, and in the old one line of OpenSSL.
func namesOf(der []byte) (standard, oneLine string) {
	var name pkix.RDNSequence
	if rest, err := asn1.Unmarshal(der, &name); err != nil || len(rest) > 0 {
		return "", "" // it was parsed before, with the certificate
	}
	var line strings.Builder
	for _, set := range name {
		for _, each := range set {
			line.WriteByte('/')
			line.WriteString(attributeName(each.Type))
			line.WriteByte('=')
			// A slash of the value's own must not begin another attribute.
			line.WriteString(escapeSlash.Replace(fmt.Sprint(each.Value)))
		}
	}
	return name.String(), line.String()
}

var escapeSlash = strings.NewReplacer("/", `\/`, `\`, `\\`, "\n", `\x0A`, "\r", `\x0D`, "\x00", `\x00`)

// attributeName is an attribute's short name (RFC 4514 section 3, RFC 2985), or its numbers.
func attributeName(id asn1.ObjectIdentifier) string {
	switch text := id.String(); text {
	case "2.5.4.3":
		return "CN"
	case "2.5.4.5":
		return "serialNumber"
	case "2.5.4.6":
		return "C"
	case "2.5.4.7":
		return "L"
	case "2.5.4.8":
		return "ST"
	case "2.5.4.10":
		return "O"
	case "2.5.4.11":
		return "OU"
	case "0.9.2342.19200300.100.1.1":
		return "UID"
	case "0.9.2342.19200300.100.1.25":
		return "DC"
	case "1.2.840.113549.1.9.1":
		return "emailAddress"
	default:
		return text
	}
}
