package checksum_test

import (
	"fmt"
	"testing"

	"github.com/ferrygo/ferry/checksum"
)

// sizes are a bare header, a small packet, the default chunk of many protocols, an Ethernet
// frame's worth, a jumbo frame's, and the longest datagram.
var sizes = []int{20, 64, 512, 1400, 9000, 65536}

// perSize runs f over random data of each size.
func perSize[T any](b *testing.B, f func(data []byte) T) {
	for _, size := range sizes {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			data := randomBytes(size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				f(data)
			}
		})
	}
}

func BenchmarkSum(b *testing.B) {
	perSize(b, checksum.Sum)
}

func BenchmarkVerify(b *testing.B) {
	perSize(b, checksum.Verify)
}

// BenchmarkPartial is a packet's header in words, and its payload.
func BenchmarkPartial(b *testing.B) {
	perSize(b, func(data []byte) uint16 {
		var p checksum.Partial
		p.AddUint64(0x0123456789abcdef)
		p.AddUint32(1)
		p.AddUint16(0x5555)
		p.Add(data)
		return p.Sum()
	})
}

func BenchmarkHash(b *testing.B) {
	h := checksum.New()
	var digest [checksum.Size]byte
	perSize(b, func(data []byte) []byte {
		h.Reset()
		_, _ = h.Write(data)
		return h.Sum(digest[:0])
	})
}

func BenchmarkUpdateUint16(b *testing.B) {
	b.ReportAllocs()
	var sum uint16
	for b.Loop() {
		sum = checksum.UpdateUint16(sum, 2, 0x1234, sum)
	}
}

func BenchmarkUpdateUint32(b *testing.B) {
	b.ReportAllocs()
	var sum uint16
	for b.Loop() {
		sum = checksum.UpdateUint32(sum, 12, 0xc0a80001, uint32(sum))
	}
}

// BenchmarkUpdate replaces an IPv6 address.
func BenchmarkUpdate(b *testing.B) {
	old, new := randomBytes(16), randomBytes(17)[:16]
	b.ReportAllocs()
	var sum uint16
	for b.Loop() {
		sum = checksum.Update(sum, 8, old, new)
	}
}
