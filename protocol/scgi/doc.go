// Package scgi is the codec of SCGI, the Simple Common Gateway Interface, which web servers
// (nginx: scgi_pass) speak with application servers: bytes in, requests out. It does no input or
// output of its own. An answer is what a CGI program says ("Status: 200 OK"), and ends with the
// connection: http1 writes it.
//
// A request begins with a netstring: the size of what follows in decimal digits, a colon, the
// variables, a comma. A variable is its name, a NUL, its value, a NUL. The first one is
// CONTENT_LENGTH, and SCGI is "1" among the others. Behind the comma comes the request's body,
// as it is. A connection carries one request.
//
// What the variables mean is the affair of package cgi. What makes no sense is refused: a size
// that is no number or has zeros before it, no comma at the end, a name without a value, an
// empty name, no CONTENT_LENGTH or no SCGI. No error quotes what was sent, but for numbers.
// The specification forbids names that come twice; but nginx has sent each header field by
// itself before 1.23, and so they are joined here as those of the other protocols.
//
// Files: head (the netstring, and the variables in it), client (how a request is written).
package scgi
