package proxy

import "net"

// socketBuffer is the size of receive buffer that the proxy asks for: some
// thousands of full packets.
const socketBuffer = 8 << 20

// enlarge gives a socket as large a receive buffer as the system grants.
func enlarge(pc net.PacketConn) {
	if force(pc, socketBuffer) {
		return
	}
	if c, ok := pc.(interface{ SetReadBuffer(bytes int) error }); ok {
		c.SetReadBuffer(socketBuffer)
	}
}
