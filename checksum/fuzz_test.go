package checksum_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/ferrygo/ferry/checksum"
)

// FuzzSum takes data in one piece and in pieces, of the lengths that cuts gives, and wants
// all ways to agree with math/big.
func FuzzSum(f *testing.F) {
	f.Add(rfc1071, []byte{3})
	f.Add([]byte{}, []byte{})
	f.Add(bytes.Repeat([]byte{0xff}, 131), []byte{1, 64, 0, 65})
	f.Fuzz(func(t *testing.T, data, cuts []byte) {
		want := oracle(data)
		if got := checksum.Sum(data); got != want {
			t.Errorf("Sum = %#04x, want %#04x", got, want)
		}
		var p, q checksum.Partial
		h := checksum.New()
		for rest := data; len(rest) > 0; {
			n := len(rest)
			if len(cuts) > 0 {
				n = min(n, int(cuts[0]))
				cuts = cuts[1:]
			}
			p.Add(rest[:n])
			q.AddPartial(partial(rest[:n]))
			_, _ = h.Write(rest[:n])
			rest = rest[n:]
		}
		if p.Sum() != want || q.Sum() != want || sumOf(h) != want {
			t.Errorf("in pieces: Add %#04x, AddPartial %#04x, Write %#04x, want %#04x", p.Sum(), q.Sum(), sumOf(h), want)
		}
		p.Pad()
		p.AddUint16(want)
		if !p.Verify() {
			t.Error("does not verify with its own checksum")
		}
	})
}

// FuzzUpdate replaces bytes anywhere in a packet, and wants what a fresh sum gives.
func FuzzUpdate(f *testing.F) {
	f.Add([]byte{0xcd, 0x7a, 0x55, 0x55}, uint16(2), []byte{0x32, 0x85})
	f.Add([]byte{0, 0, 1}, uint16(1), []byte{0, 0})
	f.Add([]byte{0xff, 0xff, 0xff}, uint16(0), []byte{0, 0, 0})
	f.Fuzz(func(t *testing.T, packet []byte, at uint16, field []byte) {
		from := min(int(at), len(packet))
		to := min(from+len(field), len(packet))
		field = field[:to-from]
		changed := slices.Replace(slices.Clone(packet), from, to, field...)
		want := checksum.Sum(changed)
		if want == 0xffff && !bytes.Equal(packet, changed) {
			want = 0 // all zero now, and not before: the documented exception
		}
		if got := checksum.Update(checksum.Sum(packet), from, packet[from:to], field); got != want {
			t.Errorf("Update = %#04x, want %#04x", got, want)
		}
	})
}

// FuzzHashState restores hashes from anything, and wants either an error or a state that
// is saved as it was read.
func FuzzHashState(f *testing.F) {
	for _, n := range []int{0, 3, 8} {
		state, err := hashOf(rfc1071[:n]).MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(state)
	}
	f.Fuzz(func(t *testing.T, saved []byte) {
		h := hashOf(nil)
		if h.UnmarshalBinary(saved) != nil {
			return
		}
		again, err := h.MarshalBinary()
		if err != nil || !bytes.Equal(saved, again) {
			t.Errorf("read %x, saved again as %x, error %v", saved, again, err)
		}
	})
}
