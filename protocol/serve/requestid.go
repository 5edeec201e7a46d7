package serve

import (
	"encoding/hex"
	"math/rand/v2"

	"gobridge/bridge"
)

// A request's id is what its lines in the logs have in common: the access log's, the
// application's. It is the value of a header field that a proxy may have set; else it is made.

// longestID is how many bytes of a client's are an id.
const longestID = 128

// madeID is an id that was made: 128 random bits in hexadecimal, as nginx's $request_id. They
// need not be secret, only different.
type madeID [32]byte

func (m *madeID) make() []byte {
	var random [16]byte
	for i, word := 0, rand.Uint64(); i < 8; i, word = i+1, word>>8 {
		random[i] = byte(word)
	}
	for i, word := 8, rand.Uint64(); i < 16; i, word = i+1, word>>8 {
		random[i] = byte(word)
	}
	hex.Encode(m[:], random[:])
	return m[:]
}

// identify gives the request its id, and the field that value. A client's is kept if it is
// alone and could forge nothing in a log.
func (w *work) identify(q *bridge.Request, name []byte, lower string) {
	at, count := -1, 0
	for i := range q.Fields {
		if bridge.EqualFold(q.Fields[i].Name, lower) {
			at, count = i, count+1
		}
	}
	if count == 1 && isID(q.Fields[at].Value) {
		q.ID = q.Fields[at].Value
		return
	}
	q.ID = w.made.make()
	if count > 0 {
		kept := q.Fields[:0]
		for _, f := range q.Fields {
			if !bridge.EqualFold(f.Name, lower) {
				kept = append(kept, f)
			}
		}
		q.Fields = kept
	}
	q.Fields = append(q.Fields, bridge.Field{Name: name, Value: q.ID})
}

// isID says whether a client's value is well-formed: letters, digits and what stands between
// them in UUIDs, trace ids and base64.
func isID(value []byte) bool {
	for _, c := range value {
		if !idByte[c] {
			return false
		}
	}
	return len(value) > 0 && len(value) <= longestID
}

var idByte = func() (table [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=:@") {
		table[c] = true
	}
	return table
}()
