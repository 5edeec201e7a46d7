// Package e2e holds the end-to-end tests: the real binary, as make build leaves it, with
// real applications, clients and peers.
//
// What depends on the interpreter runs on every one that scripts/setup has found on the
// machine, in each host that can hold it; what depends on the front runs with one reactor
// and with three. The applications are the examples and the small ones in apps.
//
// Files: pythons (which interpreters, which hosts), running (starting a server for a
// test), browser (cookies, forms), then one for each subject.
package e2e
