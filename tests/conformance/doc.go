// Package conformance asks the real binary, on the wire, for each line of the tables of what
// WSGI (PEP 3333) and HTTP/1.1 (RFC 9110, 9112) promise. `make conformance` prints one line a
// check:
//
//	PASS WSGI-11 start_response called lazily, by a generator's first next() (3.9.18 interpreter)
//
// and fails when one does; one that is skipped fails, too.
//
// A table is a slice of checks in the order of its numbers. What depends on the interpreter
// is asked on every one of the list, in each host that can hold it; what the front does
// alone, once. All checks of a table have one server: a check leaves nothing behind that
// another one could see.
//
// Files: table (a check, how it is run, the report), client (HTTP as bytes), then for each
// table NAME_test.go with the server and the list, and one file for each subject. The
// applications are in apps.
package conformance
