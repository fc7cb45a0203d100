package pcapng

import (
	"encoding/binary"
	"net/netip"
	"testing"
)

// TestChecksumZero: a UDP checksum that comes out as 0 is sent as 0xffff,
// because 0 would say that there is none (RFC 768).
func TestChecksumZero(t *testing.T) {
	from, to := netip.MustParseAddrPort("10.0.0.1:1"), netip.MustParseAddrPort("10.0.0.2:2")
	payload := make([]byte, 2)
	plain := binary.BigEndian.Uint16(appendUDP(nil, from, to, payload)[6:])
	// One's complement: a word that is the sum's complement makes that 0xffff.
	binary.BigEndian.PutUint16(payload, plain)
	if got := binary.BigEndian.Uint16(appendUDP(nil, from, to, payload)[6:]); got != 0xffff {
		t.Errorf("the checksum is %#04x, want 0xffff", got)
	}
}
