package multicast

import (
	"fmt"
	"net"
	"net/netip"
)

// MAC returns the Ethernet address to which packets for addr are sent: 01:00:5e and the
// last 23 bits of an IPv4 group (RFC 1112, section 6.4), 33:33 and the last 32 bits of
// an IPv6 group (RFC 2464, section 7), ff:ff:ff:ff:ff:ff for 255.255.255.255. It fails
// for other addresses with [ErrNotGroup].
func MAC(addr netip.Addr) (net.HardwareAddr, error) {
	addr = addr.Unmap()
	switch {
	case addr == limited:
		return net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, nil
	case !addr.IsMulticast():
		return nil, fmt.Errorf("multicast: %v: %w", addr, ErrNotGroup)
	case addr.Is4():
		a := addr.As4()
		return net.HardwareAddr{0x01, 0x00, 0x5e, a[1] & 0x7f, a[2], a[3]}, nil
	}
	a := addr.As16()
	return net.HardwareAddr{0x33, 0x33, a[12], a[13], a[14], a[15]}, nil
}

// Aliases returns the 32 IPv4 groups that share the Ethernet address of group, itself
// included, in order; nil if it is no IPv4 group.
func Aliases(group netip.Addr) []netip.Addr {
	group = group.Unmap()
	if !group.Is4() || !group.IsMulticast() {
		return nil
	}
	a := group.As4()
	all := make([]netip.Addr, 0, 32)
	for high := range byte(16) {
		for _, bit := range []byte{0, 0x80} {
			all = append(all, netip.AddrFrom4([4]byte{224 | high, a[1]&0x7f | bit, a[2], a[3]}))
		}
	}
	return all
}
