package datagram

import (
	"encoding/binary"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Segmentation offload: the system takes datagrams of one length for one destination in
// one piece, and cuts them apart as late as it can (UDP_SEGMENT, udp(7)); and it hands
// over what has come from one source in one piece, which it may never have cut apart
// (UDP_GRO). What is on the wire is the same.
const (
	mostSegmented = 64    // datagrams in one piece (UDP_MAX_SEGMENTS of old kernels)
	longestJoined = 65000 // bytes in one piece, less than what an IP packet holds
)

// A control is room for control messages, of which one is about segments: it holds an
// integer, of 16 bits for UDP_SEGMENT and of 32 for UDP_GRO. There is room for those that
// the socket's owner may have asked for. It is of words, so that all lies as the kernel
// wants it.
//
//	length 8 (4 on 32-bit systems) | level 4 | type 4 | value, padded
type control [16]uint64

func (c *control) bytes() []byte { return unsafe.Slice((*byte)(unsafe.Pointer(c)), unsafe.Sizeof(*c)) }

// segment makes c say that a message is of segments of a length, and returns it.
func (c *control) segment(length int) []byte {
	h := (*unix.Cmsghdr)(unsafe.Pointer(c))
	h.Level, h.Type = unix.SOL_UDP, unix.UDP_SEGMENT
	h.SetLen(unix.CmsgLen(2))
	binary.NativeEndian.PutUint16(c.bytes()[unix.CmsgLen(0):], uint16(length))
	return c.bytes()[:unix.CmsgSpace(2)]
}

// joined is the length of the segments that were received in one message, 0 if c, of
// which length bytes are in use, does not say.
func (c *control) joined(length int) int {
	for b := c.bytes()[:min(length, len(c.bytes()))]; len(b) >= unix.CmsgLen(0); {
		h := (*unix.Cmsghdr)(unsafe.Pointer(unsafe.SliceData(b)))
		if int(h.Len) < unix.SizeofCmsghdr || int(h.Len) > len(b) {
			return 0
		}
		if h.Level == unix.SOL_UDP && h.Type == unix.UDP_GRO && int(h.Len) >= unix.CmsgLen(4) {
			return int(int32(binary.NativeEndian.Uint32(b[unix.CmsgLen(0):])))
		}
		b = b[min(len(b), unix.CmsgSpace(int(h.Len)-unix.CmsgLen(0))):]
	}
	return 0
}

// segments reports whether the kernel cuts messages into datagrams. That a device
// refuses shows only later; see refusesSegments.
func segments(raw syscall.RawConn) bool {
	var err error
	errControl := raw.Control(func(fd uintptr) {
		_, err = unix.GetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_SEGMENT)
	})
	return errControl == nil && err == nil
}

// refusesSegments reports whether an error of a segmented message may be about its
// being one: the segments do not fit the path (EINVAL, EMSGSIZE), or the device has no
// checksums of its own (EIO).
func refusesSegments(errno syscall.Errno) bool {
	switch errno {
	case unix.EINVAL, unix.EMSGSIZE, unix.EIO, unix.EOPNOTSUPP, unix.ENOPROTOOPT, unix.EPERM:
		return true
	}
	return false
}

// Join has the kernel join datagrams that are received at a socket, or not. It reports
// whether it does what it was told.
func Join(raw syscall.RawConn, on bool) bool {
	value := 0
	if on {
		value = 1
	}
	var err error
	errControl := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_GRO, value)
	})
	return errControl == nil && err == nil
}
