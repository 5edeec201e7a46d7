package main

import (
	"fmt"
	"net"
	"os"
	"strings"
	"sync"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

// A notifier tells a service manager how far we are, in systemd's notify protocol
// (sd_notify(3)). Without NOTIFY_SOCKET it tells nobody.
type notifier struct {
	socket string
	log    zerolog.Logger

	mu      sync.Mutex
	reloads int // under way
	ended   bool
}

// newNotifier takes NOTIFY_SOCKET out of the environment: the application is not to speak
// in our name.
func newNotifier(log zerolog.Logger) *notifier {
	n := &notifier{socket: os.Getenv("NOTIFY_SOCKET"), log: log}
	if err := os.Unsetenv("NOTIFY_SOCKET"); err != nil {
		log.Warn().Err(err).Msg("NOTIFY_SOCKET stays in the application's environment")
	}
	return n
}

// ready says that the server serves; what is said of it is for people.
func (n *notifier) ready(status string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sayReady(status)
}

// reloading says that a reload begins; reloaded, when no other one is under way, that it is over.
func (n *notifier) reloading() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.reloads++
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		n.log.Debug().Err(err).Msg("no time for the service manager")
	}
	// The time tells the manager which of its signals it is an answer to.
	n.say("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/1000))
}

func (n *notifier) reloaded(status string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.reloads--; n.reloads == 0 {
		n.sayReady(status)
	}
}

// stopping says that the server ends. Nothing is said after it.
func (n *notifier) stopping() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.say("STOPPING=1")
	n.ended = true
}

func (n *notifier) sayReady(status string) {
	line, _, _ := strings.Cut(status, "\n")
	n.say("READY=1", "STATUS="+line)
}

func (n *notifier) say(lines ...string) {
	if n.socket == "" || n.ended {
		return
	}
	if err := send(n.socket, strings.Join(lines, "\n")); err != nil {
		n.log.Warn().Err(err).Str("socket", n.socket).Msgf("the service manager could not be told %s", lines[0])
	}
}

func send(socket, message string) error {
	conn, err := net.Dial("unixgram", socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write([]byte(message))
	return err
}
