// Package uwsgi is the codec of the uwsgi protocol, which web servers (nginx: uwsgi_pass)
// speak with application servers: bytes in, requests out. It does no input or output of its
// own. An answer is plain HTTP, without chunks, that ends with the connection: http1 writes it.
//
// A packet is a header of four bytes - a modifier, the size of what follows in two
// little-endian bytes, a second modifier - and then variables: the size of the name, the
// name, the size of the value, the value. Behind it comes the request's body, as it is: its
// only length is CONTENT_LENGTH. A connection carries one request; but when its answer is 101,
// what comes behind is passed on in both directions, and so a WebSocket comes through.
//
// What the variables mean is the affair of package cgi. What makes no sense is refused: sizes
// that do not fit, an empty name, a length that is none, another modifier than those of a
// request and of a ping. No error quotes what was sent, but for numbers.
//
// Files: packet (the header, and the variables behind it), modifiers (their names).
package uwsgi
