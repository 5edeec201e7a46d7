package main

import (
	"slices"
	"strings"

	"gobridge/protocol/forwarded"
	"gobridge/protocol/http1"
	"gobridge/protocol/proxyproto"
	"gobridge/protocol/serve"
	"gobridge/protocol/trust"
)

// Kinds of the settings that concern proxies and header fields.

// peers is a list of who is believed.
var peers = kind{placeholder: "ADDRESSES", several: true, separate: byCommas,
	must:  "addresses, networks like 10.0.0.0/8, unix (sockets) or * (everybody), with commas between them, or none",
	parse: func(value string) (any, error) { return trust.Parse([]string{value}) },
	whole: func(values []string) error { _, err := trust.Parse(values); return err },
}

// believed is a list of header fields that proxies set.
var believed = kind{placeholder: "HEADERS", several: true, separate: byCommas,
	must: "some of " + strings.Join(forwarded.Names(), ", ") + ", with commas between them, or none",
	parse: func(value string) (any, error) {
		if value == trust.Nobody {
			return value, nil
		}
		return forwarded.Named([]string{value})
	},
	whole: func(values []string) error {
		if len(values) > 1 && slices.Contains(values, trust.Nobody) {
			return errNot
		}
		return nil
	},
}

// extraHeader is a header field for every response. A variable has one a line, for values
// have commas and spaces.
var extraHeader = kind{placeholder: "NAME:VALUE", several: true, separate: byLines,
	must:  "NAME:VALUE, with a header's name that does not frame the answer (as Content-Length) nor concern the connection",
	brief: "NAME:VALUE; in the environment one a line",
	parse: func(value string) (any, error) { return http1.NewExtra(value) },
}

// idHeader is the name of a header field that may have a value of ours.
var idHeader = kind{placeholder: "NAME", must: "a header's name like X-Request-ID, of none that HTTP gives a meaning", brief: "NAME",
	parse: func(value string) (any, error) {
		_, err := http1.NewExtra(value + ":")
		if err != nil || slices.Contains([]string{"host", "content-type", "cookie", "authorization", "accept", "range", "expect", "date"}, strings.ToLower(value)) {
			return nil, errNot
		}
		return value, nil
	},
}

// mount is where an application is mounted.
var mount = kind{placeholder: "PATH", must: "a path like /shop: beginning with a slash, not ending with one, and percent-encoded as in a URL",
	brief: "PATH", parse: func(value string) (any, error) {
		if !forwarded.ValidPrefix(value) {
			return nil, errNot
		}
		return value, nil
	}}

func byCommas(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

func byLines(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
}

var proxyVersions = map[string]proxyproto.Versions{
	"off": proxyproto.Off, "v1": proxyproto.V1, "v2": proxyproto.V2, "auto": proxyproto.Auto,
}

// forEdge fills in what concerns proxies and header fields. The kinds have checked the values.
func (s *settings) forEdge(out *serve.Settings) error {
	var err error
	if out.Forwarded.Trusted, err = trust.Parse(s.forwardedAllow); err != nil {
		return err
	}
	if !slices.Contains(s.forwardedHeaders, trust.Nobody) {
		if out.Forwarded.Believed, err = forwarded.Named(s.forwardedHeaders); err != nil {
			return err
		}
	}
	if out.ProxyFrom, err = trust.Parse(s.proxyAllow); err != nil {
		return err
	}
	out.GatewayFrom = map[string]trust.List{}
	for name, allow := range map[string][]string{"uwsgi": s.uwsgiAllow, "fastcgi": s.fastcgiAllow, "scgi": s.scgiAllow} {
		if out.GatewayFrom[name], err = trust.Parse(allow); err != nil {
			return err
		}
	}
	out.ProxyVersions = proxyVersions[s.proxyProtocol]
	out.Root, out.RefuseUnderscores = s.rootPath, s.headerMap == "refuse"
	out.NoDate, out.RequestID = s.noDate, s.requestID
	if s.noServer {
		out.ServerName = ""
	}
	for _, text := range s.headers {
		e, err := http1.NewExtra(text)
		if err != nil {
			return err
		}
		switch out.Extra = append(out.Extra, e); e.Name() {
		case "server":
			out.ServerName = ""
		case "date":
			out.NoDate = true
		}
	}
	return nil
}
