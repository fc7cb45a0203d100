package datagram

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// systemBufferSize returns the size of a socket's buffer, 0 if pc is not a socket. Linux
// doubles the size that is set, for its own data with each packet, and reports the double
// (socket(7)). Half of it is comparable with the size that was set.
func systemBufferSize(pc net.PacketConn, d direction) int {
	sc, ok := pc.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0
	}
	name := unix.SO_RCVBUF
	if d == sendBuffer {
		name = unix.SO_SNDBUF
	}
	size, err := getsockopt(raw, name)
	if err != nil {
		return 0
	}
	return size / 2
}
