// Package fastcgi is the codec of FastCGI (specification 1.0), which web servers (nginx:
// fastcgi_pass) speak with application servers: bytes in, requests and bodies out. It does no
// input or output of its own. An answer is what a CGI program says ("Status: 200 OK"), in
// records: http1 writes the former, and what is here puts the latter around it.
//
// A record has a header of eight bytes: version, type, request, size of the content, size of the
// padding behind it. A request begins with BEGIN_REQUEST; its variables come in the content of
// PARAMS records, wherever they are cut, up to an empty one; and so does its body in STDIN
// records. It is over with the END_REQUEST of the answer, and if the web server wants to keep the
// connection, the next one may come by it.
//
// One connection has one request at a time: another one that begins meanwhile is refused with
// CANT_MPX_CONN, as the specification has it for who does not multiplex, and FCGI_MPXS_CONNS is 0
// among the values. Only Responders are served (else UNKNOWN_ROLE). A record of an unknown type
// is answered with UNKNOWN_TYPE, one of a request that is over is passed over. ABORT_REQUEST
// ends the request, as if the client's connection had ended.
//
// A head is told to be whole when its body has begun, or ended: so its length is known, which is
// CONTENT_LENGTH's, or none. A body of another length than it says is refused, and so is whatever
// else makes no sense: another version, records of the other direction, parameters that end within
// a variable, a body before its parameters, a request that begins twice. What the variables mean
// is the affair of package cgi. No error quotes what was sent, but for numbers.
//
// Files: record (what all records have), head (a request's), params (names and values), stdin (its
// body, and what comes amid it), aside (records that are none of the request's), stdout (what
// goes back), client and answer (the other
// side).
package fastcgi
