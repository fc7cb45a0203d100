package tftp

import (
	"bytes"
	"encoding"
	"encoding/binary"
	"fmt"

	"github.com/ferrygo/ferry"
)

// An Opcode says what a packet is for.
type Opcode uint16

// The opcodes of RFC 1350, section 5, and RFC 2347.
const (
	RRQ   Opcode = 1 // a client asks for a file
	WRQ   Opcode = 2 // a client wants to write one
	DATA  Opcode = 3
	ACK   Opcode = 4
	ERROR Opcode = 5
	OACK  Opcode = 6 // the server answers options
)

// String returns the name that the RFCs have for the opcode.
func (op Opcode) String() string {
	switch op {
	case RRQ:
		return "RRQ"
	case WRQ:
		return "WRQ"
	case DATA:
		return "DATA"
	case ACK:
		return "ACK"
	case ERROR:
		return "ERROR"
	case OACK:
		return "OACK"
	}
	return fmt.Sprintf("opcode %d", uint16(op))
}

// A Packet is one datagram. Op says which of the other fields it has; numbers
// are big-endian and strings end with a zero byte (RFC 1350, section 5).
//
//	        2 bytes    string   1    string   1    string   1    string   1
//	       +--------+----------+---+---------+---+---------+---+---------+---+
//	RRQ/   |  1, 2  |   Name   | 0 |  Mode   | 0 | option  | 0 |  value  | 0 | ...
//	WRQ    +--------+----------+---+---------+---+---------+---+---------+---+
//	       +--------+---------+---------------+
//	DATA   |   3    |  Block  |   Payload     |    Block has 2 bytes, 4 if Wide
//	       +--------+---------+---------------+
//	       +--------+---------+
//	ACK    |   4    |  Block  |
//	       +--------+---------+
//	       +--------+---------+-----------+---+
//	ERROR  |   5    |  Code   |  Message  | 0 |
//	       +--------+---------+-----------+---+
//	       +--------+---------+---+---------+---+
//	OACK   |   6    | option  | 0 |  value  | 0 | ...
//	       +--------+---------+---+---------+---+
type Packet struct {
	Op Opcode
	// Wide says that the block number of a DATA or an ACK has four bytes, as
	// in the UDP file delivery assignment ("About TFTP", last paragraph).
	Wide    bool
	Name    string   // RRQ, WRQ
	Mode    string   // RRQ, WRQ
	Options []Option // RRQ, WRQ, OACK; in their order
	Block   uint32   // DATA, ACK; at most 65535 unless Wide
	Payload []byte   // DATA
	Code    Code     // ERROR
	Message string   // ERROR
}

var (
	_ encoding.BinaryAppender  = Packet{}
	_ encoding.BinaryMarshaler = Packet{}
)

// headerLen is the length of a DATA before its payload, and of an ACK.
func headerLen(wide bool) int {
	if wide {
		return 6
	}
	return 4
}

// appendHeader appends a DATA without its payload, or an ACK.
func appendHeader(b []byte, op Opcode, block uint32, wide bool) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(op))
	if wide {
		return binary.BigEndian.AppendUint32(b, block)
	}
	return binary.BigEndian.AppendUint16(b, uint16(block))
}

// AppendBinary appends the packet to b. It fails when Op is unknown, a string holds a
// zero byte or an option has no name, and when Block is above 65535 without Wide.
func (p Packet) AppendBinary(b []byte) ([]byte, error) {
	if err := p.check(); err != nil {
		return b, err
	}
	switch p.Op {
	case DATA, ACK:
		return append(appendHeader(b, p.Op, p.Block, p.Wide), p.Payload...), nil
	case ERROR:
		b = binary.BigEndian.AppendUint16(b, uint16(p.Op))
		b = binary.BigEndian.AppendUint16(b, uint16(p.Code))
		return appendString(b, p.Message), nil
	case OACK:
		return appendOptions(binary.BigEndian.AppendUint16(b, uint16(p.Op)), p.Options), nil
	}
	b = binary.BigEndian.AppendUint16(b, uint16(p.Op))
	b = appendString(appendString(b, p.Name), p.Mode)
	return appendOptions(b, p.Options), nil
}

// MarshalBinary returns the packet as AppendBinary encodes it.
func (p Packet) MarshalBinary() ([]byte, error) { return p.AppendBinary(nil) }

