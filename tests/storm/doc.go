// Storm loads a server with requests whose every answer is checked, while it kills the
// server's workers and its zygote, and then settles the account.
//
// It can have the server reload meanwhile, with an application that fails in its import
// every second time, and end it under full load. Where nobody is killed, every request must
// be answered, and every connection kept.
//
// Each request has a nonce, which its answer must carry in a field and in its body, so an
// answer that reaches another client is seen. The application notes when it begins and when
// it ends a request, and the server's log names what a killed worker was running. At the
// end every request must be accounted for: answered whole, and then begun exactly once; or
// answered with 502 or visibly cut, and then named by the server as running in a worker that
// the storm has killed. A connection that is reset, or closed without an answer, fails the
// storm, and so does anything that the server has not given back afterwards.
//
// Beside an ASGI application's requests there are WebSockets: each is one entry in the books,
// every message must come back, and only the death of its worker may cut it.
//
// Files: main (flags, the run), server (the process), chaos (the kills), client (a
// connection's load), request (one request and its check), socket (one client's WebSockets),
// account (the books), leftovers.
package main
