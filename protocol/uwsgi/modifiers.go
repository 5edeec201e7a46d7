package uwsgi

import (
	"fmt"

	"gobridge/protocol/http1"
)

// The modifiers that are served.
const (
	modifierRequest = 0
	modifierMounted = 30 // a request whose PATH_INFO begins with SCRIPT_NAME, which is to be cut off
	modifierPing    = 100
)

// purposes says what other modifiers are for, as far as web servers are told to send them.
var purposes = map[byte]string{
	5: "Perl", 6: "Lua", 7: "Ruby", 8: "Java", 9: "CGI", 11: "Go", 14: "PHP", 15: "Mono", 17: "a spooler's task", 18: "a C function",
	22: "code to run", 23: "XSLT", 24: "V8", 25: "GridFS", 27: "Erlang", 28: "uWSGI's own web server", 31: "a message", 32: "an array", 33: "marshalled objects", 35: "server-side includes",
	109: "a legion", 110: "a signal", 111: "a cache", 173: "a remote call", 224: "a subscription",
}

// known refuses a modifier that is not served.
func known(modifier byte) error {
	switch modifier {
	case modifierRequest, modifierMounted, modifierPing:
		return nil
	}
	what := "an unknown purpose"
	if name, ok := purposes[modifier]; ok {
		what = name
	}
	return &http1.Error{Status: 501, Reason: fmt.Sprintf("the uwsgi packet's modifier is %d (%s); 0 and 30 (requests to Python) and 100 (a ping) are served here", modifier, what)}
}
