package main

import (
	"fmt"
	"os/user"
	"strconv"
	"strings"

	"gobridge/protocol/serve"
)

// Who may use the unix sockets of --bind.

// socketMode is a mode as chmod takes it.
var socketMode = kind{placeholder: "MODE", must: "permissions in octal from 001 to 777, like 660", brief: "MODE in octal",
	parse: func(value string) (any, error) {
		mode, err := strconv.ParseUint(value, 8, 16)
		if err != nil || mode == 0 || mode > 0o777 {
			return nil, errNot
		}
		return int64(mode), nil
	}}

// socketOwner is who a file may belong to. Whether there are such, listening looks up.
var socketOwner = kind{placeholder: "USER[:GROUP]", must: "USER, USER:GROUP or :GROUP, by names or numbers", brief: "USER, USER:GROUP or :GROUP",
	parse: func(value string) (any, error) {
		user, group, both := strings.Cut(value, ":")
		if user == "" && group == "" || both && group == "" || strings.ContainsAny(value, " ,\t\n") || strings.Contains(group, ":") {
			return nil, errNot
		}
		return value, nil
	}}

// socketFile is what the settings say of the sockets' files.
func (s *settings) socketFile() (serve.SocketFile, error) {
	file := serve.DefaultSocketFile()
	file.Mode = uint32(s.chmod)
	name, group, _ := strings.Cut(s.chown, ":")
	var err error
	if file.User, err = idOf(name, "user", userID); err == nil {
		file.Group, err = idOf(group, "group", groupID)
	}
	if err != nil {
		return file, usage("--chown-socket %s: %w", s.chown, err)
	}
	return file, nil
}

func userID(name string) (string, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return "", err
	}
	return u.Uid, nil
}

func groupID(name string) (string, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return "", err
	}
	return g.Gid, nil
}

// idOf is the number of a user or a group: itself, or that of the name; -1 for no name.
func idOf(name, what string, look func(string) (string, error)) (int, error) {
	if name == "" {
		return -1, nil
	}
	if id, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(id), nil
	}
	text, err := look(name)
	if err != nil {
		return -1, fmt.Errorf("there is no %s %q on this machine: %w", what, name, err)
	}
	id, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return -1, fmt.Errorf("the %s %q has no number: %w", what, name, err)
	}
	return int(id), nil
}
