package bench

import (
	"fmt"
	"math/rand/v2"
	"testing"

	gvisor "gvisor.dev/gvisor/pkg/tcpip/checksum"

	"github.com/ferrygo/ferry/checksum"
)

// BenchmarkChecksum races checksum.Sum and gVisor's Checksum over one piece of memory.
func BenchmarkChecksum(b *testing.B) {
	for _, size := range []int{20, 64, 512, 1400, 9000, 65536} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			data := randomBytes(size)
			var sink uint16
			race(
				b,
				contender{"ferry", func() { sink = checksum.Sum(data) }},
				contender{"gvisor", func() { sink = ^gvisor.Checksum(data, 0) }},
			)
			_ = sink
		})
	}
}

// BenchmarkChecksumPacket races the sum of a p2mp packet: sequence number, category and payload,
// summed where they are rather than in one piece of memory.
func BenchmarkChecksumPacket(b *testing.B) {
	const seq, category = 0x01020304, 0x5555
	for _, size := range []int{64, 512, 1400} {
		b.Run(fmt.Sprintf("payload=%d", size), func(b *testing.B) {
			payload := randomBytes(size)
			var sink uint16
			race(
				b,
				contender{"ferry", func() {
					var p checksum.Partial
					p.AddUint32(seq)
					p.AddUint16(category)
					p.Add(payload)
					sink = p.Sum()
				}},
				contender{"gvisor", func() {
					head := gvisor.Combine(gvisor.Combine(seq>>16, seq&0xffff), category)
					sink = ^gvisor.Checksum(payload, head)
				}},
			)
			_ = sink
		})
	}
}

// TestChecksumAgrees shows that the contenders do the same job.
func TestChecksumAgrees(t *testing.T) {
	data := randomBytes(2048)
	for offset := range 8 {
		for size := range 1500 {
			b := data[offset : offset+size]
			if got, want := checksum.Sum(b), ^gvisor.Checksum(b, 0); got != want {
				t.Fatalf("offset %d, size %d: ferry %#04x, gVisor %#04x", offset, size, got, want)
			}
		}
	}
}

// randomBytes returns n bytes, the same for each n in every run.
func randomBytes(n int) []byte {
	seed := [32]byte{31: byte(n), 30: byte(n >> 8)}
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(seed).Read(b) // never fails
	return b
}
