//go:build !windows

package datagram

import "syscall"

func unusable(e syscall.Errno) bool {
	switch e {
	case syscall.EBADF, syscall.ENOTSOCK, syscall.EPIPE, syscall.ESHUTDOWN:
		return true
	}
	return false
}

func tooLong(e syscall.Errno) bool { return e == syscall.EMSGSIZE }

func momentary(e syscall.Errno) bool {
	switch e {
	case syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EHOSTUNREACH, syscall.ENETUNREACH,
		syscall.EHOSTDOWN, syscall.ENETDOWN, syscall.ENOPROTOOPT, syscall.EPROTO,
		syscall.EMSGSIZE, syscall.EACCES, syscall.EINTR, syscall.EAGAIN, syscall.ENOBUFS, syscall.ENOMEM:
		return true
	}
	return false
}
