package main

import (
	"os"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
)

// cliFlags are the table's rows as command line flags. All are texts for the cli
// package: the kinds read them, so that flags, variables and defaults get the same
// checks and the same messages.
func cliFlags(rows []setting) (flags []cli.Flag) {
	for _, s := range rows {
		var aliases []string
		if s.short != "" {
			aliases = []string{s.short}
		}
		if s.kind.bare {
			flags = append(flags, &cli.BoolFlag{Name: s.name, Aliases: aliases, Usage: s.helpLine()})
		} else if s.kind.several {
			flags = append(flags, &cli.StringSliceFlag{Name: s.name, Aliases: aliases, Usage: s.helpLine()})
		} else {
			flags = append(flags, &cli.StringFlag{Name: s.name, Aliases: aliases, Usage: s.helpLine()})
		}
	}
	return flags
}

// init has the help show each setting as the table has it; the cli package's own form
// names the value twice and the short flag's, too.
func init() {
	usual := cli.FlagStringer
	cli.FlagStringer = func(f cli.Flag) string {
		if d, ok := f.(cli.DocGenerationFlag); ok && strings.Contains(d.GetUsage(), "\t") {
			return d.GetUsage()
		}
		return usual(f)
	}
}

// helpLine is the setting's flag, a tab, and what it is.
func (s *setting) helpLine() string {
	line := strings.TrimSpace("--" + s.name + " " + s.kind.placeholder)
	if s.short != "" {
		line = "-" + s.short + ", " + line
	}
	line += "\t" + s.help
	if s.initial != "" {
		line += " (default: " + s.initial + ")"
	}
	return line
}

// fromContext is the source of a command: its flags, then the environment.
func fromContext(c *cli.Context) source {
	return func(s *setting) ([]string, bool) {
		switch {
		case !c.IsSet(s.name):
			return s.fromEnvironment(os.LookupEnv), false
		case s.kind.several:
			return c.StringSlice(s.name), true
		case s.kind.bare:
			return []string{strconv.FormatBool(c.Bool(s.name))}, true
		}
		return []string{c.String(s.name)}, true
	}
}

// tables are the settings of the commands.
var tables = map[string][]setting{"run": table, "reload": reloadTable, "status": statusTable, "request": requestTable}

// flagsFirst moves flags before the arguments, where the flag package looks for them:
// people write `gobridge run app:app --workers 2`. What follows "--" stays.
func flagsFirst(args []string) []string {
	var flags, rest []string
	rows := table
	if len(args) > 1 && tables[args[1]] != nil {
		rows = tables[args[1]]
	}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case i < 2: // the program and the command
			flags = append(flags, arg)
		case arg == "--":
			return append(append(flags, arg), append(rest, args[i+1:]...)...)
		case len(arg) > 1 && arg[0] == '-':
			if short, value, ok := attached(rows, arg); ok {
				flags = append(flags, short, value)
				continue
			}
			flags = append(flags, arg)
			if takesNext(rows, arg) && i+1 < len(args) {
				i++
				flags = append(flags, args[i])
			}
		default:
			rest = append(rest, arg)
		}
	}
	return append(flags, rest...)
}

// attached takes a short flag and a value in one argument apart: -w4, -b:8000. One that is
// no value of that flag is rather a long name with a dash too few.
func attached(rows []setting, arg string) (short, value string, ok bool) {
	if len(arg) < 3 || arg[1] == '-' || arg[2] == '=' {
		return "", "", false
	}
	name, _, _ := strings.Cut(arg[1:], "=")
	s := settingNamed(rows, arg[1:2])
	if s == nil || s.kind.bare || settingNamed(rows, name) != nil {
		return "", "", false
	}
	if _, err := s.kind.parse(arg[2:]); err != nil {
		return "", "", false
	}
	return arg[:2], arg[2:], true
}

// takesNext says whether the value of a flag is the next argument. All settings have
// values; what is not one has none (--help), or is an error anyway.
func takesNext(rows []setting, arg string) bool {
	s := settingNamed(rows, strings.TrimLeft(arg, "-"))
	return s != nil && !s.kind.bare
}

// settingNamed is the setting of that name, or with that letter; nil if there is none.
func settingNamed(rows []setting, name string) *setting {
	for i, s := range rows {
		if name == s.name || name == s.short && s.short != "" {
			return &rows[i]
		}
	}
	return nil
}

