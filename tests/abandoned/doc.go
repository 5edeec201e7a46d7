// Command abandoned leaves streams of server-sent events, a hundred thousand of them, and looks
// for what stays behind (make abandoned).
//
// Each client takes an event and resets its connection. Half of the applications watch for
// http.disconnect, the others learn it from send. It fails when a task, a stream or a descriptor
// is left, when the memory of front or worker has grown by more than it may, or when
// applications learn later than after 100 ms, as most of a thousand measured leavings do, that a client left.
package main
