package checksum

import "math/bits"

// Size is the length of a checksum in bytes.
const Size = 2

// Sum returns the Internet checksum of b: the complement of the ones' complement sum
// of its big-endian 16-bit words (RFC 1071, section 1). An odd last byte counts as the upper
// half of a word. A checksum field inside b must be zero.
//
// The result is 0xffff if b is empty or holds zero bytes only, and is never 0xffff otherwise.
func Sum(b []byte) uint16 {
	return ^fold(sumWords(0, b))
}

// Verify reports whether b, with its checksum in place, is intact: whether all words
// together add up to 0xffff (RFC 1071, section 1, rule 3).
//
// Either form of zero in the checksum field is accepted. Verify is false for an empty b and for
// zero bytes only: no checksum of data is part of that, since the checksum of zeros is 0xffff.
// In a b of odd length the checksum field must still be at an even offset.
func Verify(b []byte) bool {
	return fold(sumWords(0, b)) == 0xffff
}

// fold reduces a ones' complement sum modulo 2^64-1 to one modulo 2^16-1. The result is zero
// only if s is: adding the halves crosswise carries the overflow of each into the other,
// and the upper half is then their sum with its carry back in.
func fold(s uint64) uint16 {
	s += bits.RotateLeft64(s, 32)
	t := uint32(s >> 32)
	t += bits.RotateLeft32(t, 16)
	return uint16(t >> 16)
}
