package chord

import (
	"encoding"
	"encoding/binary"
	"fmt"
	"net/netip"
)

const (
	magic   = 0xC4
	version = 1

	headerSize  = 12
	addrSize    = 18
	keySize     = len(ID{})
	requestSize = 200 // NEIGHBOURS, FIND and GET are padded to this
	putSize     = headerSize + keySize + 8 + 2
	notifySize  = headerSize + 8

	// maxPacket is the longest packet, an answer: three times its request.
	maxPacket = 3 * requestSize
	maxAddrs  = (maxPacket - headerSize - 8 - addrSize - 1) / addrSize
)

const (
	flagDone   = 1 << iota // FIND answer, PUT answer
	flagPred               // an answer: the predecessor comes before the list
	flagRemove             // PUT
	knownFlags = flagDone | flagPred | flagRemove
)

// A Packet is a datagram: a [Message] with addresses in place of numbers.
//
//	 0       1       2       3       4               12
//	+-------+-------+-------+-------+---------------+----------------
//	| 0xC4  |   1   | kind  | flags |     nonce     | what the kind has
//	+-------+-------+-------+-------+---------------+----------------
//
//	NEIGHBOURS, FIND, GET   key (20 bytes), zeros up to 200 bytes
//	PUT                     key (20), token (8), port (2)
//	NOTIFY                  token (8)
//	answers                 token (8), the predecessor if flag 2 is set (18),
//	                        a count (1), and that many addresses (18 each)
//
// All numbers are big-endian. An address is 16 bytes, IPv4-mapped for IPv4, and the port. Flag 1
// is Done, flag 4 is Remove. A kind or flag that is not known, and bytes beyond the
// last field, make a packet malformed.
type Packet struct {
	Kind   Kind
	Done   bool
	Remove bool
	Nonce  uint64
	Key    ID
	Token  uint64
	Port   uint16
	Pred   netip.AddrPort
	Addrs  []netip.AddrPort
}

var _ encoding.BinaryAppender = Packet{}

// AppendBinary appends the packet to b. It fails with ErrMalformed if it has more than 31 addresses,
// or a kind that there is not.
func (p Packet) AppendBinary(b []byte) ([]byte, error) {
	if len(p.Addrs) > maxAddrs || p.Kind < Neighbours || p.Kind > Notify {
		return b, fmt.Errorf("%w: a %v with %d addresses", ErrMalformed, p.Kind, len(p.Addrs))
	}
	begin := len(b)
	b = append(b, magic, version, byte(p.Kind), p.flags())
	b = binary.BigEndian.AppendUint64(b, p.Nonce)
	switch {
	case p.Kind.answer():
		b = binary.BigEndian.AppendUint64(b, p.Token)
		if p.Pred.IsValid() {
			b = appendAddr(b, p.Pred)
		}
		b = append(b, byte(len(p.Addrs)))
		for _, a := range p.Addrs {
			b = appendAddr(b, a)
		}
	case p.Kind == Notify:
		b = binary.BigEndian.AppendUint64(b, p.Token)
	case p.Kind == Put:
		b = append(b, p.Key[:]...)
		b = binary.BigEndian.AppendUint64(b, p.Token)
		b = binary.BigEndian.AppendUint16(b, p.Port)
	default:
		b = append(b, p.Key[:]...)
		b = append(b, padding[:requestSize-(len(b)-begin)]...)
	}
	return b, nil
}

var padding [requestSize]byte

func (p *Packet) flags() (f byte) {
	if p.Done {
		f |= flagDone
	}
	if p.Pred.IsValid() {
		f |= flagPred
	}
	if p.Remove {
		f |= flagRemove
	}
	return f
}

// MarshalBinary returns the packet as AppendBinary encodes it.
func (p Packet) MarshalBinary() ([]byte, error) { return p.AppendBinary(nil) }

// ParsePacket decodes a datagram. Everything in the packet is a copy. It fails with an error that
// wraps ErrMalformed.
func ParsePacket(b []byte) (Packet, error) {
	var p Packet
	if len(b) < headerSize || b[0] != magic {
		return p, fmt.Errorf("%w: not a packet of this protocol", ErrMalformed)
	}
	if b[1] != version {
		return p, fmt.Errorf("%w: version %d, not %d", ErrMalformed, b[1], version)
	}
	flags := b[3]
	p.Kind, p.Done, p.Remove = Kind(b[2]), flags&flagDone != 0, flags&flagRemove != 0
	p.Nonce = binary.BigEndian.Uint64(b[4:])
	if flags&^knownFlags != 0 || p.Kind < Neighbours || p.Kind > Notify || flags&flagPred != 0 && !p.Kind.answer() {
		return p, fmt.Errorf("%w: kind %d with flags %#x", ErrMalformed, b[2], flags)
	}
	if p.Kind.answer() {
		return p, p.parseAnswer(b[headerSize:], flags&flagPred != 0)
	}
	size := requestSize
	switch p.Kind {
	case Put:
		size = putSize
	case Notify:
		size = notifySize
	}
	if len(b) != size {
		return p, fmt.Errorf("%w: a %v of %d bytes, not %d", ErrMalformed, p.Kind, len(b), size)
	}
	b = b[headerSize:]
	if p.Kind != Notify {
		b = b[copy(p.Key[:], b):]
	}
	if p.Kind == Put || p.Kind == Notify {
		p.Token = binary.BigEndian.Uint64(b)
	}
	if p.Kind == Put {
		p.Port = binary.BigEndian.Uint16(b[8:])
	}
	return p, nil
}

// parseAnswer decodes what is behind the header.
func (p *Packet) parseAnswer(b []byte, pred bool) error {
	fixed := 8 + 1
	if pred {
		fixed += addrSize
	}
	if len(b) < fixed || len(b) != fixed+int(b[fixed-1])*addrSize || int(b[fixed-1]) > maxAddrs {
		return fmt.Errorf("%w: a %v of %d bytes", ErrMalformed, p.Kind, headerSize+len(b))
	}
	p.Token = binary.BigEndian.Uint64(b)
	if pred {
		p.Pred = parseAddr(b[8:])
	}
	for b = b[fixed:]; len(b) > 0; b = b[addrSize:] {
		p.Addrs = append(p.Addrs, parseAddr(b))
	}
	return nil
}

func appendAddr(b []byte, a netip.AddrPort) []byte {
	ip := a.Addr().As16()
	return binary.BigEndian.AppendUint16(append(b, ip[:]...), a.Port())
}

func parseAddr(b []byte) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b)).Unmap(), binary.BigEndian.Uint16(b[16:]))
}
