package datagram

import (
	"net"
	"net/netip"
)

// PathMTU returns the length of the longest IP packet that reaches an address without
// fragmentation, as far as the system knows it: the MTU that it learned for the path, or that of
// the interface that the packet leaves through. local is the address that the packet is sent from;
// the zero Addr lets the system choose. PathMTU returns 0 if the MTU is not known, or if the
// conn is not a socket.
func (c *Conn) PathMTU(local netip.Addr, to netip.AddrPort) int {
	if !c.socket {
		return 0
	}
	return pathMTU(local, to)
}

// interfaceMTU returns the MTU of the interface that has an address, or 0.
func interfaceMTU(addr netip.Addr) int {
	interfaces, err := net.Interfaces()
	if err != nil {
		return 0
	}
	for _, i := range interfaces {
		addrs, _ := i.Addrs()
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok {
				if ip, ok := netip.AddrFromSlice(n.IP); ok && ip.Unmap() == addr.WithZone("") {
					return i.MTU
				}
			}
		}
	}
	return 0
}

// dial returns a connected socket. Connecting sends nothing.
func dial(local netip.Addr, to netip.AddrPort) (*net.UDPConn, error) {
	var from *net.UDPAddr
	if local.IsValid() {
		from = net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
	return net.DialUDP("udp", from, net.UDPAddrFromAddrPort(to))
}
