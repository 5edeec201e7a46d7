package forwarded

import (
	"fmt"
	"strings"
)

// Headers is a set of the fields that can be believed.
type Headers uint8

// The fields there are.
const (
	For      Headers = 1 << iota // X-Forwarded-For: addresses
	Proto                        // X-Forwarded-Proto: http or https
	Host                         // X-Forwarded-Host: a host, with or without a port
	Port                         // X-Forwarded-Port
	Prefix                       // X-Forwarded-Prefix: a path that the proxy has cut off
	Standard                     // Forwarded: all of them but the prefix
)

// names are the fields, in lower case, in the order of the constants.
var names = [...]string{
	"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix", "forwarded",
}

// Names are those of all fields that can be believed, in lower case.
func Names() []string { return names[:] }

// Named is the set of fields with these names, which must be among Names.
func Named(list []string) (h Headers, err error) {
	for _, name := range list {
		i := 0
		for i < len(names) && names[i] != strings.ToLower(name) {
			i++
		}
		if i == len(names) {
			return 0, fmt.Errorf("%q is none of %s", name, strings.Join(names[:], ", "))
		}
		h |= 1 << i
	}
	return h, nil
}

// which is the field of that name, or 0.
func which(name []byte) Headers {
	for i, n := range names {
		if len(n) == len(name) && strings.EqualFold(n, string(name)) {
			return 1 << i
		}
	}
	return 0
}
