// Package cgi makes requests of the variables in which web servers pass them on: those of the
// Common Gateway Interface (RFC 3875), which the uwsgi protocol, FastCGI and SCGI have in
// common. The codecs of these take a connection's bytes apart and give each variable to a Head;
// in the end that is a bridge.Request.
//
// The web server has taken the request apart already, and that is not done again: PATH_INFO
// is decoded and normalised, a chunked body has its length. What a request cannot go
// without and was not sent gets a default, since a site may send as little as it likes.
// Everything that was sent is in the request, under its name; only what would lie about the
// body (HTTP_TRANSFER_ENCODING) or pretend to be the server's own (wsgi.input) is not.
//
// What another protocol begins with - HTTP, TLS, a neighbour of these - is told apart by its
// first four bytes, because that is the mistake that people make.
//
// No error quotes what was sent, but for numbers: no log and no page can be forged by it.
//
// Files: head (what there is of a request), variables (which is what), request (what is made of
// them), path (which path is asked for), stranger (what is another protocol).
package cgi
