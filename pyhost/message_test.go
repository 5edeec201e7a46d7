package pyhost

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// pair is a control socket with both ends here.
func pair(t *testing.T) (a, b int) {
	t.Helper()
	ours, theirs, err := SocketPair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(ours); theirs.Close() })
	return ours, int(theirs.Fd())
}

func TestMessagesArriveAsTheyWereSent(t *testing.T) {
	a, b := pair(t)
	buf := make([]byte, MaxMessage)
	for _, m := range []Message{
		{Kind: MsgReady},
		{Kind: MsgSpawn, A: 7},
		{Kind: MsgFailed, A: 1<<64 - 1, B: 3, Payload: []byte("Traceback")},
		{Kind: MsgSetup, Payload: Settings("application", "app:app", "chdir", "")},
		{Kind: MsgFailed, Payload: bytes.Repeat([]byte("x"), MaxMessage-MessageSize)},
	} {
		if err := Send(a, &m); err != nil {
			t.Fatal(err)
		}
		got, fds, err := Receive(b, buf)
		if err != nil {
			t.Fatal(err)
		}
		if got.Kind != m.Kind || got.A != m.A || got.B != m.B || !bytes.Equal(got.Payload, m.Payload) || len(fds) != 0 {
			t.Errorf("sent kind %d with %d bytes, got kind %d with %d bytes and %d descriptors", m.Kind, len(m.Payload), got.Kind, len(got.Payload), len(fds))
		}
	}
}

func TestDescriptorsTravelAndCloseOnExec(t *testing.T) {
	a, b := pair(t)
	var send []int
	for range MaxDescriptors {
		fd, err := Memfd("test")
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		send = append(send, fd)
	}
	if _, err := unix.Pwrite(send[MaxDescriptors-1], []byte("last"), 0); err != nil {
		t.Fatal(err)
	}
	if err := Send(a, &Message{Kind: MsgSetup}, send...); err != nil {
		t.Fatal(err)
	}
	_, got, err := Receive(b, make([]byte, MaxMessage))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != MaxDescriptors {
		t.Fatalf("sent %d descriptors, got %d", MaxDescriptors, len(got))
	}
	text := make([]byte, 4)
	if _, err := unix.Pread(got[MaxDescriptors-1], text, 0); err != nil || string(text) != "last" {
		t.Errorf("the last descriptor reads %q, %v", text, err)
	}
	for _, fd := range got {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("descriptor %d: flags %#x, %v", fd, flags, err)
		}
		unix.Close(fd)
	}
}

func TestReceiveRefusesWhatIsMalformed(t *testing.T) {
	header := func(size uint32) []byte {
		b := make([]byte, MessageSize)
		binary.LittleEndian.PutUint32(b, MsgReady)
		binary.LittleEndian.PutUint32(b[4:], size)
		return b
	}
	for _, c := range []struct {
		name   string
		packet []byte
		fds    int
	}{
		{"short", []byte("abc"), 0},
		{"size too large", header(1), 0},
		{"size too small", append(header(0), 'x'), 0},
		{"size wraps", header(1<<32 - 1), 0},
		{"too long", append(header(MaxMessage), make([]byte, MaxMessage)...), 0},
		{"short, with descriptors", []byte("abc"), 3},
		{"too many descriptors", header(0), 4*MaxDescriptors + 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := pair(t)
			fds := make([]int, c.fds)
			for i := range fds {
				fds[i] = a
			}
			var rights []byte
			if c.fds > 0 {
				rights = unix.UnixRights(fds...)
			}
			before := openDescriptors(t)
			if err := unix.Sendmsg(a, c.packet, rights, nil, 0); err != nil {
				t.Fatal(err)
			}
			m, got, err := Receive(b, make([]byte, MaxMessage))
			if err == nil || len(got) != 0 {
				t.Errorf("received %+v with descriptors %v", m, got)
			}
			if after := openDescriptors(t); after != before {
				t.Errorf("%d descriptors before, %d after", before, after)
			}
		})
	}
}

func TestReceiveSeesTheEnd(t *testing.T) {
	a, b := pair(t)
	if err := Send(b, &Message{Kind: MsgReady}); err != nil { // never read: the close then resets
		t.Fatal(err)
	}
	if err := unix.Shutdown(b, unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, MaxMessage)
	if m, _, err := Receive(a, buf); err != nil || m.Kind != MsgReady {
		t.Errorf("what was sent before the end: %+v, %v", m, err)
	}
	if _, _, err := Receive(a, buf); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
	if err := Send(a, &Message{Kind: MsgDrain}); !errors.Is(err, unix.EPIPE) {
		t.Errorf("sending after the end: %v", err)
	}
}

func TestSendRefusesWhatNoPeerTakes(t *testing.T) {
	a, _ := pair(t)
	if err := Send(a, &Message{Payload: make([]byte, MaxMessage-MessageSize+1)}); err == nil {
		t.Error("sent a message that is too long")
	}
}

func TestSettings(t *testing.T) {
	for _, c := range []struct {
		pairs []string
		want  string
	}{
		{nil, ""},
		{[]string{"a", "1", "b", ""}, "a\x001\x00b\x00\x00"},
		{[]string{"a", "cut\x00off", "b", "2"}, "a\x00cut\x00b\x002\x00"},
	} {
		if got := Settings(c.pairs...); string(got) != c.want {
			t.Errorf("Settings(%q) = %q, want %q", c.pairs, got, c.want)
		}
	}
}

// openDescriptors counts this process's descriptors.
func openDescriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// What a peer has said before it died is heard, also when it left something unread, which
// the system tells of first.
func TestLastWordsOfTheDead(t *testing.T) {
	ours, theirs, err := SocketPair()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ours)
	if err := Send(ours, &Message{Kind: MsgDrain}); err != nil {
		t.Fatal(err)
	}
	if err := Send(int(theirs.Fd()), &Message{Kind: MsgFile, A: 7}); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	buf := make([]byte, MaxMessage)
	if m, _, err := Receive(ours, buf); err != nil || m.Kind != MsgFile || m.A != 7 {
		t.Errorf("got kind %d, %v", m.Kind, err)
	}
	if _, _, err := Receive(ours, buf); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

// A process that cannot take descriptors loses them, and is told so.
func TestDescriptorsThatAreLost(t *testing.T) {
	a, b := pair(t)
	file, err := Memfd("test")
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(file)
	if err := Send(a, &Message{Kind: MsgFile}, slices.Repeat([]int{file}, MaxDescriptors+1)...); err != nil {
		t.Fatal(err)
	}
	if err := Send(a, &Message{Kind: MsgReady}); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, MaxMessage)
	if _, fds, err := Receive(b, buf); !errors.Is(err, ErrDescriptorsLost) || len(fds) != 0 {
		t.Errorf("got %d descriptors, %v", len(fds), err)
	}
	if m, _, err := Receive(b, buf); err != nil || m.Kind != MsgReady {
		t.Errorf("the next message: kind %d, %v", m.Kind, err)
	}
}
