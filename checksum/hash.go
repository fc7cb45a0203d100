package checksum

import (
	"encoding"
	"encoding/binary"
	"errors"
	"hash"
)

// BlockSize is what the hash made by [New] gives as its block size: one word. Writes may have any
// length; those of an odd number of bytes cost no more.
const BlockSize = 2

// New returns a [hash.Hash] that computes the checksum of the data written to it. Its Sum
// method appends the checksum big-endian, as in a packet, with the zeros
// of the function [Sum].
//
// Like the hashes of the standard library it also implements [hash.Cloner],
// [encoding.BinaryMarshaler], [encoding.BinaryAppender] and [encoding.BinaryUnmarshaler]. Equal
// data give equal states, however they were written, and a state holds none of the data.
func New() hash.Hash { return new(digest) }

// digest is a Partial with the methods of a hash.
type digest struct{ p Partial }

var (
	_ hash.Cloner                = (*digest)(nil)
	_ encoding.BinaryAppender    = (*digest)(nil)
	_ encoding.BinaryMarshaler   = (*digest)(nil)
	_ encoding.BinaryUnmarshaler = (*digest)(nil)
)

func (d *digest) Write(b []byte) (int, error) {
	d.p.Add(b)
	return len(b), nil
}

func (d *digest) Sum(b []byte) []byte { return binary.BigEndian.AppendUint16(b, d.p.Sum()) }

func (d *digest) Reset() { d.p = Partial{} }

func (d *digest) Size() int { return Size }

func (d *digest) BlockSize() int { return BlockSize }

func (d *digest) Clone() (hash.Cloner, error) {
	c := *d
	return &c, nil
}

// A state is magic, the folded sum (not complemented), and 1 if an odd number of bytes was
// written, otherwise 0.
const (
	magic     = "rfc1071\x01"
	stateSize = len(magic) + Size + 1
)

func (d *digest) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint16(b, d.p.fold())
	return append(b, byte(d.p.parity&1)), nil
}

func (d *digest) MarshalBinary() ([]byte, error) {
	return d.AppendBinary(make([]byte, 0, stateSize))
}

// UnmarshalBinary leaves d as it is if b is not a state that AppendBinary wrote.
func (d *digest) UnmarshalBinary(b []byte) error {
	switch {
	case len(b) < len(magic) || string(b[:len(magic)]) != magic:
		return errors.New("checksum: invalid hash state identifier")
	case len(b) != stateSize:
		return errors.New("checksum: invalid hash state size")
	case b[stateSize-1] > 1:
		return errors.New("checksum: invalid hash state parity")
	}
	parity := int(b[stateSize-1])
	d.p = Partial{shift(uint64(binary.BigEndian.Uint16(b[len(magic):])), parity), parity}
	return nil
}
