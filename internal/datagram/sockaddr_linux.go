package datagram

import (
	"encoding/binary"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// A sockaddr is a struct sockaddr_in or sockaddr_in6 of the kernel, whose family, flow
// and scope are in the machine's byte order, and port and address in the network's.
//
//	IPv4:  family 2 | port 2 | address 4 | zeros 8
//	IPv6:  family 2 | port 2 | flow 4 | address 16 | scope 4
type sockaddr [unix.SizeofSockaddrInet6]byte

// set makes s the address to of a socket of that family, and returns its length. A
// socket of AF_INET6 names IPv4 hosts by 4-in-6 addresses.
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
	// The address that is all zeros is that of any local interface in IPv4, too, but
	// its 4-in-6 form is not.
	if addr != netip.IPv4Unspecified() {
		a := addr.As16()
		copy(s[8:24], a[:])
	}
	if zone := addr.Zone(); zone != "" {
		binary.NativeEndian.PutUint32(s[24:], z.index(zone))
	}
	return unix.SizeofSockaddrInet6, nil
}

// addrPort is the address in the first n bytes of s, unmapped; zero if there is none.
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
