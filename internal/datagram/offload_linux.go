package datagram

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// Segmentation offload: the system takes datagrams of one length for one destination in
// one piece and cuts them apart as late as possible (UDP_SEGMENT, udp(7)). In the other
// direction it delivers datagrams of one source in one piece (UDP_GRO). The packets on
// the wire are the same.
const (
	maxSegmented = 64    // datagrams in one piece (UDP_MAX_SEGMENTS of old kernels)
	maxJoined    = 65000 // bytes in one piece, less than what an IP packet holds
)

// canSegment reports whether the kernel cuts messages into datagrams. A device that cannot
// is found later: see refusesSegments.
func canSegment(raw syscall.RawConn) bool {
	var err error
	errControl := raw.Control(func(fd uintptr) {
		_, err = unix.GetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_SEGMENT)
	})
	return errControl == nil && err == nil
}

// refusesSegments reports whether an error of a segmented message may be caused by the
// segments: they do not fit the path (EINVAL, EMSGSIZE), or the device computes no
// checksums (EIO).
func refusesSegments(errno syscall.Errno) bool {
	switch errno {
	case unix.EINVAL, unix.EMSGSIZE, unix.EIO, unix.EOPNOTSUPP, unix.ENOPROTOOPT, unix.EPERM:
		return true
	}
	return false
}

// setJoin sets whether the kernel joins datagrams that a socket receives. It reports
// whether the kernel obeys.
func setJoin(raw syscall.RawConn, on bool) bool {
	value := 0
	if on {
		value = 1
	}
	return setsockopt(raw, unix.SOL_UDP, unix.UDP_GRO, value) == nil
}
