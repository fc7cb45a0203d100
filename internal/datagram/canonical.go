package datagram

import (
	"net"
	"net/netip"
	"strconv"
)

// Canonical returns an address as packets will have it that come from there: never IPv4
// in IPv6, and a zone by its interface's name, where a user may have given its number.
func Canonical(a netip.AddrPort) netip.AddrPort {
	a = unmap(a)
	if index, err := strconv.Atoi(a.Addr().Zone()); err == nil {
		if i, err := net.InterfaceByIndex(index); err == nil {
			return netip.AddrPortFrom(a.Addr().WithZone(i.Name), a.Port())
		}
	}
	return a
}
