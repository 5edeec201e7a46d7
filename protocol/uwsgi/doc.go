// Package uwsgi is the codec of the uwsgi protocol, which web servers (nginx: uwsgi_pass)
// speak with application servers: bytes in, requests out. It does no input or output of its
// own. An answer is plain HTTP, without chunks, that ends with the connection: http1 writes it.
//
// A packet is a header of four bytes - a modifier, the size of what follows in two
// little-endian bytes, a second modifier - and then variables: the size of the name, the
// name, the size of the value, the value. Behind it comes the request's body, as it is: its
// only length is CONTENT_LENGTH. A connection carries one request.
//
// The web server has taken the request apart already, and that is not done again: PATH_INFO
// is decoded and normalised, a chunked body has its length. What a request cannot go
// without and was not sent gets a default, since a site may send as little as it likes.
// Everything that was sent is in the request, under its name; only what would lie about the
// body (HTTP_TRANSFER_ENCODING) or pretend to be the server's own (wsgi.input) is not.
//
// What makes no sense is refused: sizes that do not fit, an empty name, a length that is
// none, another modifier than those of a request and of a ping. What another protocol
// begins with - HTTP, TLS, the PROXY protocol - is told apart by its first four bytes, because
// that is the mistake that people make.
//
// No error quotes what was sent, but for numbers: no log and no page can be forged by it.
//
// Files: packet (the header, and what is none), variables (which is what), request (what is
// made of them), modifiers (their names).
package uwsgi
