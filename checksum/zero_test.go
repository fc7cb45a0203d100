package checksum_test

import (
	"encoding/binary"
	"flag"
	"runtime"
	"sync"
	"testing"

	"github.com/ferrygo/ferry/checksum"
)

// exhaustive asks for all pairs of old and new values, which takes a minute.
var exhaustive = flag.Bool("exhaustive", false, "update every 16-bit value to every other")

// edges are the values at which carries and the two zeros are decided.
var edges = []uint16{
	0x0000, 0x0001, 0x00fe, 0x00ff, 0x0100, 0x5555, 0x7fff, 0x8000,
	0x8001, 0xaaaa, 0xfeff, 0xff00, 0xff01, 0xfffe, 0xffff,
}

// wordSum is the checksum of the words a and b, from the definition alone.
func wordSum(a, b uint16) uint16 {
	sum := uint32(a) + uint32(b)
	return ^uint16(sum + sum>>16)
}

// TestSumOfZeros: the sum of zero bytes is +0, so its checksum is 0xffff, at any length.
func TestSumOfZeros(t *testing.T) {
	for size := range 1026 {
		zeros := make([]byte, size)
		if got := checksum.Sum(zeros); got != 0xffff {
			t.Fatalf("Sum of %d zero bytes = %#04x, want 0xffff", size, got)
		}
		if checksum.Verify(zeros) {
			t.Fatalf("Verify accepts %d zero bytes", size)
		}
	}
	var p checksum.Partial
	if got := p.Sum(); got != 0xffff {
		t.Errorf("Sum of the zero Partial = %#04x, want 0xffff", got)
	}
	if p.Verify() {
		t.Error("Verify accepts the zero Partial")
	}
}

// TestSumOfOthers takes every word a and its complement: their sum is -0, the checksum 0x0000. No
// single word other than zero has the checksum 0xffff.
func TestSumOfOthers(t *testing.T) {
	for i := range 1 << 16 {
		a := uint16(i)
		pair := [4]byte{byte(a >> 8), byte(a), byte(^a >> 8), byte(^a)}
		if got := checksum.Sum(pair[:]); got != 0 {
			t.Fatalf("Sum(%x) = %#04x, want 0", pair, got)
		}
		if got := checksum.Sum(pair[:2]); got != ^a {
			t.Fatalf("Sum(%x) = %#04x, want %#04x", pair[:2], got, ^a)
		}
	}
}

// TestVerifyZeros: in a packet with a one bit anywhere else, both forms of zero are good.
func TestVerifyZeros(t *testing.T) {
	for i := 1; i < 1<<16; i++ {
		a := uint16(i)
		packet := [6]byte{byte(a >> 8), byte(a), byte(^a >> 8), byte(^a)}
		if !checksum.Verify(packet[:]) {
			t.Fatalf("Verify refuses %x", packet)
		}
		packet[4], packet[5] = 0xff, 0xff
		if !checksum.Verify(packet[:]) {
			t.Fatalf("Verify refuses %x", packet)
		}
	}
	if !checksum.Verify([]byte{0, 0, 0, 0, 0xff, 0xff}) {
		t.Error("Verify refuses zeros with their checksum")
	}
}

// TestUpdateUint16Zeros takes every value of each of three words (the old field, the new field
// and the sum of the rest of the packet) against the edges of the other two.
func TestUpdateUint16Zeros(t *testing.T) {
	for i := 0; i < 1<<16; i += stride {
		all := uint16(i)
		for _, a := range edges {
			for _, b := range edges {
				checkUpdateUint16(t, all, a, b)
				checkUpdateUint16(t, a, all, b)
				checkUpdateUint16(t, a, b, all)
			}
		}
		if t.Failed() {
			return
		}
	}
}

// TestUpdateUint16Exhaustive takes all of old and new, each pair for one of three rests: +0, -0
// and neither.
func TestUpdateUint16Exhaustive(t *testing.T) {
	if !*exhaustive {
		t.Skip("a minute long; -exhaustive runs it")
	}
	rests := [...]uint16{0x0000, 0xffff, 0x1234}
	workers := runtime.GOMAXPROCS(0)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for old := w; old < 1<<16 && !t.Failed(); old += workers {
				for new := range 1 << 16 {
					checkUpdateUint16(t, rests[(old+new)%len(rests)], uint16(old), uint16(new))
				}
			}
		})
	}
	wg.Wait()
}

// checkUpdateUint16 compares an update with a fresh sum, for a field that is one word of a packet,
// and for one that lies across two: the same sums with their bytes swapped.
func checkUpdateUint16(t *testing.T, rest, old, new uint16) {
	want := wordSum(rest, new)
	if rest == 0 && new == 0 && old != 0 {
		want = 0x0000 // the one exception, as documented
	}
	sum := wordSum(rest, old)
	if got := checksum.UpdateUint16(sum, 0, old, new); got != want {
		t.Errorf("rest %#04x: UpdateUint16(%#04x, 0, %#04x, %#04x) = %#04x, want %#04x", rest, sum, old, new, got, want)
	}
	if got := checksum.UpdateUint16(swap(sum), 1, old, new); got != swap(want) {
		t.Errorf("rest %#04x: UpdateUint16(%#04x, 1, %#04x, %#04x) = %#04x, want %#04x",
			rest, swap(sum), old, new, got, swap(want))
	}
}

func swap(v uint16) uint16 { return v<<8 | v>>8 }

// TestUpdateUnchanged: what changes nothing gives back what it was given, in either form, though
// equation 3 alone would not.
func TestUpdateUnchanged(t *testing.T) {
	for sum := range 1 << 16 {
		for _, m := range edges {
			if got := checksum.UpdateUint16(uint16(sum), sum%2, m, m); got != uint16(sum) {
				t.Fatalf("UpdateUint16(%#04x, %d, %#04x, %#04x) = %#04x", sum, sum%2, m, m, got)
			}
		}
	}
	old, new := []byte{1, 2, 3, 4}, []byte{3, 4, 1, 2} // the same sum
	for _, sum := range []uint16{0x0000, 0xffff} {
		if got := checksum.Update(sum, 0, old, new); got != sum {
			t.Errorf("Update(%#04x) with words that change places = %#04x", sum, got)
		}
	}
}

// TestUpdateUDP follows packets whose checksum is zero and was sent as UDP sends it, 0xffff: every
// field, updated from there, leaves a packet that verifies.
func TestUpdateUDP(t *testing.T) {
	for i := range 1 << 16 {
		for _, new := range edges {
			old := uint16(i)
			sum := checksum.UpdateUint16(0xffff, 0, old, new)
			var packet [6]byte
			binary.BigEndian.PutUint16(packet[0:], new)
			binary.BigEndian.PutUint16(packet[2:], ^old) // the rest: with old it adds up to zero
			binary.BigEndian.PutUint16(packet[4:], sum)
			if new|^old != 0 && !checksum.Verify(packet[:]) {
				t.Fatalf("from %#04x to %#04x: 0xffff becomes %#04x, which does not verify", old, new, sum)
			}
		}
	}
}
