package proxy

import (
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// force sets the receive buffer of a socket beyond net.core.rmem_max, which takes
// CAP_NET_ADMIN (socket(7)).
func force(pc net.PacketConn, bytes int) (ok bool) {
	control(pc, func(fd int) {
		ok = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, bytes) == nil
	})
	return ok
}

// The kernel's SK_MEMINFO values (linux/sock_diag.h), of which the last counts the
// packets that were dropped at the socket. It is the counter that SO_RXQ_OVFL
// attaches to packets, and can be read without a packet.
const (
	meminfoDrops = 8
	meminfoVars  = 9
)

// drops returns how many packets the system dropped at a socket because its receive
// buffer was full.
func drops(pc net.PacketConn) (n int) {
	control(pc, func(fd int) {
		var info [meminfoVars]uint32
		size := uint32(unsafe.Sizeof(info))
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
		if errno == 0 && size == uint32(unsafe.Sizeof(info)) {
			n = int(info[meminfoDrops])
		}
	})
	return n
}

// control calls f with the descriptor of a socket. It does nothing if pc is none, or
// closed.
func control(pc net.PacketConn, f func(fd int)) {
	sc, ok := pc.(syscall.Conn)
	if !ok {
		return
	}
	if raw, err := sc.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { f(int(fd)) })
	}
}
