package lossy

import (
	"encoding/binary"
	"net/netip"
)

// The format is that of the Internet-Draft draft-ietf-opsawg-pcapng. All
// numbers are little-endian, which the file's header says.
const (
	blockFile      = 0x0a0d0d0a
	blockInterface = 1
	blockPacket    = 6 // "enhanced packet block"

	byteOrder = 0x1a2b3c4d

	// linkEthernet is LINKTYPE_ETHERNET. (Without Ethernet headers there
	// would be LINKTYPE_RAW, of which libpcap reads one interface only.)
	linkEthernet = 1

	optionEnd     = 0
	optionComment = 1
	optionFlags   = 2 // of a packet: 1 is inbound, 2 is outbound
	optionName    = 2 // of an interface
	optionTimes   = 9 // of an interface: the negative power of ten of a tick
)

// The interfaces of a file, in order.
var interfaces = [...]string{"passed", "dropped"}

var little = binary.LittleEndian

// A block is built by appending its body to what appendBlock returns, and
// then calling end.
func appendBlock(b []byte, kind uint32) (start int, _ []byte) {
	start = len(b)
	b = little.AppendUint32(b, kind)
	return start, little.AppendUint32(b, 0) // the length
}

// endBlock ends the options and the block that began at start.
func endBlock(b []byte, start int) []byte {
	b = little.AppendUint32(b, optionEnd)
	length := uint32(len(b) - start + 4)
	little.PutUint32(b[start+4:], length)
	return little.AppendUint32(b, length)
}

func appendOption(b []byte, code uint16, value []byte) []byte {
	value = value[:min(len(value), 1<<16-1)]
	b = little.AppendUint16(b, code)
	b = little.AppendUint16(b, uint16(len(value)))
	return pad(append(b, value...), len(value))
}

// pad makes what follows n bytes begin at a multiple of four.
func pad(b []byte, n int) []byte {
	for ; n%4 != 0; n++ {
		b = append(b, 0)
	}
	return b
}

func appendFileHeader(b []byte) []byte {
	start, b := appendBlock(b, blockFile)
	b = little.AppendUint32(b, byteOrder)
	b = little.AppendUint16(b, 1) // version 1.0
	b = little.AppendUint16(b, 0)
	b = little.AppendUint64(b, 1<<64-1) // of unknown length
	return endBlock(b, start)
}

func appendInterface(b []byte, name string) []byte {
	start, b := appendBlock(b, blockInterface)
	b = little.AppendUint16(b, linkEthernet)
	b = little.AppendUint16(b, 0) // reserved
	b = little.AppendUint32(b, 0) // packets are not cut off
	b = appendOption(b, optionName, []byte(name))
	b = appendOption(b, optionTimes, []byte{9})
	return endBlock(b, start)
}

// appendPacket appends the block of one packet.
func appendPacket(b []byte, e Event) []byte {
	start, b := appendBlock(b, blockPacket)
	on, flags := uint32(0), uint32(2)
	if e.Verdict == Dropped {
		on = 1
	}
	if e.Direction == Incoming {
		flags = 1
	}
	at := uint64(e.Time.UnixNano())
	b = little.AppendUint32(b, on)
	b = little.AppendUint32(b, uint32(at>>32))
	b = little.AppendUint32(b, uint32(at))
	lengths := len(b)
	b = little.AppendUint64(b, 0) // captured and original length
	data := len(b)
	b, whole := appendFrame(b, e)
	captured := len(b) - data
	little.PutUint32(b[lengths:], uint32(captured))
	little.PutUint32(b[lengths+4:], uint32(whole))
	b = pad(b, captured)
	b = appendOption(b, optionFlags, little.AppendUint32(nil, flags))
	b = appendOption(b, optionComment, []byte(e.comment()))
	return endBlock(b, start)
}

// appendFrame appends the packet with its headers, and returns how long it
// was: a payload longer than UDP can carry, of a conn of another kind, is cut
// off.
func appendFrame(b []byte, e Event) (_ []byte, whole int) {
	from, to := e.ends()
	payload := e.Payload[:min(len(e.Payload), maxPayload(to.Addr()))]
	start := len(b)
	b = appendMAC(appendMAC(b, to.Addr()), from.Addr())
	b = append(b, 0x08, 0) // IPv4
	if to.Addr().Is6() {
		b[len(b)-2], b[len(b)-1] = 0x86, 0xdd
	}
	b = appendIP(b, from.Addr(), to.Addr(), uint16(e.N), 8+len(payload))
	b = appendUDP(b, from, to, payload)
	return b, len(b) - start + len(e.Payload) - len(payload)
}

// appendMAC appends the Ethernet address of a host: that of a group (RFC 1112,
// section 6.4; RFC 2464, section 7), or a locally administered one with the last
// bytes of the IP address.
func appendMAC(b []byte, a netip.Addr) []byte {
	ip := a.AsSlice()
	last := ip[len(ip)-4:]
	switch {
	case !a.IsMulticast():
		return append(append(b, 2, 0), last...)
	case a.Is6():
		return append(append(b, 0x33, 0x33), last...)
	}
	return append(b, 1, 0, 0x5e, last[1]&0x7f, last[2], last[3])
}

// appendIP appends the header of a UDP packet (RFC 791, RFC 8200).
func appendIP(b []byte, from, to netip.Addr, id uint16, udp int) []byte {
	const protocol, ttl = 17, 64
	start := len(b)
	if to.Is4() {
		b = append(b, 0x45, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(20+udp))
		b = binary.BigEndian.AppendUint16(b, id)
		b = append(b, 0x40, 0, ttl, protocol, 0, 0) // do not fragment; no checksum yet
	} else {
		b = append(b, 0x60, 0, 0, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(udp))
		b = append(b, protocol, ttl)
	}
	b = append(append(b, from.AsSlice()...), to.AsSlice()...)
	if to.Is4() {
		binary.BigEndian.PutUint16(b[start+10:], ^fold(sum(0, b[start:])))
	}
	return b
}

// appendUDP appends a datagram, with the checksum over it and a pseudo-header
// (RFC 768).
func appendUDP(b []byte, from, to netip.AddrPort, payload []byte) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint16(b, from.Port())
	b = binary.BigEndian.AppendUint16(b, to.Port())
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(payload)))
	b = append(append(b, 0, 0), payload...)
	pseudo := sum(sum(17+uint32(8+len(payload)), from.Addr().AsSlice()), to.Addr().AsSlice())
	check := ^fold(sum(pseudo, b[start:]))
	if check == 0 {
		check = 0xffff // 0 would say that there is none
	}
	binary.BigEndian.PutUint16(b[start+6:], check)
	return b
}

// sum adds 16-bit words to s, as the Internet checksum does (RFC 1071). 128 KiB
// do not overflow it.
func sum(s uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}

// fold adds the carries.
func fold(s uint32) uint16 {
	s = s>>16 + s&0xffff
	return uint16(s>>16 + s)
}
