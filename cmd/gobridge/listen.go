package main

import (
	"net"
	"slices"
	"strconv"
	"strings"

	"gobridge/protocol/serve"
)

// addresses is the kind of --bind. Whether one can be listened on, serve.Listen says.
var addresses = kind{placeholder: "ADDRESS", several: true,
	must: "HOST:PORT, :PORT for every interface, [IPV6]:PORT or unix:PATH, and before it uwsgi:, fastcgi: or scgi: for that protocol, https: or suwsgi: for HTTP or uwsgi inside TLS",
	parse: func(value string) (any, error) {
		_, address := serve.CutDialect(value)
		if path, ok := strings.CutPrefix(address, "unix:"); ok && path != "" {
			return value, nil
		}
		host, port, err := net.SplitHostPort(address)
		if err != nil || strings.ContainsAny(host, "/ ") {
			return nil, errNot
		}
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return nil, errNot
		}
		return value, nil
	}}

// listen opens every address, or none.
func listen(binds []string, backlog int, what *serve.Listening) ([]*serve.Listener, error) {
	for i, bind := range binds {
		if slices.Contains(binds[:i], bind) {
			return nil, usage("--bind %s is given twice", bind)
		}
	}
	listeners, err := what.ListenAll(binds)
	if err != nil {
		return nil, &exitError{exitListen, err}
	}
	for _, l := range listeners {
		if err := l.SetBacklog(backlog); err != nil {
			return nil, &exitError{exitListen, err}
		}
	}
	return listeners, nil
}

// boundBacklog says when the kernel keeps fewer connections than it was asked to.
func (v *service) boundBacklog() {
	most, err := strconv.Atoi(readText("/proc/sys/net/core/somaxconn"))
	if err == nil && most < v.settings.backlog {
		v.log.Warn().Msgf("--backlog %d: the kernel keeps no more than %d connections waiting: raise net.core.somaxconn for more", v.settings.backlog, most)
	}
}
