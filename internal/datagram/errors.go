package datagram

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// Fatal reports whether err, of a read or a write, means that the conn cannot be used any
// more: it is closed, or it is not a socket. Any other error of a write is about one packet,
// which counts as lost on the way: an unreachable network may be reachable a second later.
//
// The end of a deadline or of a context is not Fatal.
func Fatal(err error) bool {
	return errors.Is(err, net.ErrClosed) ||
		errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, io.EOF) ||
		errors.Is(err, os.ErrClosed) ||
		isErrno(err, unusable)
}

// TooLong reports whether err, of a write, means that the packet is longer than the conn, or
// the path as far as it is known, can take.
func TooLong(err error) bool { return isErrno(err, tooLong) }

// passing reports whether err, of a read, is about an earlier packet that was sent (an ICMP
// message came back), or about a temporary shortage, and not about the socket.
func passing(err error) bool { return isErrno(err, momentary) }

func isErrno(err error, class func(syscall.Errno) bool) bool {
	errno, ok := errors.AsType[syscall.Errno](err)
	return ok && class(errno)
}

// errNoAddr is the error of a packet without a destination.
var errNoAddr = errors.New("datagram: packet without an address and port")
