package datagram

import (
	"net"
	"net/netip"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An mmsgReader reads a UDP socket, a batch for each system call.
type mmsgReader struct {
	conn  *net.UDPConn
	raw   syscall.RawConn
	zones zones
	msgs  messages
	join  bool // the kernel joins datagrams

	// What the kernel is asked and what it said, and the functions that ask it, bound
	// once: a closure for each call would be an allocation.
	call  mmsgCall
	asked int
	n     int
	errno syscall.Errno
	wait  func(fd uintptr) bool
	look  func(fd uintptr)
}

func newMmsgReader(conn *net.UDPConn, raw syscall.RawConn) *mmsgReader {
	r := &mmsgReader{conn: conn, raw: raw, call: recvmmsg}
	r.wait = func(fd uintptr) bool { r.receive(fd); return r.errno != unix.EAGAIN }
	r.look = r.receive
	return r
}

func (r *mmsgReader) receive(fd uintptr) {
	for {
		r.n, r.errno = r.call(fd, r.msgs.hdrs[:r.asked])
		if r.errno != unix.EINTR {
			return
		}
	}
}

// ReadBatch is that of [BatchReader].
func (r *mmsgReader) ReadBatch(bufs [][]byte, sizes, segments []int, from []netip.AddrPort) (int, error) {
	r.ask(bufs)
	if err := r.raw.Read(r.wait); err != nil {
		return 0, err
	}
	return r.answer(sizes, segments, from)
}

// Poller is that of [BatchPoller].
func (r *mmsgReader) Poller(any) func([][]byte, []int, []int, []netip.AddrPort) (int, error) {
	return r.pollBatch
}

func (r *mmsgReader) pollBatch(bufs [][]byte, sizes, segments []int, from []netip.AddrPort) (int, error) {
	r.ask(bufs)
	// Control looks at no deadline.
	if err := r.raw.Control(r.look); err != nil {
		return 0, err
	}
	if r.errno == unix.EAGAIN {
		return 0, nil
	}
	return r.answer(sizes, segments, from)
}

// joins says whether the kernel may join datagrams, and reports whether it does. Nobody
// reads meanwhile.
func (r *mmsgReader) joins(on bool) bool {
	r.join = Join(r.raw, on) && on
	return r.join
}

// ask prepares the messages. Where a sender's address goes, and how long it may be,
// must be said each time: the kernel has put there how long it was.
func (r *mmsgReader) ask(bufs [][]byte) {
	r.asked = min(len(bufs), mostBatch)
	r.msgs.reserve(r.asked)
	for i, b := range bufs[:r.asked] {
		h := &r.msgs.hdrs[i].Hdr
		h.Name, h.Namelen = &r.msgs.names[i][0], unix.SizeofSockaddrInet6
		r.msgs.iovs[i].Base = unsafe.SliceData(b)
		r.msgs.iovs[i].SetLen(len(b))
		h.Control = nil
		h.SetControllen(0)
		if r.join {
			c := r.msgs.controls[i].bytes()
			h.Control = &c[0]
			h.SetControllen(len(c))
		}
	}
}

// answer says what the kernel has handed over.
func (r *mmsgReader) answer(sizes, segments []int, from []netip.AddrPort) (int, error) {
	if r.errno != 0 {
		return 0, &net.OpError{
			Op: "read", Net: "udp", Source: r.conn.LocalAddr(),
			Err: os.NewSyscallError("recvmmsg", r.errno),
		}
	}
	for i := range r.n {
		m := &r.msgs.hdrs[i]
		sizes[i], segments[i] = int(m.Len), 0
		if r.join {
			segments[i] = r.msgs.controls[i].joined(int(m.Hdr.Controllen))
		}
		from[i] = r.msgs.names[i].addrPort(m.Hdr.Namelen, &r.zones)
	}
	return r.n, nil
}
