package gnutella

import (
	"encoding"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
)

// A GUID identifies a message, or a servent: 16 bytes that are drawn at random.
type GUID [16]byte

// String returns the GUID in hexadecimal.
func (g GUID) String() string { return hex.EncodeToString(g[:]) }

// A Type says what a message is for (protocol 0.4, "payload descriptor").
type Type uint8

// The types of protocol 0.4.
const (
	Ping     Type = 0x00
	Pong     Type = 0x01
	Push     Type = 0x40
	Query    Type = 0x80
	QueryHit Type = 0x81
)

// String returns the type's name.
func (t Type) String() string {
	switch t {
	case Ping:
		return "Ping"
	case Pong:
		return "Pong"
	case Push:
		return "Push"
	case Query:
		return "Query"
	case QueryHit:
		return "QueryHit"
	}
	return fmt.Sprintf("type %#x", uint8(t))
}

// HeaderSize is the length of a message's header.
const HeaderSize = 23

// MaxPayload is the longest payload that is accepted. The protocol sets no bound; longer ones are
// a fault of the sender, who loses the connection.
const MaxPayload = 16 << 10

// A Result is a file that a servent offers in a QueryHit.
type Result struct {
	Index, Size uint32
	Name        string
}

// A Message is one message of protocol 0.4:
//
//	 0            16     17    18     19            23
//	+--------------+------+-----+------+-------------+---------
//	| GUID         | type | TTL | hops | length, LE  | payload
//	+--------------+------+-----+------+-------------+---------
//
//	Ping      none
//	Pong      port (2), IPv4 address (4), files (4), kilobytes (4)
//	Query     least speed (2), text, NUL
//	QueryHit  count (1), port (2), IPv4 address (4), speed (4),
//	          count times: index (4), size (4), name, NUL, NUL; servent GUID (16)
//	Push      servent GUID (16), index (4), IPv4 address (4), port (2)
//
// Numbers are little-endian, addresses are in network order. Bytes behind a Query's text or a
// QueryHit's name, where later protocols put extensions, are skipped.
type Message struct {
	ID        GUID
	Type      Type
	TTL, Hops uint8

	Addr      netip.AddrPort // Pong, QueryHit, Push; IPv4
	Files     uint32         // Pong
	Kilobytes uint32         // Pong
	Speed     uint32         // QueryHit; the least speed of a Query
	Text      string         // Query
	Results   []Result       // QueryHit; 255 at most
	Servent   GUID           // QueryHit, Push
	Index     uint32         // Push
}

var _ encoding.BinaryAppender = (*Message)(nil)

// AppendBinary appends the message to b. It fails with ErrMalformed if the message has an address that is not
// IPv4, a NUL in a text, more than 255 results or a payload above MaxPayload.
func (m *Message) AppendBinary(b []byte) ([]byte, error) {
	begin := len(b)
	b = append(b, m.ID[:]...)
	b = append(b, byte(m.Type), m.TTL, m.Hops, 0, 0, 0, 0)
	var err error
	switch m.Type {
	case Ping:
	case Pong:
		b = binary.LittleEndian.AppendUint16(b, m.Addr.Port())
		b, err = appendIP(b, m.Addr)
		b = binary.LittleEndian.AppendUint32(b, m.Files)
		b = binary.LittleEndian.AppendUint32(b, m.Kilobytes)
	case Query:
		b = binary.LittleEndian.AppendUint16(b, uint16(m.Speed))
		b, err = appendText(b, m.Text)
	case QueryHit:
		b, err = m.appendHit(b)
	case Push:
		b = append(b, m.Servent[:]...)
		b = binary.LittleEndian.AppendUint32(b, m.Index)
		b, err = appendIP(b, m.Addr)
		b = binary.LittleEndian.AppendUint16(b, m.Addr.Port())
	default:
		err = fmt.Errorf("%w: %v", ErrMalformed, m.Type)
	}
	n := len(b) - begin - HeaderSize
	if err == nil && n > MaxPayload {
		err = fmt.Errorf("%w: a payload of %d bytes", ErrMalformed, n)
	}
	if err != nil {
		return b[:begin], err
	}
	binary.LittleEndian.PutUint32(b[begin+19:], uint32(n))
	return b, nil
}

