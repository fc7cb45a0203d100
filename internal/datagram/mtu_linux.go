package datagram

import (
	"net/netip"
	"syscall"
)

// pathMTU asks a connected socket (ip(7), IP_MTU; ipv6(7), IPV6_MTU).
func pathMTU(local netip.Addr, to netip.AddrPort) int {
	conn, err := dial(local, to)
	if err != nil {
		return 0
	}
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0
	}
	level, option := syscall.IPPROTO_IP, syscall.IP_MTU
	if to.Addr().Is6() {
		level, option = syscall.IPPROTO_IPV6, syscall.IPV6_MTU
	}
	mtu := 0
	err = raw.Control(func(fd uintptr) {
		var failed error
		if mtu, failed = syscall.GetsockoptInt(int(fd), level, option); failed != nil {
			mtu = 0
		}
	})
	if err != nil {
		return 0
	}
	return mtu
}