// explainFlag turns the flag package's errors into ours.
func explainFlag(c *cli.Context, err error, _ bool) error {
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: "); ok {
		return unknownFlag(c, strings.TrimLeft(name, "-"))
	}
	if name, ok := strings.CutPrefix(text, "flag needs an argument: "); ok {
		return needsValue(tables[c.Command.Name], strings.TrimLeft(name, "-"))
	}
	return usage("%s", text)
}

// foreign are names that people know from other servers.
var foreign = map[string]string{
	"port": "bind", "p": "bind", "http": "bind", "http-socket": "bind", "socket": "bind", "listen": "bind", "uds": "bind",
	"umask": "chmod-socket", "uds-permissions": "chmod-socket", "socket-mode": "chmod-socket",
	"ssl-certfile": "certfile", "ssl-keyfile": "keyfile", "ssl-ca-certs": "ca-certs", "ssl-cert-reqs": "cert-reqs",
	"ssl-certificate": "certfile", "ssl-ca": "ca-certs", "https": "bind", "https-socket": "bind", "ssl-socket": "bind", "suwsgi-socket": "bind", "uwsgi-socket": "bind",
	"processes": "workers", "access-logfile": "access-log", "virtualenv": "venv", "home": "venv", "app-dir": "chdir",
	"timeout": "request-timeout", "harakiri": "request-timeout", "keep-alive": "timeout-keep-alive",
	"reload": "touch-reload", "reload-dir": "touch-reload", "reload-extra-file": "touch-reload", "worker-class": "threads", "k": "threads",
	"timeout-graceful-shutdown": "graceful-timeout", "proxy-headers": "forwarded-allow-ips",
	"py-autoreload": "touch-reload", "worker-reload-mercy": "graceful-timeout", "loglevel": "log-level",
	"limit-max-requests": "max-requests", "limit-max-requests-jitter": "max-requests-jitter", "max-requests-delta": "max-requests-jitter",
	"workers-lifetime": "max-worker-lifetime", "max-worker-lifetime-delta": "max-worker-lifetime-jitter",
	"workers-max-rss": "max-worker-memory", "reload-on-rss": "max-worker-memory", "evil-reload-on-rss": "max-worker-memory",
	"max-concurrency": "limit-concurrency", "listen-backlog": "backlog", "limit-conn": "limit-connections-per-address",
	"request-id": "request-id-header", "id-header": "request-id-header",
	"max-connections": "limit-connections", "worker-connections": "limit-connections",
}

// absent are such names of which no option does the work, and what does it.
var absent = map[string]string{
	"factory": "a factory is named with its call, MODULE:create_app()",
	"module":  argument, "wsgi": argument, "wsgi-file": argument, "callable": argument,
	"pythonpath": environment, "env": environment, "env-file": environment, "raw-env": environment,
	"config": noFile, "c": noFile, "ini": noFile, "log-config": "the application sets up its own logging",
	"daemon": manager, "daemonize": manager, "pid": manager, "pidfile": manager,
	"user": manager, "group": manager, "uid": manager, "gid": manager,
	"error-logfile": toStderr, "log-file": toStderr, "logto": toStderr,
	"no-access-log": "there is no access log without --access-log",
	"ws":            "WebSockets of ASGI applications are served without",
}

const (
	argument    = "the application is the argument, MODULE:ATTRIBUTE"
	environment = "variables like PYTHONPATH are taken from the environment"
	noFile      = "options stand on the command line, or in the environment as GOBRIDGE_ and their name"
	manager     = "what starts gobridge in the background, as which user, is a service manager, like systemd"
	toStderr    = "the log goes to standard error"
)

func unknownFlag(c *cli.Context, name string) error {
	if c.Command.Name == "run" {
		if ours := foreign[name]; ours != "" {
			return usage("--%s is no option: here it is --%s", name, ours)
		}
		if instead := absent[name]; instead != "" {
			return usage("--%s is no option: %s", name, instead)
		}
	}
	var names []string
	for _, f := range c.Command.Flags {
		names = append(names, f.Names()[0])
	}
	if near := nearest(name, names); near != "" {
		return usage("--%s is no option: did you mean --%s?", name, near)
	}
	return usage("--%s is no option: `%s --help` lists them", name, strings.TrimSpace("gobridge "+c.Command.Name))
}

func needsValue(rows []setting, name string) error {
	if s := settingNamed(rows, name); s != nil {
		return usage("--%s needs a value: %s", s.name, s.kind.must)
	}
	return usage("--%s needs a value", name)
}
