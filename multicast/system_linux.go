package multicast

import (
	"os"

	"golang.org/x/sys/unix"
)

// choosesShared says that the system, when it is to choose a port for a socket that
// shares it, may choose one that another such socket has.
const choosesShared = true

// share lets others be bound to the same port: CSCI 351 project 4, "UDP Receiver".
func share(fd uintptr) error {
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
}

// setAll says whether packets of groups are delivered that other sockets have joined.
func (s *socket) setAll(on bool) error {
	level, name, value := unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0
	if s.six() {
		level, name = unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL
	}
	if on {
		value = 1
	}
	raw, err := s.udp.SyscallConn()
	if err != nil {
		return err
	}
	var errSet error
	if err := raw.Control(func(fd uintptr) { errSet = unix.SetsockoptInt(int(fd), level, name, value) }); err != nil {
		return err
	}
	return os.NewSyscallError("setsockopt", errSet)
}

// optional passes an error on: here the destination of packets is always told.
func optional(err error) error { return err }
