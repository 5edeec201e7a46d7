package http1

import (
	"os"
	"strings"
	"testing"

	"gobridge/bridge"
)

func BenchmarkParse(b *testing.B) {
	for _, client := range []string{"wrk", "browser", "nginx"} {
		b.Run(client, func(b *testing.B) {
			wire, err := os.ReadFile("testdata/requests/" + client + ".http")
			if err != nil {
				b.Fatal(err)
			}
			p := Parser{Limits: DefaultLimits()}
			b.SetBytes(int64(len(wire)))
			b.ReportAllocs()
			for b.Loop() {
				if n, err := p.Parse(wire); n == 0 || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}

func BenchmarkChunked(b *testing.B) {
	for name, size := range map[string]int{"small": 16, "large": 16 << 10} {
		b.Run(name, func(b *testing.B) {
			data := strings.Repeat("x", size)
			wire := append(append(AppendChunkSize(nil, size), data...), "\r\n"...)
			var c Chunked
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				n, got, _, err := c.Next(wire)
				if err == nil && len(got) == size {
					n, _, _, err = c.Next(wire[n:])
				}
				if n != 2 || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}

func BenchmarkAppendHead(b *testing.B) {
	h := bridge.ResponseHead{Status: 200, Reason: []byte("OK"), Lines: []byte("Content-Type: text/plain\r\nContent-Length: 5\r\n"), BodyLength: 5}
	r := Response{Minor: 1, KeepAlive: true, Date: []byte("Sun, 06 Nov 1994 08:49:37 GMT"), Server: "gobridge"}
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		out, _, _ = AppendHead(out[:0], &h, &r)
	}
}
