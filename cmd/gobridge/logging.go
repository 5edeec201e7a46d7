package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"gobridge/bridge"
)

// newLogger writes for people: a line for each event, coloured on a terminal. The function
// writes what has not been written yet.
func newLogger(out *os.File, level string) (zerolog.Logger, func(), error) {
	least, err := zerolog.ParseLevel(level)
	if err != nil {
		return zerolog.Nop(), nil, fmt.Errorf("log level %s: %w", level, err)
	}
	queue := newLogQueue(out)
	zerolog.TimeFieldFormat = time.RFC3339Nano
	console := zerolog.ConsoleWriter{
		Out: queue, NoColor: !isTerminal(out) || os.Getenv("NO_COLOR") != "",
		TimeFormat: "2006-01-02T15:04:05.000Z07:00",
		FormatMessage: func(message any) string { // a traceback keeps its lines
			if message == nil {
				return ""
			}
			return fmt.Sprint(message)
		},
		FieldsExclude: []string{bridge.StackField},
		FormatExtra:   appendStack,
	}
	return zerolog.New(console).Level(least).With().Timestamp().Logger(), queue.close, nil
}

// appendStack writes a record's stack below its line.
func appendStack(record map[string]any, line *bytes.Buffer) error {
	if stack, ok := record[bridge.StackField].(string); ok {
		line.WriteString("\n" + strings.TrimRight(stack, "\n"))
	}
	return nil
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
