package checksum

import "math/bits"

// A Partial is the sum of the first part of a packet. Bytes, words and other Partials
// are put behind what it has so far; [Partial.Sum] gives the checksum at any time.
//
// The zero value is the sum of nothing and ready for use. A Partial is a plain value: a
// copy goes its own way, which makes a sum shared by many packets (a payload sent to several
// receivers, a pseudo-header) something to compute once. Two of the same data need not be ==.
//
// Pieces may have any length. A piece that follows an odd number of bytes begins in the
// lower half of a word, and is summed so.
type Partial struct {
	sum uint64 // of big-endian words, modulo 2^64-1; zero only if all bytes were
	odd bool   // an odd number of bytes so far
}

// Add appends the bytes of b. It keeps no reference to b.
func (p *Partial) Add(b []byte) {
	p.add(sumWords(b))
	p.odd = p.odd != (len(b)&1 != 0)
}

// AddUint16 appends v as two bytes, big-endian.
func (p *Partial) AddUint16(v uint16) { p.add(uint64(v)) }

// AddUint32 appends v as four bytes, big-endian.
func (p *Partial) AddUint32(v uint32) { p.add(uint64(v)) }

// AddUint64 appends v as eight bytes, big-endian.
func (p *Partial) AddUint64(v uint64) { p.add(v) }

// AddPartial appends the data that q is the sum of.
func (p *Partial) AddPartial(q Partial) {
	p.add(q.sum)
	p.odd = p.odd != q.odd
}

// Pad appends a zero byte if the number of bytes so far is odd, and nothing otherwise. What
// follows then begins with a word of its own, as behind a payload padded for the sum.
func (p *Partial) Pad() { p.odd = false }

// Sum returns the checksum of the data so far, as the function [Sum] would: 0xffff if
// there are none or they are all zero bytes, and never 0xffff otherwise. The Partial stays
// as it is, and more may be added.
func (p Partial) Sum() uint16 { return ^fold(p.sum) }

// Verify reports whether the data so far, their checksum among them, are intact, as the
// function [Verify] would. The checksum may be added out of its place, by
// [Partial.AddUint16]: any even offset is as good as any other.
func (p Partial) Verify() bool { return fold(p.sum) == 0xffff }

// add appends words with the sum s. Behind an odd number of bytes each byte belongs one
// place further down, which is a rotation of the whole sum (RFC 1071, section 2(B)).
func (p *Partial) add(s uint64) {
	if p.odd {
		s = bits.RotateLeft64(s, 8)
	}
	p.sum = add(p.sum, s)
}
