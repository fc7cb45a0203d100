//go:build unix && !linux

package tcpstate

import "syscall"

func setsockopt(fd uintptr, option, value int) error {
	return syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, option, value)
}