func (m *Message) appendHit(b []byte) ([]byte, error) {
	if len(m.Results) > 255 {
		return b, fmt.Errorf("%w: %d results", ErrMalformed, len(m.Results))
	}
	b = append(b, byte(len(m.Results)))
	b = binary.LittleEndian.AppendUint16(b, m.Addr.Port())
	b, err := appendIP(b, m.Addr)
	if err != nil {
		return b, err
	}
	b = binary.LittleEndian.AppendUint32(b, m.Speed)
	for _, r := range m.Results {
		b = binary.LittleEndian.AppendUint32(b, r.Index)
		b = binary.LittleEndian.AppendUint32(b, r.Size)
		if b, err = appendText(b, r.Name); err != nil {
			return b, err
		}
		b = append(b, 0)
	}
	return append(b, m.Servent[:]...), nil
}

func appendIP(b []byte, a netip.AddrPort) ([]byte, error) {
	if !a.Addr().Unmap().Is4() {
		return b, fmt.Errorf("%w: %v is not an IPv4 address", ErrMalformed, a.Addr())
	}
	ip := a.Addr().Unmap().As4()
	return append(b, ip[:]...), nil
}

func appendText(b []byte, s string) ([]byte, error) {
	if strings.IndexByte(s, 0) >= 0 {
		return b, fmt.Errorf("%w: a NUL in %q", ErrMalformed, s)
	}
	return append(append(b, s...), 0), nil
}

// ParseHeader decodes a header and returns the length of the payload that follows it. It fails with
// ErrMalformed if b is shorter than HeaderSize or the payload longer than MaxPayload.
func ParseHeader(b []byte) (m Message, length int, err error) {
	if len(b) < HeaderSize {
		return m, 0, fmt.Errorf("%w: a header of %d bytes", ErrMalformed, len(b))
	}
	m.ID = GUID(b)
	m.Type, m.TTL, m.Hops = Type(b[16]), b[17], b[18]
	n := binary.LittleEndian.Uint32(b[19:])
	if n > MaxPayload {
		return m, 0, fmt.Errorf("%w: a %v with a payload of %d bytes", ErrMalformed, m.Type, n)
	}
	return m, int(n), nil
}

// ParsePayload decodes the payload of a message whose header is decoded. A message of an unknown
// type has no fields, which is not an error. Nothing in the message aliases b.
func (m *Message) ParsePayload(b []byte) error {
	ok := true
	switch m.Type {
	case Pong:
		if ok = len(b) >= 14; ok {
			m.Addr = parseAddr(b[2:], b)
			m.Files, m.Kilobytes = binary.LittleEndian.Uint32(b[6:]), binary.LittleEndian.Uint32(b[10:])
		}
	case Query:
		if ok = len(b) >= 3; ok {
			m.Speed = uint32(binary.LittleEndian.Uint16(b))
			m.Text, _, ok = strings.Cut(string(b[2:]), "\x00")
		}
	case QueryHit:
		ok = m.parseHit(b)
	case Push:
		if ok = len(b) >= 26; ok {
			m.Servent = GUID(b)
			m.Index = binary.LittleEndian.Uint32(b[16:])
			m.Addr = parseAddr(b[20:], b[24:])
		}
	}
	if !ok {
		return fmt.Errorf("%w: a %v with a payload of %d bytes", ErrMalformed, m.Type, len(b))
	}
	return nil
}

func (m *Message) parseHit(b []byte) bool {
	const fixed = 11
	if len(b) < fixed+len(m.Servent) {
		return false
	}
	count := int(b[0])
	m.Addr = parseAddr(b[3:], b[1:])
	m.Speed = binary.LittleEndian.Uint32(b[7:])
	m.Servent = GUID(b[len(b)-len(m.Servent):])
	b = b[fixed : len(b)-len(m.Servent)]
	m.Results = nil
	for range count {
		if len(b) < 8 {
			return false
		}
		r := Result{Index: binary.LittleEndian.Uint32(b), Size: binary.LittleEndian.Uint32(b[4:])}
		name, rest, ok := strings.Cut(string(b[8:]), "\x00")
		_, rest, second := strings.Cut(rest, "\x00")
		if !ok || !second {
			return false
		}
		r.Name = name
		m.Results = append(m.Results, r)
		b = b[len(b)-len(rest):]
	}
	return true
}

func parseAddr(ip, port []byte) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip)), binary.LittleEndian.Uint16(port))
}
