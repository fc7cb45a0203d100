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

// MaxMSS is the longest payload of a chunk: what a UDP datagram over IPv4 holds (65507
// bytes) less the header.
const MaxMSS = 65507 - headerLen

// A Category says what a packet is for.
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

// takes reports whether packets of the category may have this sequence number: a
// chunk's, from 1, in DATA; that, or 0, in ACK, for some receivers answer a HELLO so; 0
// elsewhere.
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
	// Session is not in the packet, but in the sum of a DATA packet of the extended
	// mode, as addresses are in UDP's. It is 0 in classic mode and in every other
	// category.
	Session uint64
	// Seq is the number of a chunk, from 1, in DATA and ACK, which carries the number
	// of the chunk that it acknowledges; in the other categories it is 0.
	Seq uint32
	// Checksum is what the packet carried; ParsePacket has verified it. AppendBinary
	// computes it anew and does not look at this field.
	Checksum uint16
	Category Category
	// Payload is a chunk of the file, at most MaxMSS bytes, in a DATA packet, and the
	// body of one of the extended mode's. Acknowledgements have none; one that does is
	// read all the same.
	Payload []byte
}

var (
	_ encoding.BinaryAppender    = Packet{}
	_ encoding.BinaryMarshaler   = Packet{}
	_ encoding.BinaryUnmarshaler = (*Packet)(nil)
)

// AppendBinary appends the packet to b and computes its checksum. It fails when the
// payload is longer than MaxMSS, or Seq is 0 where it must not be, or is not where it
// must be.
func (p Packet) AppendBinary(b []byte) ([]byte, error) {
	if len(p.Payload) > MaxMSS {
		return b, fmt.Errorf("p2mp: payload of %d bytes, more than %d", len(p.Payload), MaxMSS)
	}
	if !p.Category.takes(p.Seq) {
		return b, fmt.Errorf("p2mp: %v with sequence number %d", p.Category, p.Seq)
	}
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, p.Seq)
	b = append(b, 0, 0) // the checksum, once the rest stands
	b = binary.BigEndian.AppendUint16(b, uint16(p.Category))
	b = append(b, p.Payload...)
	seal(b[start:], p.Session)
	return b, nil
}

// seal puts the checksum into a packet that has zero there. Zero in its own field does
// not change the sum, so the whole packet is summed in one go.
func seal(b []byte, session uint64) {
	var sum checksum.Partial
	sum.AddUint64(session)
	sum.Add(b)
	binary.BigEndian.PutUint16(b[4:], sum.Sum())
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
// [ErrTruncated], [ErrCategory], [ErrSequence] (a sequence number of 0 where there must
// be one, or another where there is none) or [ErrChecksum].
//
// The checksum must be right, except that an acknowledgement may carry zero there, as
// acknowledgements of other implementations do.
func ParsePacket(b []byte) (Packet, error) { return ParseSessionPacket(0, b) }

// ParseSessionPacket is ParsePacket for a DATA packet of the extended mode, whose
// checksum is right only if session is the one that it belongs to.
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
