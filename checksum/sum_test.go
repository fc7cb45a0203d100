package checksum_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/ferrygo/ferry/checksum"
)

// TestSum compares with math/big at every length up to beyond sixteen turns of the loop and
// at every alignment. What lies around the slice is not zero, so a byte too many shows.
func TestSum(t *testing.T) {
	const maxOffset, maxSize = 7, 1025
	buffers := map[string][]byte{
		"random": randomBytes(maxOffset + maxSize + 8),
		"ones":   bytes.Repeat([]byte{0xff}, maxOffset+maxSize+8),
		"carry":  bytes.Repeat([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0x80}, 120),
	}
	for name, buffer := range buffers {
		before := bytes.Clone(buffer)
		for offset := range maxOffset + 1 {
			for size := range maxSize + 1 {
				b := buffer[offset : offset+size]
				if got, want := checksum.Sum(b), oracle(b); got != want {
					t.Fatalf("%s, offset %d, size %d: Sum = %#04x, want %#04x", name, offset, size, got, want)
				}
			}
		}
		if !bytes.Equal(buffer, before) {
			t.Errorf("%s: Sum has changed what it summed", name)
		}
	}
}

// TestSumEveryPosition puts one byte everywhere in turn: none is missed or counted twice.
func TestSumEveryPosition(t *testing.T) {
	for size := range 200 {
		b := make([]byte, size)
		for i := range b {
			b[i] = 0xa5
			want := ^uint16(0xa500)
			if i%2 != 0 {
				want = ^uint16(0x00a5)
			}
			if got := checksum.Sum(b); got != want {
				t.Fatalf("size %d, byte %d: Sum = %#04x, want %#04x", size, i, got, want)
			}
			b[i] = 0
		}
	}
}

// TestSumLong sums more than carries of one chain could hide in.
func TestSumLong(t *testing.T) {
	for _, size := range []int{65535, 65536, 1 << 20, 1<<20 + 7} {
		b := randomBytes(size)
		if got, want := checksum.Sum(b), oracle(b); got != want {
			t.Errorf("size %d: Sum = %#04x, want %#04x", size, got, want)
		}
	}
}

// TestVerify stores a checksum at every even place of packets of many lengths, and then
// turns over each bit in turn.
func TestVerify(t *testing.T) {
	for size := 2; size < 80; size++ {
		for field := 0; field+checksum.Size <= size; field += 2 {
			packet := randomBytes(size)
			binary.BigEndian.PutUint16(packet[field:], 0)
			binary.BigEndian.PutUint16(packet[field:], checksum.Sum(packet))
			if !checksum.Verify(packet) {
				t.Fatalf("size %d, checksum at %d: intact packet refused", size, field)
			}
			if bit := flipUnseen(packet); bit >= 0 {
				t.Fatalf("size %d, checksum at %d: bit %d turned over and not seen", size, field, bit)
			}
		}
	}
}

// flipUnseen returns the first bit that can be turned over without Verify seeing it, or -1.
func flipUnseen(packet []byte) int {
	for bit := range 8 * len(packet) {
		packet[bit/8] ^= 1 << (bit % 8)
		seen := !checksum.Verify(packet)
		packet[bit/8] ^= 1 << (bit % 8)
		if !seen {
			return bit
		}
	}
	return -1
}

// TestBursts shows what the package comment says that a checksum finds: changes within any
// fifteen adjacent bits, but of sixteen not all.
func TestBursts(t *testing.T) {
	packet := randomBytes(6)
	sum := checksum.Sum(packet)
	for start := range 8*len(packet) - 15 {
		for pattern := range uint32(1) << 15 {
			if pattern != 0 && checksum.Sum(changed(packet, start, pattern)) == sum {
				t.Fatalf("change %#x at bit %d not seen", pattern, start)
			}
		}
	}
	zeros := []byte{1, 2, 0x00, 0x00}
	if ones := changed(zeros, 16, 0xffff); checksum.Sum(ones) != checksum.Sum(zeros) {
		t.Error("a word of zeros that becomes one of ones is seen: the package comment says otherwise")
	}
}

// changed returns packet with the bits of pattern turned over, the lowest one at bit start.
func changed(packet []byte, start int, pattern uint32) []byte {
	var c [16]byte
	b := c[:copy(c[:], packet)]
	for i := range 16 {
		bit := start + i
		if pattern>>i&1 != 0 {
			b[bit/8] ^= 0x80 >> (bit % 8)
		}
	}
	return b
}
