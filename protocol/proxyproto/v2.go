package proxyproto

import (
	"encoding/binary"
	"hash/crc32"
	"net/netip"
)

// Version 2 (section 2.2 of the specification): the signature, a byte with version and
// command, one with family and protocol, the length of what follows in network order, the
// addresses, and then fields of type, length and value (TLVs) up to that length.

const (
	head2 = len(signature) + 4
	// maxBody is the longest that may follow. There is room for a client's certificate
	// in a TLV; the length itself would allow 64 KiB.
	maxBody = 16 << 10
)

// The commands.
const (
	commandLocal = 0
	commandProxy = 1
)

// families says how long the two addresses are in each family. The protocol, in the lower
// four bits of the byte, must be that of a stream.
var families = [4]int{
	0: 0,   // AF_UNSPEC
	1: 12,  // AF_INET
	2: 36,  // AF_INET6
	3: 216, // AF_UNIX
}

const (
	protocolUnspec = 0
	protocolStream = 1
)

func parse2(b []byte) (h Header, size int, err error) {
	if len(b) < head2 {
		return h, 0, nil
	}
	command, family, protocol := b[12]&15, b[13]>>4, b[13]&15
	length := int(binary.BigEndian.Uint16(b[14:]))
	switch {
	case b[12]>>4 != 2:
		return h, 0, bad("has the version %d behind the signature of version 2", b[12]>>4)
	case command > commandProxy:
		return h, 0, bad("has the unknown command %d", command)
	case int(family) >= len(families) || protocol > 2:
		return h, 0, bad("has the unknown family and protocol 0x%02x", b[13])
	case length > maxBody:
		return h, 0, bad("is longer than %d bytes", maxBody+head2)
	case command == commandProxy && length < families[family]:
		return h, 0, bad("has %d bytes, too few for the addresses of its family", length)
	}
	if len(b) < head2+length {
		return h, 0, nil
	}
	b = b[:head2+length]
	if command == commandLocal || family == 0 || protocol == protocolUnspec {
		// Whatever the rest is, it is passed over (LOCAL), or says nothing of addresses.
		return Header{Local: true}, len(b), nil
	}
	if protocol != protocolStream {
		return h, 0, bad("is about datagrams, and this is a stream")
	}
	if h, err = body2(b, int(family)); err != nil {
		return Header{}, 0, err
	}
	return h, len(b), nil
}

// body2 reads a whole header's addresses and TLVs.
func body2(b []byte, family int) (h Header, err error) {
	at := b[head2:]
	switch family {
	case 1:
		h.Source = netip.AddrPortFrom(netip.AddrFrom4([4]byte(at)), binary.BigEndian.Uint16(at[8:]))
		h.Destination = netip.AddrPortFrom(netip.AddrFrom4([4]byte(at[4:])), binary.BigEndian.Uint16(at[10:]))
	case 2:
		h.Source = netip.AddrPortFrom(netip.AddrFrom16([16]byte(at)).Unmap(), binary.BigEndian.Uint16(at[32:]))
		h.Destination = netip.AddrPortFrom(netip.AddrFrom16([16]byte(at[16:])).Unmap(), binary.BigEndian.Uint16(at[34:]))
	}
	return h, h.tlvs(b, head2+families[family])
}

// The TLVs that mean something here; others are passed over.
const (
	typeCRC32C = 0x03 // a checksum of the whole header
	typeSSL    = 0x20 // the client's TLS
	clientSSL  = 0x01 // bit of typeSSL's first byte: the client connected by TLS
	tlvHead    = 3
)

// tlvs goes over the TLVs, which begin at from and fill b to its end.
func (h *Header) tlvs(b []byte, from int) error {
	for from < len(b) {
		if len(b)-from < tlvHead {
			return bad("ends amid a field")
		}
		kind, length := b[from], int(binary.BigEndian.Uint16(b[from+1:]))
		from += tlvHead
		if length > len(b)-from {
			return bad("has a field (0x%02x) that is longer than what is left", kind)
		}
		value := b[from : from+length]
		switch kind {
		case typeCRC32C:
			if length != 4 || binary.BigEndian.Uint32(value) != checksum(b, from) {
				return bad("has a wrong checksum")
			}
		case typeSSL:
			if length < 5 {
				return bad("has a field about TLS with %d bytes, too few", length)
			}
			h.TLS = value[0]&clientSSL != 0
		}
		from += length
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is that of the header with zeros in place of the checksum itself, which stands
// at the given place.
func checksum(b []byte, at int) uint32 {
	sum := crc32.Update(0, castagnoli, b[:at])
	sum = crc32.Update(sum, castagnoli, make([]byte, 4))
	return crc32.Update(sum, castagnoli, b[at+4:])
}
