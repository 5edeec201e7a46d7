package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"gobridge/protocol/serve"
)

// trusting are the options of the request command about TLS: whom it believes, and who it says
// that it is.
type trusting struct {
	anybody          bool
	authorities      string // a file, like the others
	certificate, key string
}

// handshake is the beginning of a connection inside TLS.
type handshake struct {
	config *tls.Config
	asked  bool // the server has asked for a certificate
	cut    bool // the connection below has ended, and no close_notify came before that
}

// handshake makes one with the endpoint; nil: there is none to be had.
func (o *trusting) handshake(to *endpoint) (*handshake, error) {
	if err := o.check(to); err != nil || !to.secure {
		return nil, err
	}
	h := &handshake{config: &tls.Config{ServerName: to.peer.ServerName, InsecureSkipVerify: o.anybody}}
	if o.authorities != "" {
		text, err := os.ReadFile(o.authorities)
		if err != nil {
			return nil, usage("--cacert: %w", err)
		}
		h.config.RootCAs = x509.NewCertPool()
		if !h.config.RootCAs.AppendCertsFromPEM(text) {
			return nil, usage("--cacert %s: there is no certificate in PEM in it", o.authorities)
		}
	}
	own := new(tls.Certificate) // none
	if o.certificate != "" {
		pair, err := serve.KeyPair(o.certificate, o.key)
		if err != nil {
			return nil, usage("--cert: %w", err)
		}
		own = &pair
		h.config.Certificates = []tls.Certificate{pair}
	}
	h.config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		h.asked = true
		return own, nil
	}
	return h, nil
}

// check says what does not go together.
func (o *trusting) check(to *endpoint) error {
	given := ""
	for name, is := range map[string]bool{"insecure": o.anybody, "cacert": o.authorities != "", "cert": o.certificate != "", "key": o.key != ""} {
		if is && (given == "" || name < given) {
			given = name
		}
	}
	switch {
	case given != "" && !to.secure:
		return usage("--%s is for TLS: the address begins with https: or suwsgi: then", given)
	case o.key != "" && o.certificate == "":
		return usage("--key goes with --cert, which is missing")
	case o.anybody && o.authorities != "":
		return usage("--insecure takes any certificate, and --cacert says which to take: one of them")
	}
	return nil
}

// lacksCertificate says whether the server has asked for a certificate, and got none.
func (h *handshake) lacksCertificate() bool {
	return h != nil && h.asked && len(h.config.Certificates) == 0
}

const showOne = "the server asks for a certificate: --cert and --key show it one"

// errNoNotify is how a connection inside TLS ends that somebody may have cut (RFC 8446 section 6.1).
var errNoNotify = errors.New("the connection has ended without TLS's close_notify")

// below is the connection that TLS is spoken on. crypto/tls takes its end for TLS's own between two
// records, and reads no more when it has seen a close_notify.
type below struct {
	net.Conn
	shake *handshake
}

func (b *below) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
	b.shake.cut = b.shake.cut || errors.Is(err, io.EOF)
	return n, err
}

// encrypt makes a connection one inside TLS.
func (e *exchange) encrypt(conn net.Conn) (net.Conn, error) {
	secure := tls.Client(&below{conn, e.shake}, e.shake.config)
	if err := secure.Handshake(); err != nil {
		return nil, e.unencrypted(err)
	}
	if e.asked.verbose {
		e.tellOfTLS(secure.ConnectionState())
	}
	return secure, nil
}

// unencrypted says why a handshake has failed, and what to do.
func (e *exchange) unencrypted(err error) error {
	to := e.to
	var nobody x509.UnknownAuthorityError
	var untrusted *tls.CertificateVerificationError
	var plain tls.RecordHeaderError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &exitError{exitNotYet, fmt.Errorf("%s has not come to an end with its TLS handshake within --timeout %v", to, e.asked.limit)}
	case errors.As(err, &nobody):
		err = fmt.Errorf("%s: %w: --cacert FILE says whose signature counts, and --insecure takes any certificate", to, err)
	case errors.As(err, &untrusted):
		err = fmt.Errorf("%s: %w: --insecure takes it all the same", to, err)
	case errors.As(err, &plain):
		err = fmt.Errorf("%s: what answers is no TLS: without it, it is asked as %s", to, to.by(to.speaks, false))
	case errors.Is(err, io.EOF):
		err = fmt.Errorf("%s: the connection was closed amid the TLS handshake: does the port speak TLS? Without it, it is asked as %s", to, to.by(to.speaks, false))
	case e.shake.lacksCertificate():
		err = fmt.Errorf("%s: the TLS handshake has failed: %w: %s", to, err, showOne)
	default:
		err = fmt.Errorf("%s: the TLS handshake has failed: %w", to, err)
	}
	return &exitError{exitNoServer, err}
}

// tellOfTLS tells what was agreed upon, and with whom.
func (e *exchange) tellOfTLS(state tls.ConnectionState) {
	leaf, verified := state.PeerCertificates[0], "verified"
	if e.shake.config.InsecureSkipVerify {
		verified = "not verified"
	}
	fmt.Fprintf(e.log, "* %s, %s; the certificate, %s, is of %q, signed by %q, valid until %s\n", tls.VersionName(state.Version),
		tls.CipherSuiteName(state.CipherSuite), verified, leaf.Subject, leaf.Issuer, leaf.NotAfter.Format(time.RFC3339))
	switch {
	case e.shake.lacksCertificate():
		fmt.Fprintln(e.log, "* the server asks for a certificate, and gets none")
	case e.shake.asked:
		fmt.Fprintln(e.log, "* the server asks for a certificate, and gets that of --cert")
	}
}
