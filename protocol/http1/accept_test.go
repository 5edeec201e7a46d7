package http1

import "testing"

func TestPrefersJSON(t *testing.T) {
	for accept, want := range map[string]bool{
		"":                                  false,
		"*/*":                               false,
		"application/json":                  true,
		"Application/JSON":                  true,
		"application/problem+json":          true,
		"application/vnd.api+json; q=0.5":   true,
		"application/json, text/plain, */*": true, // axios
		"application/json, text/javascript, */*; q=0.01":                  true, // jQuery
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": false,
		"text/html, application/json;q=0.9":                               false,
		"text/html;q=0.8, application/json;q=0.9":                         true,
		"application/json;q=0":                                            false,
		"application/json;q=2":                                            false,
		"application/json;q=x":                                            false,
		"application/json;charset=utf-8;q=0.3, text/plain;q=0.2":          true,
		"application/jsonp":                                               false,
		"application/xml":                                                 false,
		"text/json":                                                       false,
	} {
		if PrefersJSON([]byte(accept)) != want {
			t.Errorf("%q: not %v", accept, want)
		}
	}
}

// A head that is refused may have said it before what is wrong, and after.
func TestAcceptOfARefusedHead(t *testing.T) {
	for _, head := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\nA : b\r\n\r\n",
		"GET / HTTP/1.1\r\nA : b\r\nAccept: application/json\r\nHost: x\r\n\r\n",
		"GET  / HTTP/1.1\r\nHost: x\r\naccept:application/json\r\n\r\n",
		"GET / HTTP/1.1\r\nAccept: application/json\r\nHost: x\n\r\n",
	} {
		p := Parser{Limits: DefaultLimits()}
		if _, err := p.Parse([]byte(head)); err == nil || !p.WantsJSON {
			t.Errorf("%q: %v, %v", head, err, p.WantsJSON)
		}
		p.Reset()
		if _, err := p.Parse([]byte("GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n")); err == nil || p.WantsJSON {
			t.Errorf("behind %q: %v, %v", head, err, p.WantsJSON)
		}
	}
}
