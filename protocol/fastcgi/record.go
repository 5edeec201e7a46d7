package fastcgi

import (
	"encoding/binary"

	"gobridge/protocol/cgi"
)

// Protocol is what this one is called.
var Protocol = cgi.Protocol{Name: "fastcgi", Title: "FastCGI", Block: "the FastCGI parameters", Framed: true, NoScript: true}

// version is the only one there is.
const version = 1

// HeaderSize is that of a record's header.
const HeaderSize = 8

// MaxContent is the most that is put into one record: what follows it is aligned, as it would be
// with padding. A record could have seven bytes more.
const MaxContent = 65528

// Types of records (section 8 of the specification).
const (
	kindBegin        = 1
	kindAbort        = 2
	kindEnd          = 3
	kindParams       = 4
	kindStdin        = 5
	kindStdout       = 6
	kindStderr       = 7
	kindData         = 8
	kindGetValues    = 9
	kindValuesResult = 10
	kindUnknownType  = 11
)

// kinds are their names in errors.
var kinds = [...]string{kindBegin: "BEGIN_REQUEST", kindAbort: "ABORT_REQUEST", kindEnd: "END_REQUEST", kindParams: "PARAMS", kindStdin: "STDIN",
	kindStdout: "STDOUT", kindStderr: "STDERR", kindData: "DATA", kindGetValues: "GET_VALUES", kindValuesResult: "GET_VALUES_RESULT", kindUnknownType: "UNKNOWN_TYPE"}

// A record is one as far as it has come. The zero value is one of which not even the header has.
type record struct {
	kind    byte
	id      uint16 // of the request; 0: it concerns the connection
	length  int    // of the content
	padding int    // bytes behind it
	size    int    // of all; 0: the header is not whole
	content []byte // nil unless it has come whole
	whole   bool   // with its padding
}

// first looks at the record at the beginning of b.
func first(b []byte) (r record, err error) {
	if len(b) < cgi.SniffSize {
		return r, nil
	}
	if b[0] != version {
		return r, cgi.Malformed("a FastCGI record is of version %d; there is only 1", b[0])
	}
	if len(b) < HeaderSize {
		return r, nil
	}
	r.kind, r.id = b[1], binary.BigEndian.Uint16(b[2:])
	r.length, r.padding = int(binary.BigEndian.Uint16(b[4:])), int(b[6])
	r.size = HeaderSize + r.length + r.padding
	if r.whole = len(b) >= r.size; r.whole {
		r.content = b[HeaderSize : HeaderSize+r.length]
	}
	return r, nil
}

// is says whether it is of that type and request, as far as its header says so.
func (r *record) is(kind byte, id uint16) bool { return r.size > 0 && r.kind == kind && r.id == id }

// misplaced is the error for a record that makes no sense where it comes.
func (r *record) misplaced() error {
	return cgi.Malformed("a FastCGI record of type %d (%s) makes no sense where it comes", r.kind, kinds[r.kind])
}

// appendHeader adds a record's header.
func appendHeader(dst []byte, kind byte, id uint16, length int) []byte {
	return append(dst, version, kind, byte(id>>8), byte(id), byte(length>>8), byte(length), 0, 0)
}

// appendStream adds content in as many records as it takes; none if it is empty, for that would
// be the stream's end.
func appendStream(dst []byte, kind byte, id uint16, content []byte) []byte {
	for len(content) > 0 {
		n := min(len(content), MaxContent)
		dst = append(appendHeader(dst, kind, id, n), content[:n]...)
		content = content[n:]
	}
	return dst
}
