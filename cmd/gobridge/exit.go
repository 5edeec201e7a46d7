package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"gobridge/bridge"
)

// exitCode is what a run of gobridge ends with.
type exitCode int

const (
	exitOK          exitCode = 0
	exitInternal    exitCode = 1
	exitUsage       exitCode = 2
	exitApplication exitCode = 3
	exitListen      exitCode = 4
	exitPython      exitCode = 5
	exitCut         exitCode = 6
	exitNoServer    exitCode = 7
	exitUnwell      exitCode = 8
	exitNotYet      exitCode = 9
	exitFailed      exitCode = 10
)

// exitCodes are all of them, with their meaning for who reads the docs.
var exitCodes = []struct {
	code    exitCode
	meaning string
}{
	{exitOK, "`run`: stopped by a signal, every request answered; `reload`: the new generation serves; `status`: the server serves"},
	{exitInternal, "an error in gobridge or of the system, which the message names"},
	{exitUsage, "a wrong command, flag or value"},
	{exitApplication, "the application could not be imported or did not start, at `run` or at `reload`; the traceback is on standard error"},
	{exitListen, "an address, or the path of `--control`, could not be listened on"},
	{exitPython, "no usable Python interpreter, or not in the wanted host"},
	{exitCut, "`run`: stopped before every request was answered: SIGQUIT, a second signal, or the graceful timeout passed"},
	{exitNoServer, "`reload`, `status`: no such server was found, or it gave no answer; `request`: there is no whole answer"},
	{exitUnwell, "`reload`: the server was starting or stopping; `status`: likewise, or its last reload failed"},
	{exitNotYet, "`reload`: not over after `--timeout`; it goes on; `request`: likewise, and it is given up"},
	{exitFailed, "`request --fail`: the answer's status is 400 or more"},
}

// exitError gives an error the code to exit with.
type exitError struct {
	code exitCode
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// usage is a mistake in the command line.
func usage(format string, a ...any) error { return &exitError{exitUsage, fmt.Errorf(format, a...)} }

// codeOf is the code that an error ends the program with.
func codeOf(err error) exitCode {
	if err == nil {
		return exitOK
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	if e, ok := errors.AsType[*bridge.StartError](err); ok && e.Code != 0 {
		return exitCode(e.Code)
	}
	return exitInternal
}

// tell writes the error for a person. A traceback stands as Python wrote it.
func tell(w io.Writer, err error) {
	fmt.Fprintf(w, "gobridge: %s\n", strings.TrimRight(err.Error(), "\n"))
}
