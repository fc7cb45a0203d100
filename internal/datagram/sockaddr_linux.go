package datagram

import (
	"encoding/binary"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// A sockaddr is the kernel's struct sockaddr_in or sockaddr_in6. Family, flow and scope are
// in the machine's byte order, port and address in network byte order.
//
//	IPv4:  family 2 | port 2 | address 4 | zeros 8
//	IPv6:  family 2 | port 2 | flow 4 | address 16 | scope 4
type sockaddr [unix.SizeofSockaddrInet6]byte

// set makes s the address to, for a socket of a family, and returns its length. On a socket
// of AF_INET6, IPv4 addresses are IPv4-mapped.
func (s *sockaddr) set(to netip.AddrPort, family int, z *zones) (uint32, error) {
	addr := to.Addr()
	clear(s[:])
	binary.NativeEndian.PutUint16(s[0:], uint16(family))
	binary.BigEndian.PutUint16(s[2:], to.Port())
	if family == unix.AF_INET {
		addr = addr.Unmap()
		if !addr.Is4() {
			return 0, &net.AddrError{Err: "non-IPv4 address", Addr: addr.String()}
		}
		a := addr.As4()
		copy(s[4:8], a[:])
		return unix.SizeofSockaddrInet4, nil
	}
	// 0.0.0.0 means this host, but its IPv4-mapped form does not.
	if addr != netip.IPv4Unspecified() {
		a := addr.As16()
		copy(s[8:24], a[:])
	}
	if zone := addr.Zone(); zone != "" {
		index := z.index(zone)
		if index == 0 {
			// The kernel would send to a group through any interface.
			return 0, &net.AddrError{Err: "no interface has the name of the zone", Addr: addr.String()}
		}
		binary.NativeEndian.PutUint32(s[24:], index)
	}
	return unix.SizeofSockaddrInet6, nil
}

// addrPort returns the address in the first n bytes of s, unmapped, or zero if there is none.
func (s *sockaddr) addrPort(n uint32, z *zones) netip.AddrPort {
	if n < unix.SizeofSockaddrInet4 {
		return netip.AddrPort{}
	}
	port := binary.BigEndian.Uint16(s[2:])
	switch binary.NativeEndian.Uint16(s[0:]) {
	case unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(s[4:8])), port)
	case unix.AF_INET6:
		if n < unix.SizeofSockaddrInet6 {
			return netip.AddrPort{}
		}
		addr := netip.AddrFrom16([16]byte(s[8:24])).Unmap()
		if scope := binary.NativeEndian.Uint32(s[24:]); scope != 0 && addr.Is6() {
			addr = addr.WithZone(z.name(scope))
		}
		return netip.AddrPortFrom(addr, port)
	}
	return netip.AddrPort{}
}
