package datagram

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// systemBufferSize asks the system for a buffer's size, 0 if there is no system to ask. Linux
// doubles what one asks for, to have room for what it keeps with each packet, and reads
// the double back (socket(7)): half of it is comparable with the request.
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
