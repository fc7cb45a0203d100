package p2mp

import (
	"encoding"
	"encoding/binary"
	"fmt"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/checksum"
)

// headerLen is the length of everything before the payload.
const headerLen = 8

// MaxMSS is the longest payload of a chunk: a UDP datagram over IPv4 holds 65507 bytes,
// header included.
const MaxMSS = 65507 - headerLen

// A Category is the type of a packet.
type Category uint16

// The categories of the P2MP-FTP report, "Message Format", point 3, and those that the
// extended mode adds.
const (
	CategoryData   Category = 0b0101010101010101
	CategoryAck    Category = 0b1010101010101010
	CategoryHello  Category = 0x5aa5
	CategoryReport Category = 0xa55a
	CategoryPoll   Category = 0x5a5a
	CategoryParity Category = 0x5665 // not used yet
	CategoryFin    Category = 0x5995
	CategoryAbort  Category = 0x6996
)

var categoryNames = map[Category]string{
	CategoryData:   "DATA",
	CategoryAck:    "ACK",
	CategoryHello:  "HELLO",
	CategoryReport: "REPORT",
	CategoryPoll:   "POLL",
	CategoryParity: "PARITY",
	CategoryFin:    "FIN",
	CategoryAbort:  "ABORT",
}

// String returns the category's name.
func (c Category) String() string {
	if name, ok := categoryNames[c]; ok {
		return name
	}
	return fmt.Sprintf("category %#04x", uint16(c))
}

// takes reports whether packets of the category may have this sequence number: from 1 in
// DATA, any in ACK (some receivers answer a HELLO with ACK 0), and 0 in the others.
func (c Category) takes(seq uint32) bool {
	switch c {
	case CategoryData:
		return seq != 0
	case CategoryAck:
		return true
	}
	return seq == 0
}

// A Packet is one datagram: the fields of the P2MP-FTP report, "Message Format", in its
// order, all big-endian.
//
//	 0               2               4               6               8
//	+-------------------------------+---------------+---------------+
//	|        sequence number        |   checksum    |   category    | payload ...
//	+-------------------------------+---------------+---------------+
type Packet struct {
	// Session is not in the packet. The checksum of a DATA packet of the extended mode
	// includes it, as UDP's checksum includes addresses. It is 0 in the classic mode and in
	// every other category.
	Session uint64
	// Seq is the number of a chunk, from 1, in DATA, and the number of the acknowledged
	// chunk in ACK. In the other categories it is 0.
	Seq uint32
	// Checksum is the checksum that a parsed packet carried. AppendBinary computes the
	// checksum and ignores this field.
	Checksum uint16
	Category Category
	// Payload is a chunk of the file in a DATA packet, at most MaxMSS bytes, and the body of
	// another packet of the extended mode. An ACK has none; a payload of an ACK is accepted.
	Payload []byte
}

var (
	_ encoding.BinaryAppender    = Packet{}
	_ encoding.BinaryMarshaler   = Packet{}
	_ encoding.BinaryUnmarshaler = (*Packet)(nil)
)

// AppendBinary appends the packet to b and computes its checksum. It fails if the payload is
// longer than MaxMSS, or if Seq is 0 in DATA or not 0 in a category without chunks.
func (p Packet) AppendBinary(b []byte) ([]byte, error) {
	if len(p.Payload) > MaxMSS {
		return b, fmt.Errorf("p2mp: payload of %d bytes, more than %d", len(p.Payload), MaxMSS)
	}
	if !p.Category.takes(p.Seq) {
		return b, fmt.Errorf("p2mp: %v with sequence number %d", p.Category, p.Seq)
	}
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, p.Seq)
	b = append(b, 0, 0) // the checksum, computed at the end
	b = binary.BigEndian.AppendUint16(b, uint16(p.Category))
	b = append(b, p.Payload...)
	seal(b[start:], p.Session)
	return b, nil
}

// seal writes the checksum into a packet that has zero there. The zero does not change the
// sum, so the whole packet is summed.
func seal(b []byte, session uint64) {
	var sum checksum.Partial
	sum.AddUint64(session)
	sum.Add(b)
	binary.BigEndian.PutUint16(b[4:], sum.Sum())
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
// [ErrTruncated], [ErrCategory], [ErrSequence] (a sequence number of 0 where there must
// be one, or another where there is none) or [ErrChecksum].
//
// The checksum must be right, except that an acknowledgement may carry zero there, as
// acknowledgements of other implementations do.
func ParsePacket(b []byte) (Packet, error) { return ParseSessionPacket(0, b) }

// ParseSessionPacket is like ParsePacket for a DATA packet of the extended mode. Its checksum
// is correct only with the session that it belongs to.
func ParseSessionPacket(session uint64, b []byte) (Packet, error) {
	if len(b) < headerLen {
		return Packet{}, ferry.ErrTruncated
	}
	p := Packet{
		Session:  session,
		Seq:      binary.BigEndian.Uint32(b),
		Checksum: binary.BigEndian.Uint16(b[4:]),
		Category: Category(binary.BigEndian.Uint16(b[6:])),
		Payload:  b[headerLen:],
	}
	if _, known := categoryNames[p.Category]; !known {
		return Packet{}, ErrCategory
	}
	var sum checksum.Partial
	sum.AddUint64(session)
	sum.Add(b)
	if unsummed := p.Category == CategoryAck && p.Checksum == 0; !unsummed && !sum.Verify() {
		return Packet{}, ferry.ErrChecksum
	}
	if !p.Category.takes(p.Seq) {
		return Packet{}, ErrSequence
	}
	return p, nil
}
