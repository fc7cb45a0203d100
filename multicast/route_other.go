//go:build !linux

package multicast

import (
	"net"
	"net/netip"
)

// routeIndex returns the index of the interface whose address is the source address of the
// system's route to group. A connected socket tells it; nothing is sent.
func routeIndex(group netip.Addr) (int, error) {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(group, 9)))
	if err != nil {
		return 0, err
	}
	defer c.Close()
	local := c.LocalAddr().(*net.UDPAddr)
	all, err := net.Interfaces()
	if err != nil {
		return 0, err
	}
	for _, ifi := range all {
		addrs, _ := ifi.Addrs()
		for _, a := range addrs {
			if ipn, ok := a.(*net.IPNet); ok && ipn.IP.Equal(local.IP) && (local.Zone == "" || local.Zone == ifi.Name) {
				return ifi.Index, nil
			}
		}
	}
	return 0, ErrNoInterface
}
