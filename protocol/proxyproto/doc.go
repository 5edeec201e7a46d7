// Package proxyproto reads the header of the PROXY protocol, with which a load balancer
// that passes bytes on says who its client is (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt,
// called "the specification" here). It does no input or output of its own.
//
// Both versions are read as strictly as the specification allows: a header that is not
// exactly one is an error, after which the connection is of no use. The header comes
// before all else, in whatever pieces; nothing behind it is looked at.
//
// Files: header (what both versions have), v1 (a line of text), v2 (bytes, with TLVs).
package proxyproto
