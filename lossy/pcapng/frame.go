package pcapng

import (
	"encoding/binary"
	"net/netip"

	"github.com/ferrygo/ferry/lossy"
)

// appendFrame appends the packet with its headers, and returns how long it
// was: a payload longer than UDP can carry, of a conn of another kind, is cut
// off.
func appendFrame(b []byte, e lossy.Event) (_ []byte, whole int) {
	from, to := endpoints(e)
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

// maxPayload returns the longest payload of a UDP datagram to an address: 65535
// bytes less a UDP header and, with IPv4 only, an IP header (RFC 768; RFC 791,
// section 3.1; RFC 8200, section 3).
func maxPayload(to netip.Addr) int {
	if to.Is6() {
		return 65535 - 8
	}
	return 65535 - 20 - 8
}

// endpoints returns the addresses for the headers of a packet: both of the same IP
// version.
func endpoints(e lossy.Event) (from, to netip.AddrPort) {
	from, to = e.From, e.To
	if e.Group.IsValid() {
		to = netip.AddrPortFrom(e.Group, to.Port())
	}
	a, b := from.Addr().WithZone(""), to.Addr().WithZone("")
	if !known(a) && b.Is4() || !known(b) && a.Is4() || !known(a) && !known(b) {
		a, b = four(a), four(b)
	} else if a.Is6() || b.Is6() {
		a, b = six(a), six(b)
	}
	return netip.AddrPortFrom(a, from.Port()), netip.AddrPortFrom(b, to.Port())
}

// known reports whether an address names a host.
func known(a netip.Addr) bool { return a.IsValid() && !a.IsUnspecified() }

// four returns a as an IPv4 address, which it is or else unknown.
func four(a netip.Addr) netip.Addr {
	if a.Is4() {
		return a
	}
	return netip.IPv4Unspecified()
}

// six returns a as an IPv6 address.
func six(a netip.Addr) netip.Addr {
	if !known(a) {
		return netip.IPv6Unspecified()
	}
	return netip.AddrFrom16(a.As16())
}
