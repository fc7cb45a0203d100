package chord

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"math/bits"
	"net/netip"
)

// Bits is the length of an identifier, that of a SHA-1 digest.
const Bits = 160

// An ID is a place on the identifier circle, modulo 2^160, big-endian.
type ID [Bits / 8]byte

// HashName returns the identifier of a file name: its SHA-1. SHA-1 only spreads names over the
// circle here; the fetched bytes are verified by SHA-256.
func HashName(name string) ID { return sha1.Sum([]byte(name)) }

// HashAddr returns the identifier of a node: the SHA-1 of its address and port as text, such as
// 10.0.0.2:7777 ("nodes are assigned unique IDs by hashing their IP address": CEN 502 project
// 2, part I, 3.3). A node therefore cannot choose its place.
func HashAddr(addr netip.AddrPort) ID {
	addr = netip.AddrPortFrom(addr.Addr().Unmap().WithZone(""), addr.Port())
	var text [64]byte
	return sha1.Sum(addr.AppendTo(text[:0]))
}

// String returns the identifier in hexadecimal.
func (a ID) String() string { return hex.EncodeToString(a[:]) }

// Compare compares two identifiers as numbers.
func Compare(a, b ID) int { return bytes.Compare(a[:], b[:]) }

// between reports whether x lies strictly between a and b, clockwise. If a and b are the same,
// that is everything else.
func between(a, x, b ID) bool {
	after, before := Compare(a, x) < 0, Compare(x, b) < 0
	if Compare(a, b) < 0 {
		return after && before
	}
	return after || before
}

// upTo reports whether x lies between a, not included, and b, included.
func upTo(a, x, b ID) bool { return x == b || between(a, x, b) }

// distance is how far b is from a, clockwise.
func distance(a, b ID) (d ID) {
	borrow := 0
	for i := len(d) - 1; i >= 0; i-- {
		v := int(b[i]) - int(a[i]) - borrow
		borrow = 0
		if v < 0 {
			v, borrow = v+256, 1
		}
		d[i] = byte(v)
	}
	return d
}

// Start is a + 2^bit: where the interval of a finger begins.
func Start(a ID, bit int) ID {
	carry := 1 << (bit % 8)
	for i := len(a) - 1 - bit/8; i >= 0 && carry > 0; i-- {
		v := int(a[i]) + carry
		a[i], carry = byte(v), v>>8
	}
	return a
}

// topBit is the highest bit that is set in d, or -1.
func topBit(d ID) int {
	for i, v := range d {
		if v != 0 {
			return Bits - 1 - 8*i - bits.LeadingZeros8(v)
		}
	}
	return -1
}

// closer reports whether a lies closer before key than b does.
func closer(key, a, b ID) bool {
	return Compare(distance(a, key), distance(b, key)) < 0
}
