package e2e

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"
)

// startPostgres plays a PostgreSQL server that lets everyone in and answers each simple
// query with one row, the number 1. It returns how to connect.
func startPostgres(t *testing.T) (conninfo string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_ = answerQueries(bufio.NewReader(c), c) // it ends with the client
			}()
		}
	}()
	return fmt.Sprintf("host=127.0.0.1 port=%d user=u dbname=d sslmode=disable gssencmode=disable", listener.Addr().(*net.TCPAddr).Port)
}

// answerQueries speaks version 3 of the protocol ("Message Formats" in PostgreSQL's manual).
func answerQueries(in *bufio.Reader, out io.Writer) error {
	ready := pgMessage('Z', "I")
	if _, err := pgRead(in); err != nil { // the start-up message, which has no type
		return err
	}
	hello := pgMessage('R', "\x00\x00\x00\x00") // authenticated
	for _, parameter := range []string{"server_version\x0016.0\x00", "client_encoding\x00UTF8\x00", "standard_conforming_strings\x00on\x00"} {
		hello += pgMessage('S', parameter)
	}
	if _, err := io.WriteString(out, hello+ready); err != nil {
		return err
	}
	column := "\x00\x01n\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x17\x00\x04\xff\xff\xff\xff\x00\x00" // an int4 named n
	row := "\x00\x01\x00\x00\x00\x011"
	answer := pgMessage('T', column) + pgMessage('D', row) + pgMessage('C', "SELECT 1\x00") + ready
	for {
		kind, err := in.ReadByte()
		if err != nil {
			return err
		}
		if _, err := pgRead(in); err != nil {
			return err
		}
		if kind == 'Q' {
			_, err = io.WriteString(out, answer)
		}
		if err != nil || kind == 'X' {
			return err
		}
	}
}

// pgRead reads a message's length and the rest of it.
func pgRead(in io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(in, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n < 4 || n > 1<<16 {
		return nil, fmt.Errorf("a message of %d bytes", n)
	}
	body := make([]byte, n-4)
	_, err := io.ReadFull(in, body)
	return body, err
}

func pgMessage(kind byte, body string) string {
	return string(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4))) + body
}
