package octoput

import (
	"encoding"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/checksum"
)

// headerLen is the length of everything before the payload.
const headerLen = 16

// maxPacket is the longest packet: an octoleg of a full octoblock.
const maxPacket = headerLen + MaxLegSize

// digestLen is the payload of a FIN: a SHA-256.
const digestLen = 32

// A Type says what a packet is for.
type Type uint8

// The types of packets.
const (
	Open Type = iota + 1 // offers a file, or asks for one
	Leg                  // an octoleg
	Ack                  // what the receiver holds of an octoblock
	Fin                  // everything was sent; this is its digest
	Err                  // the transfer is over, unfinished
)

// String returns the type's name.
func (t Type) String() string {
	switch t {
	case Open:
		return "OPEN"
	case Leg:
		return "LEG"
	case Ack:
		return "ACK"
	case Fin:
		return "FIN"
	case Err:
		return "ERR"
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// ask in the flag field of an OPEN makes it ask for a file; without it, it offers one.
const ask Legs = 1

// A Packet is one datagram. All numbers are big-endian.
//
//	 0       1       2               4               8                              16
//	+-------+-------+---------------+---------------+-------------------------------+
//	| type  | flag  |   checksum    |    session    |           octoblock           | payload ...
//	+-------+-------+---------------+---------------+-------------------------------+
//
// What the fields hold depends on the type:
//
//	type      flag                       octoblock    payload
//	OPEN 1    0: offers; 1: asks         0            an Opening
//	LEG  2    one bit: which octoleg     its block's  the octoleg, 1 to 1111 bytes
//	ACK  3    the octolegs held          as LEG, OPEN or FIN   none
//	FIN  4    0                          last + 1     SHA-256 of the file, 32 bytes
//	ERR  5    0                          of what provoked it   a Code, 1 byte
//
// An ACK of an OPEN or a FIN has all eight bits set.
type Packet struct {
	Type Type
	// Flags is the 8-bit field of CPSC 441 assignment 2, "Technical Requirements",
	// paragraph 3: which octoleg this is, or which are held.
	Flags Legs
	// Checksum is what the packet carried; ParsePacket has verified it.
	// AppendBinary computes it and ignores this field.
	Checksum uint16
	// Session tells one transfer from another between the same two addresses. It is
	// random, and never 0.
	Session uint32
	// Block is the number of an octoblock, from 1.
	Block   uint64
	Payload []byte
}

var (
	_ encoding.BinaryAppender    = Packet{}
	_ encoding.BinaryMarshaler   = Packet{}
	_ encoding.BinaryUnmarshaler = (*Packet)(nil)
)

// AppendBinary appends the packet to b and computes its checksum. It fails with the error
// with which [ParsePacket] would refuse the result, and then returns b as it was.
func (p Packet) AppendBinary(b []byte) ([]byte, error) {
	if err := p.fault(); err != nil {
		return b, err
	}
	start := len(b)
	b = append(b, make([]byte, headerLen)...)
	b = append(b, p.Payload...)
	seal(b[start:], p.Type, p.Flags, p.Session, p.Block)
	return b, nil
}

// seal writes the header in front of a payload that is in its place already.
func seal(b []byte, t Type, flags Legs, session uint32, block uint64) {
	b[0], b[1] = byte(t), byte(flags)
	b[2], b[3] = 0, 0 // the checksum, once the rest stands
	binary.BigEndian.PutUint32(b[4:], session)
	binary.BigEndian.PutUint64(b[8:], block)
	binary.BigEndian.PutUint16(b[2:], checksum.Sum(b))
}

// MarshalBinary returns the packet as AppendBinary encodes it.
func (p Packet) MarshalBinary() ([]byte, error) { return p.AppendBinary(nil) }

// UnmarshalBinary is like ParsePacket, but copies the payload.
func (p *Packet) UnmarshalBinary(b []byte) error {
	q, err := ParsePacket(b)
	if err != nil {
		return err
	}
	q.Payload = append([]byte(nil), q.Payload...)
	*p = q
	return nil
}

// ParsePacket decodes one datagram. The payload aliases b. It fails with
// [ErrTruncated], [ErrChecksum], [ErrType], [ErrSession], [ErrFlag], [ErrBlock],
// [ErrLength] or [ErrSize]. It checks everything that can be checked without knowing the
// transfer.
func ParsePacket(b []byte) (Packet, error) {
	if len(b) < headerLen {
		return Packet{}, ferry.ErrTruncated
	}
	if !checksum.Verify(b) {
		return Packet{}, ferry.ErrChecksum
	}
	p := Packet{
		Type:     Type(b[0]),
		Flags:    Legs(b[1]),
		Checksum: binary.BigEndian.Uint16(b[2:]),
		Session:  binary.BigEndian.Uint32(b[4:]),
		Block:    binary.BigEndian.Uint64(b[8:]),
		Payload:  b[headerLen:],
	}
	if err := p.fault(); err != nil {
		return Packet{}, err
	}
	return p, nil
}

// A form is what a type of packet looks like.
type form struct {
	flags       func(Legs) bool
	first, last uint64 // octoblocks
	least, most int    // payload
}

func noFlags(l Legs) bool   { return l == 0 }
func askOrNone(l Legs) bool { return l&^ask == 0 }
func oneFlag(l Legs) bool   { return l.Len() == 1 }
func someFlags(l Legs) bool { return l != 0 }

// formOf returns the form of a type; false if there is no such type.
func formOf(t Type) (form, bool) {
	const blocks = math.MaxUint64
	switch t {
	case Open:
		return form{askOrNone, 0, 0, openingLen, openingLen + MaxName}, true
	case Leg:
		return form{oneFlag, 1, blocks, 1, MaxLegSize}, true
	case Ack:
		return form{someFlags, 0, blocks, 0, 0}, true
	case Fin:
		return form{noFlags, 1, blocks, digestLen, digestLen}, true
	case Err:
		return form{noFlags, 0, blocks, 1, 1}, true
	}
	return form{}, false
}

// fault says what is wrong with the packet.
func (p Packet) fault() error {
	f, ok := formOf(p.Type)
	switch {
	case !ok:
		return ErrType
	case p.Session == 0:
		return ErrSession
	case !f.flags(p.Flags):
		return ErrFlag
	case p.Block < f.first || p.Block > f.last:
		return ErrBlock
	case len(p.Payload) < f.least || len(p.Payload) > f.most:
		return ErrLength
	case p.Type == Open && binary.BigEndian.Uint64(p.Payload) > math.MaxInt64:
		return ErrSize
	}
	return nil
}
