package datagram

import (
	"cmp"
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// system reads and writes a UDP socket with recvmmsg(2) and sendmmsg(2), if the kernel
// lets it. (The batches of golang.org/x/net allocate an address for every packet.)
func system(conn *net.UDPConn) (BatchReader, BatchWriter) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, nil
	}
	family, err := getsockopt(raw, unix.SO_DOMAIN)
	if err != nil || family != unix.AF_INET && family != unix.AF_INET6 {
		return nil, nil
	}
	if !offers(raw, recvmmsg) || !offers(raw, sendmmsg) {
		return nil, nil
	}
	return newSocketReader(conn, raw), newSocketWriter(conn, raw, family, canSegment(raw))
}

// offers reports whether the kernel has a system call: it makes the call with no messages.
// A sandbox may return EPERM where an old kernel returns ENOSYS.
func offers(raw syscall.RawConn, call mmsgCall) bool {
	var errno syscall.Errno
	err := raw.Control(func(fd uintptr) { _, errno = call(fd, nil) })
	return err == nil && errno != unix.ENOSYS && errno != unix.EPERM
}

// getsockopt reads an option of level SOL_SOCKET.
func getsockopt(raw syscall.RawConn, name int) (value int, err error) {
	errControl := raw.Control(func(fd uintptr) {
		value, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, name)
	})
	if errControl != nil {
		return 0, errControl
	}
	return value, err
}

func setsockopt(raw syscall.RawConn, level, name, value int) (err error) {
	errControl := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), level, name, value)
	})
	return cmp.Or(errControl, err)
}

// An mmsgCall is recvmmsg or sendmmsg. The kernel returns how many messages it handled,
// or the error of the first.
type mmsgCall func(fd uintptr, msgs []unix.Mmsghdr) (int, syscall.Errno)

// Neither call waits, even if somebody has made the descriptor a blocking one: the Go
// runtime does the waiting. (sendmmsg has no sixth argument; recvmmsg has a timeout, which
// is not used.)

// recvmmsg only copies what has arrived. It is a RawSyscall, which the scheduler is not
// told of: otherwise each packet that wakes a process would also wake the scheduler's
// monitor thread.
func recvmmsg(fd uintptr, msgs []unix.Mmsghdr) (int, syscall.Errno) {
	first := unsafe.SliceData(msgs)
	n, _, errno := syscall.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(first)), uintptr(len(msgs)),
		unix.MSG_DONTWAIT, 0, 0)
	return handled(n, errno)
}

// sendmmsg may carry packets all the way to receivers on the same machine.
func sendmmsg(fd uintptr, msgs []unix.Mmsghdr) (int, syscall.Errno) {
	first := unsafe.SliceData(msgs)
	n, _, errno := syscall.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(first)), uintptr(len(msgs)),
		unix.MSG_DONTWAIT, 0, 0)
	return handled(n, errno)
}

func handled(n uintptr, errno syscall.Errno) (int, syscall.Errno) {
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// messages are the arguments of a system call: for each message an address, one buffer or
// several, and control messages.
type messages struct {
	hdrs     []unix.Mmsghdr
	iovs     []unix.Iovec
	names    []sockaddr
	controls []control
}

// reserve makes room for n messages of one buffer each, or for fewer messages of several.
func (m *messages) reserve(n int) {
	if n <= len(m.hdrs) {
		return
	}
	m.hdrs = make([]unix.Mmsghdr, n)
	m.iovs = make([]unix.Iovec, n)
	m.names = make([]sockaddr, n)
	m.controls = make([]control, n)
	for i := range m.hdrs {
		m.hdrs[i].Hdr.Iov = &m.iovs[i]
		m.hdrs[i].Hdr.SetIovlen(1)
	}
}
