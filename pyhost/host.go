package pyhost

import (
	"errors"
	"fmt"
	"strings"
)

// Host is the way in which an interpreter is hosted.
type Host string

const (
	HostAuto        Host = "auto"        // let Choose decide
	HostEmbedded    Host = "embedded"    // this executable opens libpython
	HostInterpreter Host = "interpreter" // the interpreter loads gobridge-host.so
)

// Hosts are the values of the setting, in the order in which help shows them.
func Hosts() []string {
	return []string{string(HostAuto), string(HostEmbedded), string(HostInterpreter)}
}

// Choose turns what the user wants into HostEmbedded or HostInterpreter, or says why
// it cannot be had. HostAuto takes the faster one that works: embedded where the
// interpreter itself runs on its libpython, else the interpreter host.
func (i *Interpreter) Choose(want Host) (Host, error) {
	embedded, interpreter := i.canEmbed(), i.canRun()
	switch want {
	case HostEmbedded:
		return HostEmbedded, embedded
	case HostInterpreter:
		return HostInterpreter, interpreter
	case HostAuto, "":
	default:
		return "", fmt.Errorf("--host %s: must be one of %s", want, strings.Join(Hosts(), ", "))
	}
	switch {
	case i.Linked && embedded == nil:
		return HostEmbedded, nil
	case interpreter == nil:
		return HostInterpreter, nil
	case errors.Is(interpreter, errStaleHostLibrary):
		return "", interpreter // whoever builds gobridge wants to know, and not another host
	case embedded == nil:
		return HostEmbedded, nil
	}
	return "", fmt.Errorf("%s can be hosted neither way: embedded: %w; interpreter: %w", i.Path, embedded, interpreter)
}

func (i *Interpreter) canEmbed() error {
	if i.Library == "" {
		return i.noLibrary()
	}
	return nil
}

func (i *Interpreter) canRun() error {
	if !i.Ctypes {
		return fmt.Errorf("%s (Python %s) was built without the module _ctypes, which the interpreter host needs", i.Path, i.Version)
	}
	return haveHostLibrary()
}
