// Package forwarded reads what proxies say of a request in header fields: X-Forwarded-For,
// -Proto, -Host, -Port and -Prefix, and Forwarded (RFC 7239). It does no input or output
// of its own.
//
// Anybody can send these fields. So they count only from a trusted peer, and only those
// that its owner says that it sets (Rules.Believed): a proxy passes on what it does not
// know. Each proxy adds what it sees at the end of a list, and what stands before that came
// with the request. The client is the last address of the list that is no trusted proxy's.
//
// What is ambiguous is refused, with 400: a believed field that is malformed, or that says
// two things. Nothing left of the client in the list is looked at, because the client may
// have sent it.
//
// Files: names (of the fields), rules (what is believed, and the outcome), hops (whose address is the client's),
// lists (X-Forwarded-*), standard (Forwarded), values (schemes, hosts, ports, prefixes).
package forwarded
