package multicast

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"syscall"
	"unsafe"

	"github.com/ferrygo/ferry/internal/datagram"
	"golang.org/x/sys/unix"
)

const (
	// mostRead bounds the packets of one system call.
	mostRead = 256
	// controlLen has room for the address (of either version) and the TTL.
	controlLen = 128
)

// A reader reads packets, many for each system call, with what each was sent to. Its
// methods are for one goroutine. recvmmsg is called here because neither the net
// package nor golang.org/x/net tells destinations without allocating for every packet.
type reader struct {
	s     *socket
	raw   syscall.RawConn
	names names
	infos []Info

	hdrs     []unix.Mmsghdr
	iovs     []unix.Iovec
	sources  [][unix.SizeofSockaddrInet6]byte
	controls [][controlLen]byte

	// What the kernel is asked and what it said; the closure is made once.
	asked int
	n     int
	errno syscall.Errno
	wait  func(fd uintptr) bool
	look  func(fd uintptr)
}

func newReader(s *socket) *reader {
	r := &reader{s: s}
	r.wait = func(fd uintptr) bool { r.receive(fd); return r.errno != unix.EAGAIN }
	r.look = r.receive
	return r
}

func (r *reader) receive(fd uintptr) {
	for {
		// It never waits, so the scheduler need not know.
		n, _, errno := syscall.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(unsafe.SliceData(r.hdrs))),
			uintptr(r.asked), unix.MSG_DONTWAIT, 0, 0)
		r.n, r.errno = int(n), errno
		if errno != unix.EINTR {
			return
		}
	}
}

// joins says whether the kernel may join packets, and reports whether it does.
func (r *reader) joins(on bool) bool {
	raw, err := r.s.udp.SyscallConn()
	return err == nil && datagram.Join(raw, on) && on
}

// scratch returns infos for n packets.
func (r *reader) scratch(n int) []Info {
	if len(r.infos) < n {
		r.infos = make([]Info, n)
	}
	return r.infos[:n]
}

// read takes the packets that are there, and waits for one if it is to. The errors that an
// ICMP message left behind are not those of the socket.
func (r *reader) read(bufs [][]byte, sizes []int, infos []Info, wait bool) (int, error) {
	if r.raw == nil {
		raw, err := r.s.udp.SyscallConn()
		if err != nil {
			return 0, err
		}
		r.raw = raw
	}
	r.ask(bufs)
	defer clear(r.iovs[:r.asked]) // the buffers are the caller's again
	var err error
	if wait {
		err = r.raw.Read(r.wait)
	} else {
		err = r.raw.Control(r.look) // which looks at no deadline
	}
	switch {
	case err != nil:
		return 0, err
	case r.errno == unix.EAGAIN:
		return 0, nil
	case r.errno != 0:
		return 0, &net.OpError{Op: "read", Net: "udp", Source: r.s.udp.LocalAddr(), Err: os.NewSyscallError("recvmmsg", r.errno)}
	}
	for i := range r.n {
		sizes[i] = int(r.hdrs[i].Len)
		infos[i] = r.info(i)
	}
	return r.n, nil
}

// ask prepares the messages. What the kernel has put in their headers must be said each
// time.
func (r *reader) ask(bufs [][]byte) {
	r.asked = min(len(bufs), mostRead)
	if len(r.hdrs) < r.asked {
		r.hdrs = make([]unix.Mmsghdr, r.asked)
		r.iovs = make([]unix.Iovec, r.asked)
		r.sources = make([][unix.SizeofSockaddrInet6]byte, r.asked)
		r.controls = make([][controlLen]byte, r.asked)
	}
	for i, b := range bufs[:r.asked] {
		h := &r.hdrs[i].Hdr
		h.Name, h.Namelen = &r.sources[i][0], unix.SizeofSockaddrInet6
		h.Control = &r.controls[i][0]
		h.SetControllen(controlLen)
		h.Iov = &r.iovs[i]
		h.SetIovlen(1)
		r.iovs[i].Base = unsafe.SliceData(b)
		r.iovs[i].SetLen(len(b))
	}
}

// info says where message i came from and what it was sent to.
func (r *reader) info(i int) Info {
	info := Info{TTL: -1}
	r.control(&info, r.controls[i][:r.hdrs[i].Hdr.Controllen])
	info.Interface = r.names.of(info.index)
	s := &r.sources[i]
	port := binary.BigEndian.Uint16(s[2:])
	if !r.s.six() {
		info.Source = netip.AddrPortFrom(netip.AddrFrom4([4]byte(s[4:8])), port)
		return info
	}
	addr := netip.AddrFrom16([16]byte(s[8:24]))
	if scope := binary.NativeEndian.Uint32(s[24:]); scope != 0 {
		addr = addr.WithZone(r.names.of(int(scope)))
	}
	info.Source = netip.AddrPortFrom(addr, port)
	return info
}

// control reads control messages: a header of length, level and type, and the data,
// aligned.
func (r *reader) control(info *Info, b []byte) {
	header, align := unix.CmsgLen(0), unix.CmsgSpace(1)-unix.CmsgLen(0)
	for len(b) >= header {
		h := (*unix.Cmsghdr)(unsafe.Pointer(unsafe.SliceData(b)))
		length := int(h.Len)
		if length < header || length > len(b) {
			return
		}
		info.take(int(h.Level), int(h.Type), b[header:length])
		next := (length + align - 1) / align * align
		b = b[min(next, len(b)):]
	}
}

// take reads one control message.
func (i *Info) take(level, kind int, data []byte) {
	number := func(b []byte) int { return int(int32(binary.NativeEndian.Uint32(b))) }
	switch {
	case level == unix.IPPROTO_IP && kind == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
		// struct in_pktinfo: interface, the local address, and the destination. The two
		// differ for a group and for a broadcast.
		i.index = number(data)
		i.Destination = netip.AddrFrom4([4]byte(data[8:12]))
		i.broadcast = !i.Destination.IsMulticast() && i.Destination != netip.AddrFrom4([4]byte(data[4:8]))
	case level == unix.IPPROTO_IP && kind == unix.IP_TTL && len(data) >= 4,
		level == unix.IPPROTO_IPV6 && kind == unix.IPV6_HOPLIMIT && len(data) >= 4:
		i.TTL = number(data)
	case level == unix.SOL_UDP && kind == unix.UDP_GRO && len(data) >= 4:
		i.segment = number(data)
	case level == unix.IPPROTO_IPV6 && kind == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
		i.Destination = netip.AddrFrom16([16]byte(data[:16]))
		i.index = number(data[16:])
	}
}
