package fastcgi

import (
	"encoding/binary"
	"fmt"
	"io"

	"gobridge/bridge"
)

// What a web server sends, and how it reads answers: for clients.

// AppendRequest adds the head of a request to a Responder, which its body must follow. If keep is
// set the connection stays for another one.
func AppendRequest(dst []byte, id uint16, keep bool, variables []bridge.Field) []byte {
	flags := byte(0)
	if keep {
		flags = 1
	}
	dst = append(appendHeader(dst, kindBegin, id, 8), 0, 1, flags, 0, 0, 0, 0, 0)
	var params []byte
	for _, v := range variables {
		params = appendPair(params, v.Name, v.Value)
	}
	return appendHeader(appendStream(dst, kindParams, id, params), kindParams, id, 0)
}

// AppendStdin adds a part of a request's body, in as many records as it takes.
func AppendStdin(dst []byte, id uint16, part []byte) []byte {
	return appendStream(dst, kindStdin, id, part)
}

// AppendStdinEnd adds what ends a request's body.
func AppendStdinEnd(dst []byte, id uint16) []byte { return appendHeader(dst, kindStdin, id, 0) }

// AppendAbort adds the record that gives a request up.
func AppendAbort(dst []byte, id uint16) []byte { return appendHeader(dst, kindAbort, id, 0) }

// Answer is what came of a request.
type Answer struct {
	Stdout, Stderr    []byte
	ApplicationStatus uint32
	Status            Status
}

// ReadAnswer reads records up to the END_REQUEST of a request. Those that are not its own are
// passed over.
func ReadAnswer(in io.Reader, id uint16) (*Answer, error) {
	a := new(Answer)
	for {
		var header [HeaderSize]byte
		if _, err := io.ReadFull(in, header[:]); err != nil {
			return a, fmt.Errorf("read a FastCGI record: %w", err)
		}
		r, err := first(header[:])
		if err != nil {
			return a, err
		}
		rest := make([]byte, r.size-HeaderSize)
		if _, err := io.ReadFull(in, rest); err != nil {
			return a, fmt.Errorf("read a FastCGI record of %d bytes: %w", r.size, err)
		}
		switch content := rest[:r.length]; {
		case r.id != id:
		case r.kind == kindStdout:
			a.Stdout = append(a.Stdout, content...)
		case r.kind == kindStderr:
			a.Stderr = append(a.Stderr, content...)
		case r.kind == kindEnd && r.length >= 5:
			a.ApplicationStatus, a.Status = binary.BigEndian.Uint32(content), Status(content[4])
			return a, nil
		}
	}
}
