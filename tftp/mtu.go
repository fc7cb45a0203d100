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

// pathMTU returns the smaller of DefaultMTU and what the system knows of the way to a peer.
func pathMTU(conn *datagram.Conn, local netip.Addr, to netip.AddrPort) int {
	if mtu := conn.PathMTU(local, to); mtu > 0 {
		return min(mtu, DefaultMTU)
	}
	return DefaultMTU
}

// usualBuffer is the receive buffer of a socket on Linux, in bytes, where nobody
// has changed it; other systems have as much or more.
const usualBuffer = 212992

// footprint is about what a datagram with a block takes of a receive buffer: Linux
// counts the memory it lies in, a power of two, and 256 bytes to manage it.
func footprint(blockSize int) int {
	const headers = 64 + 320
	return 1<<bits.Len(uint(blockSize+headers-1)) + 256
}

// windowFor is how many blocks may arrive in a row without more of them than buffer
// holds. One always fits.
func windowFor(buffer, blockSize int) int {
	if buffer <= 0 {
		buffer = usualBuffer
	}
	return min(max(buffer/footprint(blockSize), 1), MaxWindowSize)
}
