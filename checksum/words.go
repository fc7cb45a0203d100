package checksum

import (
	"encoding/binary"
	"math/bits"
)

// sumWords returns the ones' complement sum, modulo 2^64-1, of start and of b as big-endian
// 64-bit words, the last one filled up with zero bytes. It is zero only if all of that is.
//
// The words are loaded as little-endian ones, and the bytes of their sum reversed: as carries
// go round, reversing the bytes of each word reverses those of the sum and does no
// more (RFC 1071, section 2(B)).
//
// Three things keep the loop short. Its condition leaves up to 64 bytes over, and each slice
// expression states a capacity that is the length: the compiler then knows that a pointer
// behind what was taken is still inside b, and moves it without a mask. And what add32 does
// is written out, since an inlined call would leave a no-op behind.
func sumWords(start uint64, b []byte) uint64 {
	s, t := bits.ReverseBytes64(start), uint64(0) // the two chains
	for len(b) > 64 {
		v, c := bits.Add64(binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]), 0)
		v, c = bits.Add64(v, binary.LittleEndian.Uint64(b[16:]), c)
		v, c = bits.Add64(v, binary.LittleEndian.Uint64(b[24:]), c)
		s, c = bits.Add64(s, v, c)
		s, _ = bits.Add64(s, 0, c)

		w, d := bits.Add64(binary.LittleEndian.Uint64(b[32:]), binary.LittleEndian.Uint64(b[40:]), 0)
		w, d = bits.Add64(w, binary.LittleEndian.Uint64(b[48:]), d)
		w, d = bits.Add64(w, binary.LittleEndian.Uint64(b[56:]), d)
		t, d = bits.Add64(t, w, d)
		t, _ = bits.Add64(t, 0, d)

		b = b[64:len(b):len(b)]
	}
	if len(b) == 64 {
		s = add32(s, (*[32]byte)(b))
		t = add32(t, (*[32]byte)(b[32:]))
		return bits.ReverseBytes64(add(s, t))
	}
	if len(b) > 32 {
		s = add32(s, (*[32]byte)(b))
		b = b[32:len(b):len(b)]
	}
	if len(b) > 16 {
		s = add(s, binary.LittleEndian.Uint64(b))
		t = add(t, binary.LittleEndian.Uint64(b[8:]))
		b = b[16:len(b):len(b)]
	}
	if len(b) > 8 {
		s = add(s, binary.LittleEndian.Uint64(b))
		b = b[8:len(b):len(b)]
	}
	return bits.ReverseBytes64(add(s, add(t, last(b))))
}

// add returns the ones' complement sum of s and w modulo 2^64-1: the carry out of the top comes
// in at the bottom. It is zero only if both are.
func add(s, w uint64) uint64 {
	s, carry := bits.Add64(s, w, 0)
	s, _ = bits.Add64(s, 0, carry)
	return s
}

// add32 adds the four words of p to s. They are added to each other first: this chain then
// waits for no earlier one, and s itself is part of only its last two additions.
func add32(s uint64, p *[32]byte) uint64 {
	w, c := bits.Add64(binary.LittleEndian.Uint64(p[:]), binary.LittleEndian.Uint64(p[8:]), 0)
	w, c = bits.Add64(w, binary.LittleEndian.Uint64(p[16:]), c)
	w, c = bits.Add64(w, binary.LittleEndian.Uint64(p[24:]), c)
	s, c = bits.Add64(s, w, c)
	s, _ = bits.Add64(s, 0, c)
	return s
}

// last returns up to eight bytes as one little-endian word. It reads the first and the last few
// of them, which may overlap: a byte that is read twice lands in the same place.
func last(b []byte) uint64 {
	switch n := uint(len(b)); {
	case n >= 4:
		tail := uint64(binary.LittleEndian.Uint32(b[n-4:]))
		return uint64(binary.LittleEndian.Uint32(b)) | tail<<(8*(n-4)&63)
	case n >= 2:
		return uint64(binary.LittleEndian.Uint16(b)) | uint64(b[n-1])<<(8*n-8)
	case n == 1:
		return uint64(b[0])
	}
	return 0
}
