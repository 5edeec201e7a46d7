// Package python carries the Python helper: what the C host leaves to Python because it
// is easier said there. The zygote runs its modules before the first worker is forked,
// from memory: nothing of them is looked for on the disk.
//
// _gobridge.py finds the application and says what is wrong when it cannot, prints
// tracebacks without the host's own lines, and has the objects of environ that need no
// speed. _gobridge_preload.py looks at what the application's import has left behind, and
// says whether the process may be forked. _gobridge_evidence.py has Python's faulthandler write
// where the front can read it. _gobridge_asgi.py has the event loop and the lifespan of ASGI applications.
package python
