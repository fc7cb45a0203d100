package datagram

import (
	"net"
	"net/netip"
)

// addrPort is the IP address and port of a, unmapped; zero if it has none.
func addrPort(a net.Addr) netip.AddrPort {
	switch a := a.(type) {
	case nil:
		return netip.AddrPort{}
	case *net.UDPAddr: // nil, too
		return unmap(a.AddrPort())
	case interface{ AddrPort() netip.AddrPort }:
		return unmap(a.AddrPort())
	}
	ap, _ := netip.ParseAddrPort(a.String())
	return unmap(ap)
}

// unmap makes 4-in-6 addresses IPv4, as everything outside this package has them: a
// dual-stack socket and an IPv4 socket then name a peer alike.
func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
