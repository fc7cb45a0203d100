package checksum

import "math/bits"

// Update returns the checksum of a packet in which the bytes old, at the given offset from
// where the sum begins, are replaced by new; sum is the checksum before that
// (RFC 1624, equation 3). Only whether offset is even matters, and old and new may begin and
// end in the middle of a word.
//
// The result is what [Sum] would give for the new packet, with one exception: it is 0x0000
// instead of 0xffff if all of the packet is zero now and was not before. If old and new have
// the same sum, the result is sum itself. See the package's section on the two zeros.
//
// new may be longer or shorter than old by an even number of bytes: the bytes after them
// keep their places within words. It may differ by an odd number only if
// nothing follows.
func Update(sum uint16, offset int, old, new []byte) uint16 {
	return update(sum, offset, fold(sumWords(0, old)), fold(sumWords(0, new)))
}

// UpdateUint16 is [Update] for a field of two bytes, big-endian.
func UpdateUint16(sum uint16, offset int, old, new uint16) uint16 {
	return update(sum, offset, old, new)
}

// UpdateUint32 is [Update] for a field of four bytes, big-endian.
func UpdateUint32(sum uint16, offset int, old, new uint32) uint16 {
	return update(sum, offset, fold(uint64(old)), fold(uint64(new)))
}

// update replaces the folded sum m, at the given offset, by n: HC' = ~(~HC + ~m + m').
func update(sum uint16, offset int, m, n uint16) uint16 {
	if m == n {
		return sum // in the form that it has; the equation would always give 0x0000 for zero
	}
	if offset&1 != 0 {
		m, n = bits.ReverseBytes16(m), bits.ReverseBytes16(n)
	}
	return ^fold(uint64(^sum) + uint64(^m) + uint64(n))
}
