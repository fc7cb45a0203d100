package datagram

import (
	"net"
	"net/netip"
	"strconv"
)

// Canonical returns a in the form in which Read reports it: an IPv4-mapped address as
// IPv4, and a zone as the name of the interface, not its number.
func Canonical(a netip.AddrPort) netip.AddrPort {
	a = unmap(a)
	if index, err := strconv.Atoi(a.Addr().Zone()); err == nil {
		if i, err := net.InterfaceByIndex(index); err == nil {
			return netip.AddrPortFrom(a.Addr().WithZone(i.Name), a.Port())
		}
	}
	return a
}

// addrPort returns the IP address and port of a, unmapped, or the zero AddrPort if a has
// none.
func addrPort(a net.Addr) netip.AddrPort {
	switch a := a.(type) {
	case nil:
		return netip.AddrPort{}
	case *net.UDPAddr: // including nil
		return unmap(a.AddrPort())
	case interface{ AddrPort() netip.AddrPort }:
		return unmap(a.AddrPort())
	}
	ap, _ := netip.ParseAddrPort(a.String())
	return unmap(ap)
}

// unmap returns an IPv4-mapped address as IPv4, so that a peer has the same address on
// a dual-stack socket and on an IPv4 socket.
func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
