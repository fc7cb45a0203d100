package datagram

import (
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// system reads and writes a UDP socket with recvmmsg(2) and sendmmsg(2), if the kernel
// lets it. They are ours because those of golang.org/x/net allocate an address for
// every packet.
func system(conn *net.UDPConn) (BatchReader, BatchWriter) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, nil
	}
	family, err := sockopt(raw, unix.SO_DOMAIN)
	if err != nil || family != unix.AF_INET && family != unix.AF_INET6 {
		return nil, nil
	}
	if !offers(raw, recvmmsg) || !offers(raw, sendmmsg) {
		return nil, nil
	}
	return newMmsgReader(conn, raw), newMmsgWriter(conn, raw, family, segments(raw))
}

// offers reports whether the kernel has a call, by asking it to do nothing. A sandbox
// may say EPERM where an old kernel says ENOSYS.
func offers(raw syscall.RawConn, call mmsgCall) bool {
	var errno syscall.Errno
	err := raw.Control(func(fd uintptr) { _, errno = call(fd, nil) })
	return err == nil && errno != unix.ENOSYS && errno != unix.EPERM
}

// sockopt reads an option of level SOL_SOCKET.
func sockopt(raw syscall.RawConn, name int) (value int, err error) {
	errControl := raw.Control(func(fd uintptr) {
		value, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, name)
	})
	if errControl != nil {
		return 0, errControl
	}
	return value, err
}

// An mmsgCall is recvmmsg or sendmmsg. The kernel returns how many messages it handled,
// or the error of the first.
type mmsgCall func(fd uintptr, msgs []unix.Mmsghdr) (int, syscall.Errno)

// Neither call waits: that is the runtime's part, even if somebody has made the descriptor
// a blocking one. (sendmmsg has no sixth argument, recvmmsg has a timeout that we do not
// want.)

// recvmmsg only copies what is there, so the scheduler is not told of the call: otherwise
// each packet that wakes up a process would wake up the scheduler's watchdog, too.
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

// messages are what the kernel is given: for each message an address, one buffer or
// several, and a control message, which is about segments.
type messages struct {
	hdrs     []unix.Mmsghdr
	iovs     []unix.Iovec
	names    []sockaddr
	controls []control
}

// reserve makes room for n messages of one buffer each, or for fewer of several.
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
