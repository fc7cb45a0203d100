package directory

import (
	"bytes"
	"encoding"
	"fmt"
	"strconv"
)

// A Type is the first word of a datagram and says what it is for: "The requests from
// peer to central directory are appended with an integer which corresponds to the
// request type" (CEN 502 project 2, part II, 1.1.2).
type Type uint8

// The types. Those below 5 are requests, which only a directory takes; the others are
// answers, which only a client takes. Neither side answers what the other side sends.
const (
	Update Type = 1 // connect, update and keep-alive in one
	Lookup Type = 2
	Exit   Type = 3
	View   Type = 4

	Found   Type = 6 // answers Lookup
	Listing Type = 8 // answers View
	Failure Type = 9 // answers any request
)

// String returns the type's name in lower case.
func (t Type) String() string {
	switch t {
	case Update:
		return "update"
	case Lookup:
		return "lookup"
	case Exit:
		return "exit"
	case View:
		return "view"
	case Found:
		return "found"
	case Listing:
		return "listing"
	case Failure:
		return "failure"
	}
	return "type " + strconv.Itoa(int(t))
}

// isRequest reports whether a directory takes datagrams of this type.
func (t Type) isRequest() bool { return t >= Update && t <= View }

// isAnswer reports whether a client takes datagrams of this type.
func (t Type) isAnswer() bool { return t == Found || t == Listing || t == Failure }

const (
	// MaxDatagram is the length of the longest datagram that is sent. It passes every
	// path of today, tunnels included, without being cut up on the way.
	MaxDatagram = 1200
	// readSize is the length of the longest datagram that is accepted. A longer one
	// arrives cut off, and is not looked at.
	readSize = 2048
	// maxNumber bounds SEQ and TOTAL: one more than the largest TOTAL, since an
	// acknowledgement counts one further.
	maxNumber = 1_000_000
	// tailRoom is what " SEQ TOTAL" takes at most.
	tailRoom = 16
)

// A Message is one datagram. It is ASCII, except for other characters in names:
//
//	TYPE FIELD FIELD ...  SEQ TOTAL
//
// Each field is followed by one space, and a space stands before SEQ, so that two are
// there when there are fields, and when there are none: "1 10.0.0.2 80  1 1" and
// "4  1 1".
//
// In an acknowledgement, which is the echo of a datagram, SEQ is the number that is
// expected next and TOTAL the one that is acknowledged: SEQ is greater than TOTAL
// there, and nowhere else.
type Message struct {
	Type Type
	// Fields are the words between, decoded: see [AppendField].
	Fields     []string
	Seq, Total int
}

var (
	_ encoding.BinaryAppender    = Message{}
	_ encoding.BinaryMarshaler   = Message{}
	_ encoding.BinaryUnmarshaler = (*Message)(nil)
)

// AppendBinary appends the datagram to b. It fails with [ErrMalformed] if the type has
// more than one digit or is 0, a field is empty or not UTF-8, or a number is out of its
// bounds (1 to 999999, and Seq at most Total+1).
func (m Message) AppendBinary(b []byte) ([]byte, error) {
	start := len(b)
	b = append(b, '0'+byte(m.Type), ' ')
	for _, f := range m.Fields {
		b = append(AppendField(b, f), ' ')
	}
	b = appendTail(b, m.Seq, m.Total)
	if m.Type < 1 || m.Type > 9 {
		return b[:start], fmt.Errorf("%w: type %d", ErrMalformed, m.Type)
	}
	p, err := parsePacket(b[start:])
	if err == nil {
		err = checkBody(p.body)
	}
	if err != nil {
		return b[:start], err
	}
	return b, nil
}

// MarshalBinary returns the datagram as AppendBinary encodes it.
func (m Message) MarshalBinary() ([]byte, error) { return m.AppendBinary(nil) }

