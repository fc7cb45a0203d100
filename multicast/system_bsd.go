//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package multicast

import (
	"os"

	"golang.org/x/sys/unix"
)

// choosesShared says that the system may choose a port that another socket has.
const choosesShared = false

// share lets others be bound to the same port: CSCI 351 project 4, "UDP Receiver".
func share(fd uintptr) error {
	for _, name := range []int{unix.SO_REUSEADDR, unix.SO_REUSEPORT} {
		if err := unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, name, 1); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	return nil
}
