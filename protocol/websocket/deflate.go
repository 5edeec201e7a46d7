package websocket

import "github.com/klauspost/compress/flate"

// A Deflater compresses a connection's messages, one after the other. Between two pieces it
// keeps only bytes that the next one can refer back to: the compressor's tables, some 100 KiB,
// are made for each piece, and belong to no connection. The zero value does nothing.
type Deflater struct {
	settled Deflate
	context []byte
}

// deflatePiece is how much is compressed at once, in bytes: with the context it stays below the
// largest window.
const deflatePiece = 16 << 10

// leastDeflate is the size in bytes from which on a message is worth compressing: a shorter one
// fits into one packet as it is.
const leastDeflate = 256

// Settle makes it one of a connection with that compression.
func (d *Deflater) Settle(settled *Deflate) { d.settled = *settled }

// Worth says whether a message is to be compressed, of which there are so many bytes so far.
func (d *Deflater) Worth(size int) bool { return d.settled.On && size >= leastDeflate }

// DeflatePiece is how many bytes Append is best given at once.
const DeflatePiece = deflatePiece

// Append adds a piece of a message, compressed; last: with it the message is whole.
func (d *Deflater) Append(dst, piece []byte, last bool) []byte {
	out := appender(dst)
	context, most := contextSize, deflatePiece
	if d.settled.ServerBits < mostBits { // no reference may go back further than the client's window
		size := 1 << d.settled.ServerBits
		context = min(contextSize, size/2)
		most = min(deflatePiece, size-context)
	}
	empty := len(piece) == 0
	for len(piece) > 0 {
		part := piece[:min(len(piece), most)]
		piece = piece[len(part):]
		if err := flate.StatelessDeflate(&out, part, false, d.context); err != nil {
			panic(err) // memory takes whatever it is given
		}
		d.remember(part, context)
	}
	if last {
		if empty {
			out = append(out, 0) // an empty block: its end is what is left out
		} else {
			out = out[:len(out)-4] // 00 00 ff ff
		}
		if d.settled.ServerForget {
			d.context = nil
		}
	}
	return out
}

// remember makes b the end of the context, which has size bytes at most.
func (d *Deflater) remember(b []byte, size int) {
	if len(b) >= size {
		d.context = append(d.context[:0], b[len(b)-size:]...)
		return
	}
	if over := len(d.context) + len(b) - size; over > 0 {
		d.context = d.context[:copy(d.context, d.context[over:])]
	}
	d.context = append(d.context, b...)
}

// appender is memory that grows, as a writer.
type appender []byte

func (a *appender) Write(b []byte) (int, error) {
	*a = append(*a, b...)
	return len(b), nil
}
