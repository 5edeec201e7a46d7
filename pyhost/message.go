package pyhost

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/sys/unix"
)

// Kinds of messages; control.h says who sends which, and what a and b are.
const (
	MsgBoot     = 1
	MsgSpawn    = 2
	MsgSetup    = 3
	MsgDrain    = 4
	MsgStopping = 6
	MsgTemplate = 5
	MsgStacks   = 7
	MsgBody     = 8
	MsgBooted   = 16
	MsgHello    = 17
	MsgReady    = 18
	MsgFailed   = 19
	MsgSpawned  = 20
	MsgImported = 21
	MsgFile     = 24
	MsgLeaving  = 25
	MsgStacked  = 22
)

// Interfaces between server and application (GB_INTERFACE_*), as READY tells them.
const (
	InterfaceWSGI = 1
	InterfaceASGI = 2
)

// MessageSize is struct gb_message, MaxMessage that and the longest payload,
// MaxDescriptors how many descriptors may travel beside one message.
const (
	MessageSize    = 24
	MaxMessage     = 131072
	MaxDescriptors = 16
)

// Message is one packet of a control socket (struct gb_message).
type Message struct {
	Kind    uint32
	A, B    uint64
	Payload []byte
}

// Settings is a payload of name and value pairs. A NUL would end a value early, and
// no path, module name or number has one: what follows it is left out.
func Settings(pairs ...string) []byte {
	if len(pairs)%2 != 0 {
		panic("pyhost: a setting without a value")
	}
	var out []byte
	for _, s := range pairs {
		s, _, _ = strings.Cut(s, "\x00")
		out = append(append(out, s...), 0)
	}
	return out
}

// Send writes one message with descriptors beside it. The descriptors stay the
// caller's. On a socket that does not block it may return unix.EAGAIN.
func Send(fd int, m *Message, fds ...int) error {
	if MessageSize+len(m.Payload) > MaxMessage {
		return fmt.Errorf("control message of %d bytes: at most %d", MessageSize+len(m.Payload), MaxMessage)
	}
	packet := make([]byte, MessageSize, MessageSize+len(m.Payload))
	binary.LittleEndian.PutUint32(packet[0:], m.Kind)
	binary.LittleEndian.PutUint32(packet[4:], uint32(len(m.Payload)))
	binary.LittleEndian.PutUint64(packet[8:], m.A)
	binary.LittleEndian.PutUint64(packet[16:], m.B)
	packet = append(packet, m.Payload...)
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	for {
		_, err := unix.SendmsgN(fd, packet, rights, nil, unix.MSG_NOSIGNAL)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// ErrDescriptorsLost means that a message came without some of its descriptors, because
// this process has too many open. Those that did come are closed.
var ErrDescriptorsLost = errors.New("descriptors beside a control message were lost: too many open files")

// Receive reads one message. buf must hold MaxMessage bytes, and the message's
// payload lies in it. The descriptors are the caller's and close on exec. A closed
// socket is io.EOF; a malformed message is an error, and its descriptors are closed.
func Receive(fd int, buf []byte) (Message, []int, error) {
	control := make([]byte, unix.CmsgSpace(4*MaxDescriptors))
	n, controlSize, flags, err := receive(fd, buf, control)
	if err != nil {
		return Message{}, nil, err
	}
	fds, err := descriptors(control[:controlSize])
	switch {
	case err != nil:
	case n == 0:
		err = io.EOF
	case flags&unix.MSG_CTRUNC != 0:
		err = ErrDescriptorsLost
	case flags&unix.MSG_TRUNC != 0:
		err = errors.New("control message is too long")
	case n < MessageSize || binary.LittleEndian.Uint32(buf[4:]) != uint32(n-MessageSize):
		err = fmt.Errorf("control message of %d bytes does not have the size it says", n)
	}
	if err != nil {
		for _, fd := range fds {
			unix.Close(fd)
		}
		return Message{}, nil, err
	}
	return Message{
		Kind:    binary.LittleEndian.Uint32(buf[0:]),
		A:       binary.LittleEndian.Uint64(buf[8:]),
		B:       binary.LittleEndian.Uint64(buf[16:]),
		Payload: buf[MessageSize:n],
	}, fds, nil
}

func receive(fd int, buf, control []byte) (n, controlSize, flags int, err error) {
	for {
		n, controlSize, flags, _, err = unix.Recvmsg(fd, buf, control, unix.MSG_CMSG_CLOEXEC)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ECONNRESET): // told once: the peer died with packets of ours unread; its own may still lie there
			continue
		}
		return n, controlSize, flags, err
	}
}

// descriptors are those in a packet's control data; what was parsed before an error is returned with it.
func descriptors(control []byte) (fds []int, err error) {
	if len(control) == 0 {
		return nil, nil
	}
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil, err
	}
	for i := range messages {
		got, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return fds, err
		}
		fds = append(fds, got...)
	}
	return fds, nil
}
