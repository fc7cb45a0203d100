// Package checksum computes the Internet checksum of RFC 1071: the 16-bit ones'
// complement of the ones' complement sum of a packet's 16-bit words.
//
//	offset    0      1      2      3      4      5      6
//	       +------+------+------+------+------+------+------+ - - -+
//	       |   word 0    |   word 1    |   word 2    | last |   0  |
//	       +------+------+------+------+------+------+------+ - - -+
//
//	sum       word 0 +' word 1 +' word 2 +' last,0    (+': carries come in again at the bottom)
//	checksum  the complement of sum
//
// Words are big-endian. An odd last byte is the upper half of a word whose lower
// half is zero; the zero is counted, not sent.
//
// # Use
//
//	header[2], header[3] = 0, 0 // the field
//	binary.BigEndian.PutUint16(header[2:], checksum.Sum(packet))
//	...
//	if !checksum.Verify(packet) { ... }
//
// Four ways give the same result:
//
//   - [Sum] and [Verify] take a packet that lies in one piece.
//   - [Partial] takes it in pieces, as bytes and as words, of any length: for example the
//     header before a payload, or a pseudo-header that is never sent.
//   - [Update], [UpdateUint16] and [UpdateUint32] change a checksum as a field of the
//     packet changes, without reading the rest of it.
//   - [New] is a [hash.Hash], for code that wants one.
//
// A sender zeroes the checksum field, sums, and stores the result. A receiver calls [Verify] with
// the whole packet, including the field.
//
// # The two zeros
//
// In ones' complement zero has two forms, 0x0000 and 0xffff. They are one number in a
// sum and two in a comparison, so every function here says which one it gives:
//
//   - [Sum], [Partial.Sum] and the hash give 0xffff if the data are all zero bytes, or
//     none, and never otherwise: words with a one bit never add up to 0x0000. If
//     the words of other data add up to zero in its other form, the checksum is 0x0000.
//   - An update of what Sum gave is what Sum would give for the new data, with one
//     exception: where the new data are all zero bytes (the field, and everything around
//     it) and were not before, it is 0x0000. The old checksum and the field alone do not
//     distinguish that case from one in which the rest adds up to zero. No packet with a
//     version, a length or an address in it is ever all zero.
//   - An update that leaves the field's sum as it was gives the checksum it was given, in
//     the form it was given in.
//   - [Verify] accepts either form in a packet that has a one bit anywhere else. It refuses
//     a packet of zero bytes only, checksum included, and an empty one.
//
// UDP keeps 0x0000 for "no checksum" and sends 0xffff in its place (RFC 768). The caller must
// do that, after a sum and after an update. An update takes either form of zero, and its
// result verifies.
//
// # Limits
//
// The data may have any length. No function that sums allocates.
// Functions may be called from any number of goroutines; a Partial or a hash belongs to
// one at a time.
//
// The Internet checksum finds any change of up to fifteen adjacent bits, and misses one
// random change in 65535. It does not find words that change places, or a word of zeros that
// became a word of ones. It guards against accidents, never against an attacker.
//
// # References
//
//   - RFC 1071, Computing the Internet Checksum
//   - RFC 1624, Computation of the Internet Checksum via Incremental Update,
//     which corrects RFC 1141
//   - RFC 768, User Datagram Protocol, for the form of zero that UDP sends
//
// # Choices
//
// Results are complemented, ready for the packet, as RFC 1071 defines the checksum.
// A sum in progress has a separate type, [Partial], so that the two cannot be confused.
//
// A Partial knows whether it has seen an odd number of bytes, so pieces may be cut
// anywhere; RFC 1071, section 2(B), makes that cheap. A caller that needs the zero
// of an odd piece before the next piece calls [Partial.Pad].
//
// Updates follow RFC 1624's equation 3 and not its equation 2 (RFC 1141), which gives
// 0xffff where a fresh sum is 0x0000. They add one rule, the last but one above: equation 3
// alone turns the 0xffff of data that are, and stay, all zero into 0x0000.
//
// Sums are made of 64-bit words with add-with-carry, in plain Go: a ones' complement sum
// of those folds to that of 16-bit words (RFC 1071, section 2(C)). In one chain of such
// additions each waits for the carry of the one before. There are two chains here, which
// restart every 64 bytes, so that a processor has several in flight. docs/benchmarks.md
// has the effect on speed.
package checksum
