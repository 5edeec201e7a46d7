// Package http1 is the HTTP/1.1 codec: bytes in, requests out; responses in, bytes out.
// It does no input or output of its own.
//
// Parser finds the end of a request's head in a growing buffer, looking at each byte
// once however slowly they come, and then parses the head in place: the Request's
// slices point into the buffer. Chunked takes the chunked coding off a body. AppendHead
// writes a response's head and decides how its body is framed.
//
// What is ambiguous is refused, never repaired, because the front shares its reading of
// a request with whatever stands before it: a bare line feed, a space too many, two
// lengths, a length and a coding, a coding that is not exactly "chunked" (RFC 9112
// sections 2.2, 5.1, 6.1 and 6.3). An Error has the status to answer with and says what
// is wrong and where; after it the connection is of no further use.
//
// What an error quotes is a token or a number: no log and no page can be forged by it.
//
// Files: parser (the end of the head, and its parts), line (request line and target),
// field (header fields), host (Host, and the host in a target), chars (tables of bytes),
// limits, chunked, response, extra (fields for every
// response), accept, status, date. The table of what is refused, with each
// status and message, is testdata/refused.txt; testdata/requests has what well-known
// clients send, and what is read from it.
package http1
