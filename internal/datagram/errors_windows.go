package datagram

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// Winsock has its own error numbers. A conn that is not a socket may use the numbers that
// package syscall defines for Windows.

func unusable(e syscall.Errno) bool {
	switch e {
	case windows.WSAENOTSOCK, windows.WSAESHUTDOWN, windows.WSAEBADF, windows.ERROR_INVALID_HANDLE,
		syscall.EBADF, syscall.ENOTSOCK, syscall.EPIPE, syscall.ESHUTDOWN:
		return true
	}
	return false
}

func tooLong(e syscall.Errno) bool { return e == windows.WSAEMSGSIZE || e == syscall.EMSGSIZE }

func momentary(e syscall.Errno) bool {
	switch e {
	case windows.WSAECONNRESET, windows.WSAENETRESET, windows.WSAECONNREFUSED,
		windows.WSAEHOSTUNREACH, windows.WSAENETUNREACH, windows.WSAEHOSTDOWN, windows.WSAENETDOWN,
		windows.WSAEMSGSIZE, windows.WSAEINTR, windows.WSAEWOULDBLOCK, windows.WSAENOBUFS,
		windows.ERROR_PORT_UNREACHABLE,
		syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EHOSTUNREACH, syscall.ENETUNREACH,
		syscall.EMSGSIZE, syscall.EINTR, syscall.EAGAIN, syscall.ENOBUFS, syscall.ENOMEM:
		return true
	}
	return false
}
