package p2mp

import (
	"encoding"
	"encoding/binary"
	"fmt"

	"github.com/ferrygo/ferry/checksum"
)

// headerLen is the length of everything before the payload.
const headerLen = 8

// MaxMSS is the longest payload of a chunk: what a UDP datagram over IPv4 holds
// (65507 bytes) less the header.
const MaxMSS = 65507 - headerLen

// A Category says what a packet is for.
type Category uint16

// The categories of the P2MP-FTP report, "Message Format", point 3.
const (
	Data Category = 0b0101010101010101
	Ack  Category = 0b1010101010101010
)

// String returns the category's name.
func (c Category) String() string {
	switch c {
	case Data:
		return "DATA"
	case Ack:
		return "ACK"
	}
	return fmt.Sprintf("category %#04x", uint16(c))
}

// A Packet is one datagram: the fields of the P2MP-FTP report, "Message
// Format", in its order, all big-endian.
//
//	 0               2               4               6               8
//	+-------------------------------+---------------+---------------+
//	|        sequence number        |   checksum    |   category    | payload ...
//	+-------------------------------+---------------+---------------+
type Packet struct {
	// Seq is the number of a chunk, from 1. An acknowledgement carries the
	// number of the chunk that it acknowledges.
	Seq uint32
	// Checksum is what the packet carried; ParsePacket has verified it.
	// AppendBinary computes it anew and does not look at this field.
	Checksum uint16
	Category Category
	// Payload is a chunk of the file, at most MaxMSS bytes, in a Data
	// packet. Acknowledgements have none; one that does is read all the same.
	Payload []byte
}

var (
	_ encoding.BinaryAppender    = Packet{}
	_ encoding.BinaryMarshaler   = Packet{}
	_ encoding.BinaryUnmarshaler = (*Packet)(nil)
)

// AppendBinary appends the packet to b and computes its checksum. It fails
// when the payload is longer than MaxMSS, or Seq is 0.
func (p Packet) AppendBinary(b []byte) ([]byte, error) {
	if len(p.Payload) > MaxMSS {
		return b, fmt.Errorf("p2mp: payload of %d bytes, more than %d", len(p.Payload), MaxMSS)
	}
	if p.Seq == 0 {
		return b, fmt.Errorf("p2mp: %v with sequence number 0", p.Category)
	}
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, p.Seq)
	b = append(b, 0, 0) // the checksum, once the rest stands
	b = binary.BigEndian.AppendUint16(b, uint16(p.Category))
	b = append(b, p.Payload...)
	// Zero in its own field does not change the sum, so the whole packet is
	// summed in one go.
	binary.BigEndian.PutUint16(b[start+4:], checksum.Sum(b[start:]))
	return b, nil
}

// MarshalBinary returns the packet as AppendBinary encodes it.
func (p Packet) MarshalBinary() ([]byte, error) { return p.AppendBinary(nil) }

// UnmarshalBinary is ParsePacket with a payload of its own.
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
// [ErrTruncated], [ErrCategory], [ErrSequence] (a sequence number of 0) or
// [ErrChecksum].
//
// The checksum must be right, except that an acknowledgement may carry zero
// there, as acknowledgements of other implementations do.
func ParsePacket(b []byte) (Packet, error) {
	if len(b) < headerLen {
		return Packet{}, ErrTruncated
	}
	p := Packet{
		Seq:      binary.BigEndian.Uint32(b),
		Checksum: binary.BigEndian.Uint16(b[4:]),
		Category: Category(binary.BigEndian.Uint16(b[6:])),
		Payload:  b[headerLen:],
	}
	switch {
	case p.Category != Data && p.Category != Ack:
		return Packet{}, ErrCategory
	case p.Category == Ack && p.Checksum == 0:
		// Not computed: nothing to verify.
	case !checksum.Verify(b):
		return Packet{}, ErrChecksum
	}
	if p.Seq == 0 {
		return Packet{}, ErrSequence
	}
	return p, nil
}
