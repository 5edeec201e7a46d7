// Package websocket is the WebSocket protocol (RFC 6455) and its compression (RFC 7692), as a
// server speaks it: bytes in, events out; messages in, bytes out. It does no input or output
// of its own, starts nothing in the background, and never waits.
//
// Check holds a request against the rules for a handshake, and settles with the client whether
// messages are compressed. A Receiver takes what comes behind the handshake, in whatever pieces
// it comes, and returns pieces of messages, unmasked in place, inflated, and checked; no message
// is ever in memory whole. AppendFrame, AppendClose and a Deflater make what goes out.
//
// What breaks the protocol is an *Error, with the code that its close frame is to have; behind
// it the connection is of no further use.
//
// Files: handshake and extension (what comes before the first frame), receiver (messages) on
// top of frames (their headers, and control frames), mask, text (UTF-8 over any cuts), closing
// (codes and reasons), inflate and deflate (compression), append (what goes out).
package websocket
