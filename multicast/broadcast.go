package multicast

import (
	"fmt"
	"net"
	"net/netip"
)

// limited is the limited broadcast address.
var limited = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// LimitedBroadcast returns 255.255.255.255. Packets to it reach all hosts of the local
// network (RFC 919, section 7). Without a default route they need [Config.Interface].
func LimitedBroadcast() netip.Addr { return limited }

// DirectedBroadcast returns the address of all hosts in network: all bits of the host part
// are one (RFC 919, section 7). It fails for IPv6, for multicast, and for a prefix of 31 or
// 32 bits (RFC 3021), which have no such address.
func DirectedBroadcast(network netip.Prefix) (netip.Addr, error) {
	addr := network.Addr().Unmap()
	switch {
	case !network.IsValid() || !addr.Is4() || addr.IsMulticast():
		return netip.Addr{}, fmt.Errorf("multicast: %v is not an IPv4 network", network)
	case network.Bits() > 30:
		return netip.Addr{}, fmt.Errorf("multicast: %v is too small to have a broadcast address", network)
	}
	a := addr.As4()
	for i := network.Bits(); i < 32; i++ {
		a[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(a), nil
}

// IsBroadcast reports whether addr is 255.255.255.255 or the broadcast address of a network
// that an interface of this host is in.
func IsBroadcast(addr netip.Addr) bool {
	addr = addr.Unmap()
	if addr == limited {
		return true
	}
	addrs, _ := net.InterfaceAddrs()
	return isBroadcastOf(addr, addrs)
}

// isBroadcastOf reports whether addr is the broadcast address of one of the networks.
func isBroadcastOf(addr netip.Addr, networks []net.Addr) bool {
	for _, n := range networks {
		p, err := netip.ParsePrefix(n.String())
		if err != nil {
			continue
		}
		if b, err := DirectedBroadcast(p); err == nil && b == addr {
			return true
		}
	}
	return false
}
