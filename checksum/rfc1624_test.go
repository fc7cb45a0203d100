package checksum_test

import (
	"testing"

	"github.com/ferrygo/ferry/checksum"
)

// TestRFC1624 is the example of RFC 1624, section 4: a field 5555 becomes 3285 in a header
// whose other words add up to cd7a. A fresh sum gives 0000; equation 2 would give ffff.
func TestRFC1624(t *testing.T) {
	const rest, old, new = 0xcd7a, 0x5555, 0x3285
	before := []byte{rest >> 8, rest & 0xff, old >> 8, old & 0xff}
	after := []byte{rest >> 8, rest & 0xff, new >> 8, new & 0xff}
	if got := checksum.Sum(before); got != 0xdd2f {
		t.Errorf("Sum before = %#04x, want 0xdd2f", got)
	}
	if got := checksum.Sum(after); got != 0x0000 {
		t.Errorf("Sum after = %#04x, want 0x0000", got)
	}
	if got := checksum.UpdateUint16(0xdd2f, 2, old, new); got != 0x0000 {
		t.Errorf("UpdateUint16 = %#04x, want 0x0000", got)
	}
	if got := checksum.Update(0xdd2f, 2, before[2:], after[2:]); got != 0x0000 {
		t.Errorf("Update = %#04x, want 0x0000", got)
	}
}
