package datagram

import (
	"net"
	"net/netip"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A SocketReader reads a UDP socket, a batch per system call. Its methods are for one
// goroutine at a time.
type SocketReader struct {
	conn  *net.UDPConn
	raw   syscall.RawConn
	zones zones
	msgs  messages
	join  bool // the kernel joins datagrams
	infos bool // the kernel tells the destination of datagrams
	asked bool // whether it does has been settled

	// The arguments and results of a system call, and the functions that make it. They
	// are made once because a closure per call would be an allocation.
	call  mmsgCall
	count int
	n     int
	errno syscall.Errno
	wait  func(fd uintptr) bool
	look  func(fd uintptr)
}

func newSocketReader(conn *net.UDPConn, raw syscall.RawConn) *SocketReader {
	r := &SocketReader{conn: conn, raw: raw, call: recvmmsg}
	r.wait = func(fd uintptr) bool { r.receive(fd); return r.errno != unix.EAGAIN }
	r.look = r.receive
	return r
}

// NewSocketReader returns a reader of a socket whose owner has asked the system for the
// control messages that [SocketReader.ReadInfo] is to return. Use [Batches] for any other
// conn.
func NewSocketReader(conn *net.UDPConn) (*SocketReader, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	r := newSocketReader(conn, raw)
	r.infos, r.asked = true, true
	return r, nil
}

func (r *SocketReader) receive(fd uintptr) {
	for {
		r.n, r.errno = r.call(fd, r.msgs.hdrs[:r.count])
		if r.errno != unix.EINTR {
			return
		}
	}
}

// ReadBatch implements [BatchReader].
func (r *SocketReader) ReadBatch(bufs [][]byte, sizes, segments []int, from []netip.AddrPort, local []netip.Addr) (int, error) {
	return r.readBatch(bufs, sizes, segments, from, local, true)
}

// PollBatch implements [BatchPoller].
func (r *SocketReader) PollBatch(bufs [][]byte, sizes, segments []int, from []netip.AddrPort, local []netip.Addr) (int, error) {
	return r.readBatch(bufs, sizes, segments, from, local, false)
}

func (r *SocketReader) readBatch(bufs [][]byte, sizes, segments []int, from []netip.AddrPort, local []netip.Addr, wait bool) (int, error) {
	if local != nil && !r.asked {
		r.askForInfo()
	}
	n, err := r.read(bufs, wait)
	for i := range n {
		m := &r.msgs.hdrs[i]
		sizes[i], segments[i] = int(m.Len), 0
		from[i] = r.msgs.names[i].addrPort(m.Hdr.Namelen, &r.zones)
		var info Info
		if m.Hdr.Controllen > 0 {
			info.parse(&r.msgs.controls[i], int(m.Hdr.Controllen), &r.zones)
			segments[i] = info.Segment
		}
		if local != nil {
			local[i] = info.Local
		}
	}
	return n, err
}

// ReadInfo reads up to len(bufs) datagrams of sizes[i] bytes, with what the kernel tells
// about each. If wait is not set, it returns 0 and no error if nothing has arrived.
func (r *SocketReader) ReadInfo(bufs [][]byte, sizes []int, infos []Info, wait bool) (int, error) {
	n, err := r.read(bufs, wait)
	for i := range n {
		sizes[i], infos[i] = int(r.msgs.hdrs[i].Len), r.info(i)
	}
	return n, err
}

// read makes the system call.
func (r *SocketReader) read(bufs [][]byte, wait bool) (n int, err error) {
	r.prepare(bufs)
	if wait {
		err = r.raw.Read(r.wait)
	} else {
		err = r.raw.Control(r.look) // Control ignores the deadline
	}
	switch {
	case err != nil:
		return 0, err
	case r.errno == unix.EAGAIN:
		return 0, nil
	case r.errno != 0:
		return 0, &net.OpError{
			Op: "read", Net: "udp", Source: r.conn.LocalAddr(),
			Err: os.NewSyscallError("recvmmsg", r.errno),
		}
	}
	return r.n, nil
}

// askForInfo has the kernel tell the destination of datagrams, if the socket is bound to
// all addresses. (A socket that is bound to one address sends from that.) The option stays
// set: programs that do not read control messages do not see them.
func (r *SocketReader) askForInfo() {
	r.asked = true
	if !addrPort(r.conn.LocalAddr()).Addr().IsUnspecified() {
		return
	}
	r.infos = setsockopt(r.raw, unix.IPPROTO_IP, unix.IP_PKTINFO, 1) == nil
	if family, err := getsockopt(r.raw, unix.SO_DOMAIN); err == nil && family == unix.AF_INET6 {
		// A dual-stack socket has both options.
		r.infos = setsockopt(r.raw, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1) == nil || r.infos
	}
}

// SetJoin sets whether the kernel joins datagrams, and reports whether it does. It must not
// be called during a read.
func (r *SocketReader) SetJoin(on bool) bool {
	r.join = setJoin(r.raw, on) && on
	return r.join
}

// prepare fills in the message headers. The kernel overwrites the lengths of the name and
// of the control messages, so they are set each time.
func (r *SocketReader) prepare(bufs [][]byte) {
	r.count = min(len(bufs), maxBatch)
	r.msgs.reserve(r.count)
	for i, b := range bufs[:r.count] {
		h := &r.msgs.hdrs[i].Hdr
		h.Name, h.Namelen = &r.msgs.names[i][0], unix.SizeofSockaddrInet6
		r.msgs.iovs[i].Base = unsafe.SliceData(b)
		r.msgs.iovs[i].SetLen(len(b))
		h.Control = nil
		h.SetControllen(0)
		if r.join || r.infos {
			c := r.msgs.controls[i].bytes()
			h.Control = &c[0]
			h.SetControllen(len(c))
		}
	}
}

// info returns what the kernel told about message i.
func (r *SocketReader) info(i int) Info {
	h := &r.msgs.hdrs[i].Hdr
	info := Info{Source: r.msgs.names[i].addrPort(h.Namelen, &r.zones), TTL: -1}
	if r.join || r.infos {
		info.parse(&r.msgs.controls[i], int(h.Controllen), &r.zones)
	}
	return info
}
