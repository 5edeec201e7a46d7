package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

func TestNotify(t *testing.T) {
	for _, name := range []string{filepath.Join(t.TempDir(), "notify"), "@" + t.TempDir()} {
		manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer manager.Close()
		if err := manager.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		t.Setenv("NOTIFY_SOCKET", name)
		n := newNotifier(zerolog.Nop())
		if _, there := os.LookupEnv("NOTIFY_SOCKET"); there {
			t.Error("the application would find the socket")
		}
		n.ready("serves")
		n.reloading()
		n.reloading()
		n.reloaded("one of two")
		n.reloaded("failed:\nTraceback")
		n.stopping()
		n.ready("not said")
		for _, want := range []string{"READY=1\nSTATUS=serves", "RELOADING=1\nMONOTONIC_USEC=", "RELOADING=1\nMONOTONIC_USEC=",
			"READY=1\nSTATUS=failed:", "STOPPING=1"} {
			b := make([]byte, 1000)
			size, err := manager.Read(b)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(b[:size]); got != want && !(strings.HasSuffix(want, "=") && strings.HasPrefix(got, want)) {
				t.Errorf("it says %q, want %q", got, want)
			}
		}
	}
	t.Setenv("NOTIFY_SOCKET", "")
	newNotifier(zerolog.Nop()).ready("to nobody")
}
