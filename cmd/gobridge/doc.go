// Command gobridge serves a Python web application.
//
//	gobridge run myproject.wsgi:application
//	gobridge reload
//	gobridge status
//	gobridge request uwsgi:127.0.0.1:3031 /path
//
// This package is the wiring: it reads settings, finds the interpreter, starts the
// bridge with its workers, opens the listeners, gives both to the server, and turns
// signals into an orderly end. Everything with a life of its own is in the packages
// below it.
//
// run.go tells a run from its start to the line that says it serves, stop.go its end.
// signals.go, touch.go and control.go are the ways to speak with it meanwhile, by signals,
// by touching files, and over the control socket; reload.go and status.go are what can be
// said there, for both sides: what the command prints and what the server does. claim.go
// is where a server's control socket is, find.go how a command finds it. request.go is the
// command that asks a server as its clients do, with endpoint.go and exchange.go.
//
// settings.go holds the one table of settings. A flag, its environment variable, its
// unit, its allowed values, its default and its line in the help and in
// docs/running.md all come from one row there; nothing else in the program knows the
// name of a setting. exit.go does the same for exit codes.
//
// An error is the user's until shown otherwise: it is one message that names the
// setting and says what would be right.
package main
