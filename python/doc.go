// Package python carries the Python helper: what the C host leaves to Python because it
// is easier said there. The zygote runs it as the module _gobridge before the first worker
// is forked, from memory: nothing of it is looked for on the disk.
//
// _gobridge.py finds the application and says what is wrong when it cannot, prints
// tracebacks without the host's own lines, and has the objects of environ that need no
// speed.
package python