// UnmarshalBinary is [ParseMessage]; the message holds nothing of b.
func (m *Message) UnmarshalBinary(b []byte) error {
	got, err := ParseMessage(b)
	if err == nil {
		*m = got
	}
	return err
}

// ParseMessage decodes a datagram. It fails with [ErrMalformed] unless it has the form
// of a [Message]: a type of one digit, fields without control characters, each followed
// by one space, and two decimal numbers from 1 to 999999 (one more for the Seq of an
// acknowledgement) without leading zeros. The message holds nothing of b.
//
// An unknown type is not an error.
func ParseMessage(b []byte) (Message, error) {
	p, err := parsePacket(b)
	if err != nil {
		return Message{}, err
	}
	if err := checkBody(p.body); err != nil {
		return Message{}, err
	}
	m := Message{Type: p.typ, Seq: p.seq, Total: p.total}
	for rest := p.body; len(rest) > 0; {
		var word []byte
		word, rest = nextWord(rest)
		f, err := parseField(word)
		if err != nil {
			return Message{}, err
		}
		m.Fields = append(m.Fields, f)
	}
	return m, nil
}

// A packet is a datagram taken apart: nothing is copied, and the fields are not yet
// looked at.
type packet struct {
	typ        Type
	body       []byte // the fields, each followed by a space
	seq, total int
}

// parsePacket takes a datagram apart. The body aliases b, and is empty or ends with a
// space; checkBody checks the rest.
func parsePacket(b []byte) (packet, error) {
	if len(b) < len("4  1 1") || b[0] < '1' || b[0] > '9' || b[1] != ' ' {
		return packet{}, ErrMalformed
	}
	p := packet{typ: Type(b[0] - '0')}
	var ok bool
	rest := b[1:]
	if rest, p.total, ok = lastNumber(rest); !ok {
		return packet{}, ErrMalformed
	}
	if rest, p.seq, ok = lastNumber(rest); !ok || p.seq > p.total+1 {
		return packet{}, ErrMalformed
	}
	// The rest is a space, and the fields with a space after each.
	if len(rest) == 0 || rest[len(rest)-1] != ' ' || p.total >= maxNumber {
		return packet{}, ErrMalformed
	}
	p.body = rest[1:]
	return p, nil
}

// isAck reports whether the packet acknowledges another: "sends an ACK as the next
// sequence number" (CEN 502 project 2, part II, 1.1).
func (p packet) isAck() bool { return p.seq > p.total }

// lastNumber splits b, which ends with a space and a number.
func lastNumber(b []byte) (rest []byte, n int, ok bool) {
	i := len(b)
	for scale := 1; i > 0 && b[i-1] >= '0' && b[i-1] <= '9'; scale *= 10 {
		i--
		n += int(b[i]-'0') * scale
		if n > maxNumber || len(b)-i > 7 {
			return nil, 0, false
		}
	}
	if i == len(b) || b[i] == '0' || i == 0 || b[i-1] != ' ' {
		return nil, 0, false
	}
	return b[:i-1], n, true
}

// appendTail appends what follows the fields.
func appendTail(b []byte, seq, total int) []byte {
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(seq), 10)
	b = append(b, ' ')
	return strconv.AppendInt(b, int64(total), 10)
}

// appendPacket appends a datagram whose body is encoded already.
func appendPacket(b []byte, p packet) []byte {
	b = append(b, '0'+byte(p.typ), ' ')
	b = append(b, p.body...)
	return appendTail(b, p.seq, p.total)
}

// ackOf returns the acknowledgement of p: its echo with the number that is expected
// next, and its own.
func ackOf(p packet) packet {
	p.seq, p.total = p.seq+1, p.seq
	return p
}

// acknowledges reports whether ack is the acknowledgement of p.
func (p packet) acknowledges(sent packet) bool {
	return p.typ == sent.typ && p.seq == sent.seq+1 && p.total == sent.seq && bytes.Equal(p.body, sent.body)
}
