package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
)

// version is set by the build (-ldflags "-X main.version=...").
var version = "0.1.0"

func main() {
	err := newApp().Run(flagsFirst(os.Args))
	if err != nil {
		last := newLogQueue(os.Stderr) // the end must come, too, when nobody reads
		tell(last, err)
		last.close()
	}
	os.Exit(int(codeOf(err)))
}

func newApp() *cli.App {
	return &cli.App{
		Name:                      "gobridge",
		Usage:                     "serves Python web applications",
		Version:                   version,
		DisableSliceFlagSeparator: true,
		ExitErrHandler:            func(*cli.Context, error) {}, // main does it
		OnUsageError:              explainFlag,
		Action:                    noCommand,
		Commands: []*cli.Command{
			{
				Name:      "run",
				Usage:     "serve an application until SIGTERM or SIGINT",
				ArgsUsage: "MODULE:ATTRIBUTE",
				Description: "Each option can also be given in the environment, as GOBRIDGE_ and its name\n" +
					"(GOBRIDGE_LOG_LEVEL=debug). TIME is like 500ms, 30s or 5m, SIZE like 64K or 10M.",
				Flags:        cliFlags(table),
				OnUsageError: explainFlag,
				Action:       runCommand,
			},
			{
				Name:      "reload",
				Usage:     "have a running server start its application anew, and wait until that serves",
				ArgsUsage: "[MODULE:ATTRIBUTE]",
				Description: "The server is found by the application's folder, which is the current one or that of\n" +
					"--chdir; where several applications are served from it, name the one.",
				Flags:        cliFlags(reloadTable),
				OnUsageError: explainFlag,
				Action:       reloadCommand,
			},
			{
				Name:         "status",
				Usage:        "print what a running server does",
				ArgsUsage:    "[MODULE:ATTRIBUTE]",
				Description:  "The server is found like reload's. The exit code is 0 while it serves and its last reload went well.",
				Flags:        append(cliFlags(statusTable), &cli.BoolFlag{Name: "json", Usage: "--json\tprint it as JSON"}),
				OnUsageError: explainFlag,
				Action:       statusCommand,
			},
			{
				Name:      "request",
				Usage:     "ask a server something, by HTTP or as a web server does by uwsgi, FastCGI or SCGI",
				ArgsUsage: "ADDRESS [PATH]",
				Description: "ADDRESS is one as --bind of run has it, or a URL: uwsgi:127.0.0.1:3031, uwsgi:unix:/run/app.sock,\n" +
					"http:127.0.0.1:8000, unix:/run/app.sock; fastcgi: and scgi: like uwsgi:; https: and suwsgi: inside TLS.\n" +
					"The options have curl's names.",
				Flags:                  cliFlags(requestTable),
				UseShortOptionHandling: true,
				OnUsageError:           explainFlag,
				Action:                 requestCommand,
			},
			{
				Name:         "version",
				Usage:        "print the version",
				OnUsageError: explainFlag,
				Action: func(c *cli.Context) error {
					fmt.Fprintln(c.App.Writer, "gobridge", version)
					return nil
				},
			},
		},
	}
}

// noCommand is what happens without a command, or with one that there is not.
func noCommand(c *cli.Context) error {
	if !c.Args().Present() {
		return cli.ShowAppHelp(c)
	}
	written := c.Args().First()
	if strings.Contains(written, ":") {
		return usage("%s is no command: to serve it, write gobridge run %s", written, written)
	}
	var names []string
	for _, command := range c.App.VisibleCommands() {
		names = append(names, command.Name)
	}
	if near := nearest(written, names); near != "" {
		return usage("%s is no command: did you mean %s?", written, near)
	}
	return usage("%s is no command: there are %s", written, strings.Join(names, ", "))
}
