package http1

import "time"

// Date is the value of the field Date (RFC 9110 section 6.6.1), made anew once a second.
type Date struct {
	second int64
	text   []byte
}

// At returns the date at t. It is good until the next call.
func (d *Date) At(t time.Time) []byte {
	if s := t.Unix(); s != d.second || d.text == nil {
		d.second = s
		d.text = t.UTC().AppendFormat(d.text[:0], "Mon, 02 Jan 2006 15:04:05 GMT")
	}
	return d.text
}
