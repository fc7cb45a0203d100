package tftp

import (
	"math/bits"
	"net/netip"

	"github.com/ferrygo/ferry/internal/datagram"
)

// DefaultMTU is what Ethernet carries in one frame, IP header included.
const DefaultMTU = 1500

// fitting is the largest block size with which a datagram to addr is not cut into
// fragments on a path of that MTU: less the headers of IP, UDP and TFTP.
func fitting(mtu int, addr netip.Addr, wide bool) int {
	const udp, ipv4, ipv6 = 8, 20, 40
	ip := ipv6
	if addr.Is4() || addr.Is4In6() {
		ip = ipv4
	}
	return min(max(mtu-ip-udp-headerLen(wide), minBlockSize), MaxBlockSize)
}

// pathMTU returns the MTU of the path to a peer as far as the system knows it, and at most
// DefaultMTU.
func pathMTU(conn *datagram.Conn, local netip.Addr, to netip.AddrPort) int {
	if mtu := conn.PathMTU(local, to); mtu > 0 {
		return min(mtu, DefaultMTU)
	}
	return DefaultMTU
}

// usualBuffer is the default size of a socket's receive buffer on Linux, in bytes. Other
// systems have as much or more.
const usualBuffer = 212992

// footprint returns about how much of a receive buffer a datagram with a block occupies. Linux
// counts the memory of the datagram, a power of two, and 256 bytes of management data.
func footprint(blockSize int) int {
	const headers = 64 + 320
	return 1<<bits.Len(uint(blockSize+headers-1)) + 256
}

// windowFor returns how many blocks fit a receive buffer. One always fits.
func windowFor(buffer, blockSize int) int {
	if buffer <= 0 {
		buffer = usualBuffer
	}
	return min(max(buffer/footprint(blockSize), 1), MaxWindowSize)
}
