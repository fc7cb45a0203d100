package relay

import (
	"encoding"
	"encoding/binary"
	"fmt"

	"github.com/ferrygo/ferry"
)

// headerLen is the length of everything before the text.
const headerLen = 16

// MaxText is the maximum length of a packet's text in bytes. The packet then fits any IPv6 path (RFC 8200, section 5).
// A Peer sends a longer message in pieces.
const MaxText = 1200 - headerLen

// A Kind is the kind of a packet.
type Kind uint8

// The kinds of packets.
const (
	Say Kind = 1
	Ack Kind = 2
)

// String returns the kind's name.
func (k Kind) String() string {
	switch k {
	case Say:
		return "SAY"
	case Ack:
		return "ACK"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// A Packet is one datagram between two Peers. All numbers are big-endian.
//
//	0       1       2       3       4                              12              16
//	+-------+-------+-------+-------+-------------------------------+---------------+
//	|  'F'  |  'C'  |  kind |   0   |            session            |    number     | text ...
//	+-------+-------+-------+-------+-------------------------------+---------------+
type Packet struct {
	Kind Kind
	// Session is a random number chosen by the Peer that sends the messages.
	Session uint64
	// Number counts messages, from 1.
	Number uint32
	// Text is a message, at most MaxText bytes. An Ack has none.
	Text []byte
}

var (
	_ encoding.BinaryAppender    = Packet{}
	_ encoding.BinaryMarshaler   = Packet{}
	_ encoding.BinaryUnmarshaler = (*Packet)(nil)
)

// check validates a packet, received or to be sent.
func (p *Packet) check() error {
	switch {
	case p.Kind != Say && p.Kind != Ack:
		return ErrKind
	case p.Number == 0:
		return ErrNumber
	case len(p.Text) > MaxText, p.Kind == Ack && len(p.Text) > 0:
		return ErrLength
	}
	return nil
}

// AppendBinary appends the packet to b. It fails with [ErrKind], [ErrNumber] (the number is 0) or [ErrLength].
func (p Packet) AppendBinary(b []byte) ([]byte, error) {
	if err := p.check(); err != nil {
		return b, err
	}
	b = append(b, 'F', 'C', byte(p.Kind), 0)
	b = binary.BigEndian.AppendUint64(b, p.Session)
	b = binary.BigEndian.AppendUint32(b, p.Number)
	return append(b, p.Text...), nil
}

// MarshalBinary returns the packet as AppendBinary encodes it.
func (p Packet) MarshalBinary() ([]byte, error) { return p.AppendBinary(nil) }

// UnmarshalBinary decodes as ParsePacket does, and copies the text.
func (p *Packet) UnmarshalBinary(b []byte) error {
	q, err := ParsePacket(b)
	if err != nil {
		return err
	}
	q.Text = append([]byte(nil), q.Text...)
	*p = q
	return nil
}

// ParsePacket decodes one datagram. The text aliases b. It fails with [ferry.ErrTruncated], with [ErrMagic] (also if
// the fourth byte is not 0), or with an error of AppendBinary.
func ParsePacket(b []byte) (Packet, error) {
	if len(b) < headerLen {
		return Packet{}, ferry.ErrTruncated
	}
	if b[0] != 'F' || b[1] != 'C' || b[3] != 0 {
		return Packet{}, ErrMagic
	}
	p := Packet{
		Kind:    Kind(b[2]),
		Session: binary.BigEndian.Uint64(b[4:]),
		Number:  binary.BigEndian.Uint32(b[12:]),
		Text:    b[headerLen:],
	}
	if err := p.check(); err != nil {
		return Packet{}, err
	}
	return p, nil
}
