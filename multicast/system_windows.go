package multicast

import (
	"os"

	"golang.org/x/sys/windows"
)

// choosesShared says that the system may choose a port that another socket has.
const choosesShared = false

// share lets others be bound to the same port: CSCI 351 project 4, "UDP Receiver".
func share(fd uintptr) error {
	err := windows.SetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, windows.SO_REUSEADDR, 1)
	return os.NewSyscallError("setsockopt", err)
}
