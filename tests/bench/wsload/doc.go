// Program wsload is a load of WebSockets for the benchmarks, as wrk is one of requests: it
// keeps connections busy for some seconds, or many of them open, and prints one line of JSON
// about it. It is the same for every server: frames are made once and written whole, nothing
// is compressed, and it runs on one processor.
//
//	wsload -mode echo -address 127.0.0.1:8000 -connections 64 -size 64 -seconds 2
//	wsload -mode broadcast -connections 32 ...
//	wsload -mode idle -connections 10000 -size 65536 ...
//
// In echo, each client sends its message again when it has come back; in broadcast, when it
// has come back from a room that sends it to everybody, and every message that anybody
// receives counts. In idle, each sends its message once and has it back, and then stays:
// wsload prints its line, and ends when its standard input does.
//
// Files: main, client (one WebSocket), load (echo and broadcast), idle.
package main
