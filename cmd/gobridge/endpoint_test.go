package main

import (
	"fmt"
	"testing"
)

func TestEndpoints(t *testing.T) {
	for address, want := range map[string]string{
		":8000":                           "127.0.0.1:8000 by tcp, Host 127.0.0.1:8000, verified as 127.0.0.1, /",
		"http://shop.example.org/a?b":     "shop.example.org:80 by tcp, Host shop.example.org, verified as shop.example.org, /a?b",
		"http:shop.example.org:443":       "shop.example.org:443 by tcp, Host shop.example.org:443, verified as shop.example.org, /",
		"https://shop.example.org/a?b":    "https:shop.example.org:443 by tcp, Host shop.example.org, verified as shop.example.org, /a?b",
		"https:shop.example.org:80":       "https:shop.example.org:80 by tcp, Host shop.example.org:80, verified as shop.example.org, /",
		"https://[::1]":                   "https:[::1]:443 by tcp, Host [::1], verified as ::1, /",
		"https:unix:/run/s":               "https:unix:/run/s by unix, Host localhost, verified as localhost, /",
		"suwsgi:10.0.0.5:3032":            "suwsgi:10.0.0.5:3032 by tcp, Host 10.0.0.5:3032, verified as 10.0.0.5, /",
		"uwsgi://127.0.0.1:3031/x":        "uwsgi:127.0.0.1:3031 by tcp, Host 127.0.0.1:3031, verified as 127.0.0.1, /x",
		"fastcgi:unix:/run/shop/app.sock": "fastcgi:unix:/run/shop/app.sock by unix, Host localhost, verified as localhost, /",
	} {
		to, err := endpointOf([]string{address})
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		if got := fmt.Sprintf("%s by %s, Host %s, verified as %s, %s", to, to.network, to.host, to.peer.ServerName, to.path); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}
