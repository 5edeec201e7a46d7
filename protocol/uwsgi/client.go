package uwsgi

import (
	"encoding/binary"
	"fmt"

	"gobridge/bridge"
)

// AppendRequest adds the packet of a request with these variables, as a web server sends it. Its
// body goes behind it as it is.
func AppendRequest(dst []byte, variables []bridge.Field) ([]byte, error) {
	at := len(dst)
	dst = append(dst, modifierRequest, 0, 0, 0)
	for _, v := range variables {
		if len(v.Name) == 0 {
			return dst[:at], fmt.Errorf("a variable of the uwsgi protocol needs a name")
		}
		for _, text := range [...][]byte{v.Name, v.Value} {
			if len(text) > maxBlock {
				return dst[:at], tooLong(len(text))
			}
			dst = append(binary.LittleEndian.AppendUint16(dst, uint16(len(text))), text...)
		}
	}
	size := len(dst) - at - HeaderSize
	if size > maxBlock {
		return dst[:at], tooLong(size)
	}
	binary.LittleEndian.PutUint16(dst[at+1:], uint16(size))
	return dst, nil
}

// maxBlock is how many bytes of variables a packet may have.
const maxBlock = MaxSize - HeaderSize

func tooLong(size int) error {
	return fmt.Errorf("the variables have %d bytes or more, and a uwsgi packet holds %d: nginx answers 500 to such a request", size, maxBlock)
}
