// Package nginx starts the real nginx for tests: without a daemon, in a folder of its own, as an
// account that may do nothing, on unix sockets, so that no port can be taken meanwhile. It may be given what
// examples/nginx has.
package nginx
