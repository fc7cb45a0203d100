package checksum_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/ferrygo/ferry/checksum"
)

// TestUpdate replaces every range of packets of even and of odd length.
func TestUpdate(t *testing.T) {
	for _, size := range []int{1, 2, 24, 25} {
		packet := randomBytes(size)
		sum := checksum.Sum(packet)
		for from := range size + 1 {
			for to := from; to <= size; to++ {
				field := randomBytes(200 + to - from)[200:]
				want := oracle(slices.Replace(slices.Clone(packet), from, to, field...))
				if got := checksum.Update(sum, from, packet[from:to], field); got != want {
					t.Fatalf("size %d, bytes %d to %d: Update = %#04x, want %#04x", size, from, to, got, want)
				}
			}
		}
	}
}

// TestUpdateWords writes two- and four-byte fields at every offset.
func TestUpdateWords(t *testing.T) {
	packet := randomBytes(33)
	sum := checksum.Sum(packet)
	for offset := range len(packet) - 3 {
		for _, v := range []uint32{0, 1, 0xffff, 0x10000, 0x80007fff, 0xfffeffff, 1<<32 - 1} {
			changed := slices.Clone(packet)
			binary.BigEndian.PutUint32(changed[offset:], v)
			old := binary.BigEndian.Uint32(packet[offset:])
			if got, want := checksum.UpdateUint32(sum, offset, old, v), oracle(changed); got != want {
				t.Errorf("UpdateUint32 to %#x at %d = %#04x, want %#04x", v, offset, got, want)
			}

			changed = slices.Clone(packet)
			binary.BigEndian.PutUint16(changed[offset:], uint16(v))
			if got, want := checksum.UpdateUint16(sum, offset, uint16(old>>16), uint16(v)), oracle(changed); got != want {
				t.Errorf("UpdateUint16 to %#x at %d = %#04x, want %#04x", uint16(v), offset, got, want)
			}
		}
	}
}

// TestUpdateLength puts in and takes out bytes: an even number anywhere, any number at the end.
func TestUpdateLength(t *testing.T) {
	for _, size := range []int{20, 21} {
		packet := randomBytes(size)
		sum := checksum.Sum(packet)
		for from := range size + 1 {
			for length := range 9 {
				field := randomBytes(300 + length)[300:]
				for to := from; to <= size; to++ {
					if to < size && (length-(to-from))%2 != 0 {
						continue // what follows would change places within its words
					}
					if size-(to-from)+length == 0 {
						continue // nothing is left: the exception of zero_test.go
					}
					want := oracle(slices.Replace(slices.Clone(packet), from, to, field...))
					if got := checksum.Update(sum, from, packet[from:to], field); got != want {
						t.Fatalf("size %d, bytes %d to %d become %d: Update = %#04x, want %#04x",
							size, from, to, length, got, want)
					}
				}
			}
		}
	}
}
