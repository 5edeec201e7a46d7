// Package pyhost starts CPython and speaks with it, without being Python itself.
//
// gobridge is one binary with four kinds of process. The front is Go and holds
// the clients; a zygote is C and a started CPython that waits on a control
// socket; a template is a fork of it that has imported the application; workers are
// forks of either and run the application. This package
// is the bottom of the front: it finds the interpreter the user means, decides
// how it is hosted, starts the zygote and asks it for workers. It knows nothing
// of requests: those travel through a shared-memory segment whose layout is in
// layout.h, and which layout.go repeats for Go.
//
// # Which interpreter
//
// Find takes the first that the user has named or that is plainly meant:
// --python, --venv, $VIRTUAL_ENV, a .venv beside the application, python3 on
// PATH. It runs that interpreter once with a short script and believes only what
// it says of itself: a python3 may be a shell script that starts another one
// (pyenv), a virtual environment's is a link, and a build's configuration may
// name folders of the machine on which it was built.
//
// # Which host
//
// Two hosts run the same C code, and a worker cannot tell in which it lives:
//
//   - embedded: this executable again, with GOBRIDGE_HOST_FD in its environment.
//     A C constructor sees the variable before Go's runtime starts, never returns
//     to it, and opens libpython.
//   - interpreter: the interpreter itself, which loads the same C code as a shared
//     library (gobridge-host.so) through ctypes and calls its entry function.
//
// Interpreters that are linked to a shared libpython lose nothing when embedded.
// Many are not: Debian's, Ubuntu's, uv's and conda's executables contain the
// interpreter. There libpython may be missing, and where it is installed it is
// the slower build, so the interpreter host is the one to take. Choose decides.
//
// The library for the interpreter host must be a file. It is looked for beside
// the executable, and else written out of the executable into a private folder
// (library.go). A binary built without it offers the embedded host only.
//
// # The zygote
//
// Launch starts it with one end of a seqpacket socket as descriptor 3, sends
// BOOT and waits for BOOTED. Spawn asks for a worker and hands over one end of
// the worker's own socket; the answer says that the worker is forked and has
// become the front's child. A zygote never imports the application, so its death
// costs nothing but a new one: workers live on.
//
// # The template
//
// Template asks the zygote for a process that imports the application once. When it has,
// it looks at what the import has left behind, and says in IMPORTED whether workers may
// be forked from it: then it takes SPAWN as a zygote does, and each worker has its memory.
// If not, SETUP makes a worker of it, and the others are forked from the zygote and import
// for themselves. template.c has the story, python/_gobridge_preload.py the reasons.
//
// Nothing here calls Python. There is no Python.h: the C side binds the
// functions it needs by name when it starts, and so one binary hosts every
// CPython from 3.9 on.
package pyhost
