//go:build !linux

package datagram

import "net/netip"

// pathMTU returns the MTU of the interface that a connected socket sends from.
func pathMTU(local netip.Addr, to netip.AddrPort) int {
	conn, err := dial(local, to)
	if err != nil {
		return 0
	}
	defer conn.Close()
	return interfaceMTU(addrPort(conn.LocalAddr()).Addr())
}
