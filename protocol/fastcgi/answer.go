package fastcgi

import "encoding/binary"

// Answers takes the answer to a request out of records as they come: for clients. The zero value
// with the request's ID is ready.
type Answers struct {
	ID uint16

	// What END_REQUEST has said.
	Ended             bool
	ApplicationStatus uint32
	Status            Status
}

// Next takes the first record off b, if it is whole, and returns its size; 0: there must come more.
// What is returned besides points into b. Records of other requests are passed over.
func (a *Answers) Next(b []byte) (taken int, stdout, stderr []byte, err error) {
	r, err := first(b)
	if err != nil || !r.whole {
		return 0, nil, nil, err
	}
	switch {
	case r.id != a.ID:
	case r.kind == kindStdout:
		stdout = r.content
	case r.kind == kindStderr:
		stderr = r.content
	case r.kind == kindEnd && r.length >= 5:
		a.Ended, a.ApplicationStatus, a.Status = true, binary.BigEndian.Uint32(r.content), Status(r.content[4])
	}
	return r.size, stdout, stderr, nil
}
