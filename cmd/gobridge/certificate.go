package main

import (
	"fmt"
	"time"

	"gobridge/protocol/serve"
)

// What the certificates of clients are to be, as in Python's ssl module (CERT_NONE and so on),
// whose numbers gunicorn and uvicorn take.
const (
	certNone     = "none"
	certOptional = "optional"
	certRequired = "required"
)

var certReqs = kind{placeholder: "none|optional|required", must: "one of none, optional, required",
	parse: func(value string) (any, error) {
		switch value {
		case "0", certNone:
			return certNone, nil
		case "1", certOptional:
			return certOptional, nil
		case "2", certRequired:
			return certRequired, nil
		}
		return nil, errNot
	}}

// listening is what the listeners have besides their addresses. Files that are named are read.
func (s *settings) listening() (*serve.Listening, error) {
	out := serve.DefaultListening()
	var err error
	if out.File, err = s.socketFile(); err != nil {
		return nil, err
	}
	encrypted := ""
	for _, bind := range s.bind {
		if secure, _ := serve.CutDialect(bind); secure {
			encrypted = bind
		}
	}
	switch {
	case encrypted == "" && s.certFile == "":
		if s.keyFile != "" || s.caFile != "" || s.certReqs != certNone {
			return nil, usage("--keyfile, --ca-certs and --cert-reqs go with --certfile, which is missing")
		}
		return out, nil
	case encrypted == "":
		return nil, usage("--certfile %s: nothing is encrypted, for no --bind begins with https: or suwsgi:, like https::8443", s.certFile)
	case s.certFile == "":
		return nil, usage("--bind %s needs a certificate: --certfile, and --keyfile unless the key is in the same file", encrypted)
	case s.caFile == "" && s.certReqs != certNone:
		return nil, usage("--cert-reqs %s: --ca-certs must say whose signatures on the clients' certificates count", s.certReqs)
	case s.caFile != "" && s.certReqs == certNone:
		return nil, usage("--ca-certs %s: no client is asked for a certificate without --cert-reqs optional or required", s.caFile)
	}
	out.TLS, err = serve.NewTLS(serve.TLSFiles{Certificate: s.certFile, Key: s.keyFile, ClientCAs: s.caFile, Required: s.certReqs == certRequired})
	if err != nil {
		return nil, usage("%w", err)
	}
	return out, nil
}

// soon is how long before its end it is said of a certificate that it ends.
const soon = 7 * 24 * time.Hour

// warnOfCertificate says of one that it is not valid, or not for long.
func (v *service) warnOfCertificate() {
	if v.tls == nil {
		return
	}
	from, to := v.tls.Validity()
	now := time.Now()
	switch {
	case now.Before(from):
		v.log.Warn().Msgf("--certfile %s: the certificate is valid only from %s on, and clients refuse it until then", v.settings.certFile, from.Format(time.RFC3339))
	case now.After(to):
		v.log.Warn().Msgf("--certfile %s: the certificate was valid until %s, and clients refuse it", v.settings.certFile, to.Format(time.RFC3339))
	case now.Add(soon).After(to):
		v.log.Warn().Msgf("--certfile %s: the certificate is valid only until %s", v.settings.certFile, to.Format(time.RFC3339))
	}
}

// rereadCertificate takes the files as they are now for connections that come; what it says goes
// behind the text about a reload, empty if there is nothing to be said.
func (v *service) rereadCertificate() string {
	if v.tls == nil {
		return ""
	}
	changed, err := v.tls.Reload()
	if err != nil {
		v.log.Error().Err(err).Msg("the certificate was not taken anew: the old one stays")
		return fmt.Sprintf("; the certificate was not taken anew, and the old one stays: %v", err)
	}
	if !changed {
		return ""
	}
	v.log.Info().Str("certfile", v.settings.certFile).Msg("the certificate was taken anew")
	v.warnOfCertificate()
	return "; the certificate was taken anew"
}
