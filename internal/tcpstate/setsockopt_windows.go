package tcpstate

import "syscall"

func setsockopt(fd uintptr, option, value int) error {
	return syscall.SetsockoptInt(syscall.Handle(fd), syscall.IPPROTO_TCP, option, value)
}
