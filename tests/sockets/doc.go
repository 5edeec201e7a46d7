// Package sockets is a client's end of WebSockets for tests: the handshake's fields, and frames
// (RFC 6455 section 5.2) as they are.
package sockets