// check returns an error if the packet cannot be encoded.
func (p Packet) check() error {
	switch {
	case p.Op < RRQ || p.Op > OACK:
		return fmt.Errorf("tftp: %v cannot be sent", p.Op)
	case !p.Wide && p.Block > 65535:
		return fmt.Errorf("tftp: block number %d needs more than two bytes", p.Block)
	case p.Op == ACK && len(p.Payload) > 0:
		return fmt.Errorf("tftp: ACK with a payload")
	}
	texts := []string{p.Name, p.Mode, p.Message}
	for _, o := range p.Options {
		if o.Name == "" {
			return fmt.Errorf("tftp: option without a name")
		}
		texts = append(texts, o.Name, o.Value)
	}
	for _, s := range texts {
		if bytes.IndexByte([]byte(s), 0) >= 0 {
			return fmt.Errorf("tftp: %q holds a zero byte", s)
		}
	}
	return nil
}

func appendString(b []byte, s string) []byte { return append(append(b, s...), 0) }

func appendOptions(b []byte, options []Option) []byte {
	for _, o := range options {
		b = appendString(appendString(b, o.Name), o.Value)
	}
	return b
}

// ParsePacket decodes one datagram; wide says how long its block numbers are. The
// payload aliases b, strings do not. It fails with [ErrTruncated], [ErrOpcode],
// [ErrLength] (bytes after the number of an ACK) or [ErrOptions] (an OACK).
//
// Some peers send what the RFCs do not allow. ParsePacket accepts:
//   - zero bytes that pad a request, an OACK or, unless wide, an ACK;
//   - an ERROR whose message is missing or not terminated;
//   - a request with a malformed option: that option and those after it are ignored.
func ParsePacket(b []byte, wide bool) (Packet, error) {
	if len(b) < 2 {
		return Packet{}, ferry.ErrTruncated
	}
	p := Packet{Op: Opcode(binary.BigEndian.Uint16(b))}
	switch p.Op {
	case DATA, ACK:
		return parseBlock(p, b, wide)
	case RRQ, WRQ:
		return parseRequest(p, b[2:])
	case OACK:
		var err error
		if p.Options, err = parseOptions(b[2:]); err != nil {
			return Packet{}, err
		}
		return p, nil
	case ERROR:
		if len(b) < 4 {
			return Packet{}, ferry.ErrTruncated
		}
		p.Code = Code(binary.BigEndian.Uint16(b[2:]))
		message, _, _ := bytes.Cut(b[4:], []byte{0})
		p.Message = string(message)
		return p, nil
	}
	return Packet{}, ErrOpcode
}

// parseBlock decodes a DATA or an ACK.
func parseBlock(p Packet, b []byte, wide bool) (Packet, error) {
	n := headerLen(wide)
	switch {
	case len(b) < n:
		return Packet{}, ferry.ErrTruncated
	case p.Op == ACK && len(b) > n && !padded(b, wide):
		return Packet{}, ErrLength
	case wide:
		p.Wide, p.Block = true, binary.BigEndian.Uint32(b[2:])
	default:
		p.Block = uint32(binary.BigEndian.Uint16(b[2:]))
	}
	if p.Op == DATA {
		p.Payload = b[n:]
	}
	return p, nil
}

// padded reports whether an ACK is followed by zeros, as some clients send it that use one
// buffer for all packets. An ACK of six bytes is one of the other width.
func padded(b []byte, wide bool) bool {
	return !wide && len(b) != headerLen(true) && len(bytes.Trim(b[headerLen(false):], "\x00")) == 0
}

// parseRequest decodes what follows the opcode of an RRQ or a WRQ.
func parseRequest(p Packet, b []byte) (Packet, error) {
	name, b, found := bytes.Cut(b, []byte{0})
	if !found {
		return Packet{}, ferry.ErrTruncated
	}
	mode, b, found := bytes.Cut(b, []byte{0})
	if !found {
		return Packet{}, ferry.ErrTruncated
	}
	// A server ignores what it does not understand (RFC 2347, "Packet Formats"), and so it
	// ignores a malformed option and what follows it.
	p.Options, _ = parseOptions(b)
	p.Name, p.Mode = string(name), string(mode)
	return p, nil
}

// parseOptions decodes pairs of option and value up to the end of b. If a pair is
// malformed it returns those before it, and ErrOptions.
func parseOptions(b []byte) ([]Option, error) {
	var options []Option
	padding := len(b) - len(bytes.TrimRight(b, "\x00"))
	for len(b) > padding {
		name, rest, _ := bytes.Cut(b, []byte{0})
		value, rest, found := bytes.Cut(rest, []byte{0})
		if !found || len(name) == 0 {
			return options, ErrOptions
		}
		options = append(options, Option{string(name), string(value)})
		b = rest
	}
	return options, nil
}
