package checksum_test

import (
	"testing"

	"github.com/ferrygo/ferry/checksum"
)

// rfc1071 is the data of RFC 1071, section 3; their sum is ddf2.
var rfc1071 = []byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}

const rfc1071Sum = 0xddf2

// TestRFC1071 is the first of the examples, in the normal order of bytes.
func TestRFC1071(t *testing.T) {
	if got, want := checksum.Sum(rfc1071), ^uint16(rfc1071Sum); got != want {
		t.Errorf("Sum(% x) = %#04x, want %#04x", rfc1071, got, want)
	}
}

// TestRFC1071Swapped swaps the bytes of each word, which swaps those of the sum: f2dd.
func TestRFC1071Swapped(t *testing.T) {
	swapped := []byte{0x01, 0x00, 0x03, 0xf2, 0xf5, 0xf4, 0xf7, 0xf6}
	if got, want := checksum.Sum(swapped), ^uint16(0xf2dd); got != want {
		t.Errorf("Sum(% x) = %#04x, want %#04x", swapped, got, want)
	}
}

// TestRFC1071Groups is the second example: three bytes and five, whose sums are f201 and f0eb;
// the latter stands at an odd offset, and is added as ebf0.
func TestRFC1071Groups(t *testing.T) {
	var head, tail checksum.Partial
	head.Add(rfc1071[:3])
	tail.Add(rfc1071[3:])
	if got, want := head.Sum(), ^uint16(0xf201); got != want {
		t.Errorf("first group: Sum = %#04x, want %#04x", got, want)
	}
	if got, want := tail.Sum(), ^uint16(0xf0eb); got != want {
		t.Errorf("second group: Sum = %#04x, want %#04x", got, want)
	}
	head.AddPartial(tail)
	if got, want := head.Sum(), ^uint16(rfc1071Sum); got != want {
		t.Errorf("both: Sum = %#04x, want %#04x", got, want)
	}
}

// TestRFC1071Verify is section 1, rule 3: with the checksum in place the sum is all ones.
func TestRFC1071Verify(t *testing.T) {
	intact := append(rfc1071[:8:8], 0x22, 0x0d) // the complement of ddf2
	if !checksum.Verify(intact) {
		t.Errorf("Verify(% x) = false", intact)
	}
}
