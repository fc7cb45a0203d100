package octoput

import (
	"encoding"
	"encoding/binary"
)

// openingLen is the length of an Opening without the name.
const openingLen = 12

// MaxName is the longest name of a file, in bytes.
const MaxName = 255

// An Opening is the payload of an OPEN.
//
//	 0               4               8              12
//	+-------------------------------+---------------+
//	|             size              |    answers    | name ...
//	+-------------------------------+---------------+
type Opening struct {
	// Size is the length of the file in bytes, from which both sides
	// derive the plan. It is 0 in an OPEN that asks.
	Size int64
	// Answers is the session of the OPEN that asked for the file if this one is the
	// answer to it, and otherwise 0. A client can thus recognize the answer to its own
	// OPEN, and a forged OPEN cannot make one server send to another.
	Answers uint32
	// Name is the file's name, at most MaxName bytes. A receiver must check
	// it before it creates a file.
	Name string
}

var (
	_ encoding.BinaryAppender  = Opening{}
	_ encoding.BinaryMarshaler = Opening{}
)

// AppendBinary appends the payload to b. It fails with [ErrSize] or [ErrLength].
func (o Opening) AppendBinary(b []byte) ([]byte, error) {
	switch {
	case o.Size < 0:
		return b, ErrSize
	case len(o.Name) > MaxName:
		return b, ErrLength
	}
	b = binary.BigEndian.AppendUint64(b, uint64(o.Size))
	b = binary.BigEndian.AppendUint32(b, o.Answers)
	return append(b, o.Name...), nil
}

// MarshalBinary returns the payload as AppendBinary encodes it.
func (o Opening) MarshalBinary() ([]byte, error) { return o.AppendBinary(nil) }

// ParseOpening decodes the payload of an OPEN. It fails with [ErrLength] or [ErrSize],
// but not for a payload that [ParsePacket] returned.
func ParseOpening(b []byte) (Opening, error) {
	if len(b) < openingLen || len(b) > openingLen+MaxName {
		return Opening{}, ErrLength
	}
	o := Opening{
		Size:    int64(binary.BigEndian.Uint64(b)),
		Answers: binary.BigEndian.Uint32(b[8:]),
		Name:    string(b[openingLen:]),
	}
	if o.Size < 0 {
		return Opening{}, ErrSize
	}
	return o, nil
}
