package checksum_test

import (
	"encoding/binary"
	"testing"

	"github.com/ferrygo/ferry/checksum"
)

// partial returns the sum of the given pieces, one Add each.
func partial(pieces ...[]byte) checksum.Partial {
	var p checksum.Partial
	for _, b := range pieces {
		p.Add(b)
	}
	return p
}

// joined returns the sum of the given Partials, one behind the other.
func joined(parts ...checksum.Partial) checksum.Partial {
	var p checksum.Partial
	for _, q := range parts {
		p.AddPartial(q)
	}
	return p
}

// TestPartialTwoPieces cuts buffers of odd and even length at every place.
func TestPartialTwoPieces(t *testing.T) {
	for _, size := range []int{0, 1, 2, 7, 8, 63, 64, 65, 130, 255, 256, 1024, 1025} {
		b := randomBytes(size)
		want := oracle(b)
		for cut := range size + 1 {
			head, tail := b[:cut], b[cut:]
			if got := partial(head, tail).Sum(); got != want {
				t.Fatalf("size %d cut at %d: Sum = %#04x, want %#04x", size, cut, got, want)
			}
			if got := joined(partial(head), partial(tail)).Sum(); got != want {
				t.Fatalf("size %d cut at %d: Sum of two Partials = %#04x, want %#04x", size, cut, got, want)
			}
		}
	}
}

// TestPartialThreePieces does so twice, and joins what results from the left and from the right.
func TestPartialThreePieces(t *testing.T) {
	for size := range 36 {
		b := randomBytes(size)
		want := oracle(b)
		for i := range size + 1 {
			for j := i; j <= size; j++ {
				x, y, z := partial(b[:i]), partial(b[i:j]), partial(b[j:])
				for name, p := range map[string]checksum.Partial{
					"Add":        partial(b[:i], b[i:j], b[j:]),
					"one by one": joined(x, y, z),
					"(x+y)+z":    joined(joined(x, y), z),
					"x+(y+z)":    joined(x, joined(y, z)),
				} {
					if got := p.Sum(); got != want {
						t.Fatalf("size %d cut at %d and %d, %s: Sum = %#04x, want %#04x", size, i, j, name, got, want)
					}
				}
			}
		}
	}
}

// TestPartialByteByByte is the most cuts there can be.
func TestPartialByteByByte(t *testing.T) {
	b := randomBytes(1025)
	var p checksum.Partial
	for i := range b {
		if got, want := p.Sum(), oracle(b[:i]); got != want {
			t.Fatalf("after %d bytes: Sum = %#04x, want %#04x", i, got, want)
		}
		p.Add(b[i : i+1])
	}
}

// TestPartialWords adds words behind even and odd numbers of bytes: they count as their bytes do.
func TestPartialWords(t *testing.T) {
	tail := randomBytes(5)
	for _, v := range []uint64{0, 1, 0xff, 0x0102030405060708, 0x8000000000000001, 0xffff0000fffe0001, 1<<64 - 1} {
		for odd := range 4 {
			head := randomBytes(odd)
			for name, c := range map[string]struct {
				add   func(*checksum.Partial)
				bytes []byte
			}{
				"AddUint16": {func(p *checksum.Partial) { p.AddUint16(uint16(v)) }, binary.BigEndian.AppendUint16(nil, uint16(v))},
				"AddUint32": {func(p *checksum.Partial) { p.AddUint32(uint32(v)) }, binary.BigEndian.AppendUint32(nil, uint32(v))},
				"AddUint64": {func(p *checksum.Partial) { p.AddUint64(v) }, binary.BigEndian.AppendUint64(nil, v)},
			} {
				p := partial(head)
				c.add(&p)
				p.Add(tail)
				if got, want := p.Sum(), partial(head, c.bytes, tail).Sum(); got != want {
					t.Errorf("%s(%#x) behind %d bytes: Sum = %#04x, want %#04x", name, v, odd, got, want)
				}
			}
		}
	}
}

// TestPartialPad: behind an odd number of bytes it is a zero byte, behind an even one nothing.
func TestPartialPad(t *testing.T) {
	tail := randomBytes(9)
	for size := range 20 {
		b := randomBytes(size)
		p := partial(b)
		p.Pad()
		p.Pad() // once is enough
		p.Add(tail)
		want := partial(b, tail).Sum()
		if size%2 != 0 {
			want = partial(b, []byte{0}, tail).Sum()
		}
		if got := p.Sum(); got != want {
			t.Errorf("%d bytes, Pad, %d bytes: Sum = %#04x, want %#04x", size, len(tail), got, want)
		}
	}
}

// TestPartialCopy: a copy goes its own way, and Sum changes nothing.
func TestPartialCopy(t *testing.T) {
	p := partial([]byte{1, 2, 3})
	q := p
	q.Add([]byte{4, 5})
	for range 2 {
		if got, want := p.Sum(), oracle([]byte{1, 2, 3}); got != want {
			t.Errorf("Sum = %#04x, want %#04x", got, want)
		}
		if got, want := q.Sum(), oracle([]byte{1, 2, 3, 4, 5}); got != want {
			t.Errorf("Sum of the copy = %#04x, want %#04x", got, want)
		}
	}
}

// TestPartialVerify sums a packet with its checksum, wherever that stands.
func TestPartialVerify(t *testing.T) {
	for size := range 67 {
		b := randomBytes(size)
		sum := checksum.Sum(b)

		var before checksum.Partial
		before.AddUint16(sum)
		before.Add(b)
		after := partial(b)
		after.Pad()
		after.AddUint16(sum)
		if !before.Verify() || !after.Verify() {
			t.Errorf("size %d: intact packet refused", size)
		}

		before.AddUint16(1)
		if before.Verify() {
			t.Errorf("size %d: changed packet accepted", size)
		}
	}
}
