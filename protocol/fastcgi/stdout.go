package fastcgi

import (
	"bytes"
	"encoding/binary"
)

// Status says how a request has ended (protocolStatus in the specification).
type Status byte

// What END_REQUEST can say.
const (
	Complete        Status = 0
	CannotMultiplex Status = 1 // FCGI_CANT_MPX_CONN
	Overloaded      Status = 2
	UnknownRole     Status = 3
)

// AppendEndRequest adds the record that ends a request, with the application's status 0.
func AppendEndRequest(dst []byte, id uint16, status Status) []byte {
	return append(appendHeader(dst, kindEnd, id, 8), 0, 0, 0, 0, byte(status), 0, 0, 0)
}

// AppendEnd adds what ends an answer that is whole.
func AppendEnd(dst []byte, id uint16) []byte {
	return AppendEndRequest(appendHeader(dst, kindStdout, id, 0), id, Complete)
}

// AppendStdoutHeader adds what must stand before n bytes of an answer, up to MaxContent.
func AppendStdoutHeader(dst []byte, id uint16, n int) []byte {
	return appendHeader(dst, kindStdout, id, n)
}

// AppendStdout adds a part of an answer, in as many records as it takes.
func AppendStdout(dst []byte, id uint16, text []byte) []byte {
	return appendStream(dst, kindStdout, id, text)
}

// OpenStdout begins a record of an answer whose content is to be appended, and CloseStdout ends
// it, or makes several of it. They begin at the length that dst had at first.
func OpenStdout(dst []byte, id uint16) []byte { return appendHeader(dst, kindStdout, id, 0) }

// CloseStdout ends what OpenStdout has begun at from.
func CloseStdout(dst []byte, id uint16, from int) []byte {
	content := dst[from+HeaderSize:]
	if len(content) > MaxContent {
		return AppendStdout(dst[:from], id, bytes.Clone(content))
	}
	binary.BigEndian.PutUint16(dst[from+4:], uint16(len(content)))
	return dst
}
