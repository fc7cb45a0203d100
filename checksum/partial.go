package checksum

import "math/bits"

// A Partial is the sum of the first part of a packet. Bytes, words and other Partials
// are put behind what it has so far; [Partial.Sum] gives the checksum at any time.
//
// The zero value is the sum of nothing and ready for use. A Partial is a plain value, and a
// copy is independent: a sum that many packets share (a payload sent to several
// receivers, a pseudo-header) is computed once. Two Partials of the same data need not be ==.
//
// Pieces may have any length. A piece that follows an odd number of bytes begins in the
// lower half of a word, and is summed there.
type Partial struct {
	// sum is the sum of big-endian words, modulo 2^64-1, and zero only if all bytes are. Words
	// are aligned so that the next byte begins a word: appended data are simply added. After
	// an odd piece everything before it moves by one byte, which is a rotation of the
	// sum (RFC 1071, section 2(B)); a move by an even number of bytes changes nothing.
	sum uint64

	// parity is odd if the number of bytes so far is; nothing else about it matters.
	parity int
}

// Add appends the bytes of b. It keeps no reference to b.
func (p *Partial) Add(b []byte) {
	p.sum = bits.RotateLeft64(sumWords(p.sum, b), 8*len(b)) // shift, by hand: so Add is inlined
	p.parity ^= len(b)
}

// AddUint16 appends v as two bytes, big-endian.
func (p *Partial) AddUint16(v uint16) { p.sum = add(p.sum, uint64(v)) }

// AddUint32 appends v as four bytes, big-endian.
func (p *Partial) AddUint32(v uint32) { p.sum = add(p.sum, uint64(v)) }

// AddUint64 appends v as eight bytes, big-endian.
func (p *Partial) AddUint64(v uint64) { p.sum = add(p.sum, v) }

// AddPartial appends the data that q is the sum of.
func (p *Partial) AddPartial(q Partial) {
	p.sum = add(shift(p.sum, q.parity), q.sum)
	p.parity ^= q.parity
}

// Pad appends a zero byte if the number of bytes so far is odd, and nothing otherwise. The
// next byte then begins a word, as it does after a payload that is padded for the sum.
func (p *Partial) Pad() {
	p.sum = shift(p.sum, p.parity)
	p.parity = 0
}

// Sum returns the checksum of the data so far, as the function [Sum] would: 0xffff if
// there are none or they are all zero bytes, and never 0xffff otherwise. The Partial does not
// change, and more may be added.
func (p Partial) Sum() uint16 { return ^p.fold() }

// Verify reports whether the data so far, their checksum among them, are intact, as the
// function [Verify] would. The checksum may be added at another place, by
// [Partial.AddUint16]: every even offset gives the same sum.
func (p Partial) Verify() bool { return p.fold() == 0xffff }

// fold returns the sum, not complemented, with words counted from the first byte.
func (p Partial) fold() uint16 { return fold(shift(p.sum, p.parity)) }

// shift moves the bytes that s is the sum of by n places.
func shift(s uint64, n int) uint64 { return bits.RotateLeft64(s, 8*n) }
