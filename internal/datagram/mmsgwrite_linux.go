package datagram

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An mmsgWriter writes a UDP socket, a batch for each system call.
type mmsgWriter struct {
	conn   *net.UDPConn
	raw    syscall.RawConn
	family int
	remote netip.AddrPort // valid if the socket is connected
	zones  zones
	msgs   messages

	able    bool  // the kernel can cut messages apart, as far as is known
	segment bool  // datagrams of one length go in one message
	counts  []int // how many are in each

	// As those of mmsgReader.
	call  mmsgCall
	asked int
	n     int
	errno syscall.Errno
	wait  func(fd uintptr) bool
}

func newMmsgWriter(conn *net.UDPConn, raw syscall.RawConn, family int, segment bool) *mmsgWriter {
	w := &mmsgWriter{
		conn: conn, raw: raw, family: family, remote: addrPort(conn.RemoteAddr()), able: segment, segment: segment, call: sendmmsg,
	}
	w.wait = func(fd uintptr) bool { w.send(fd); return w.errno != unix.EAGAIN }
	return w
}

func (w *mmsgWriter) send(fd uintptr) {
	for {
		w.n, w.errno = w.call(fd, w.msgs.hdrs[:w.asked])
		if w.errno != unix.EINTR {
			return
		}
	}
}

// WriteBatch is that of [BatchWriter].
func (w *mmsgWriter) WriteBatch(bufs [][]byte, to []netip.AddrPort) (n int, err error) {
	for n < len(bufs) {
		k, err := w.write(bufs[n:], to[n:])
		if err != nil {
			return n, err
		}
		n += k
	}
	return n, nil
}

// segments says whether datagrams of one length may go in one message, where the kernel
// can cut it apart.
func (w *mmsgWriter) segments(on bool) { w.segment = on && w.able }

// write sends one packet or more, or says what is wrong with the first.
func (w *mmsgWriter) write(bufs [][]byte, to []netip.AddrPort) (int, error) {
	taken, err := w.ask(bufs, to)
	if w.asked == 0 {
		return 0, writeError(w.conn, to[0], err)
	}
	defer clear(w.msgs.iovs[:taken]) // the packets are the caller's again
	if err := w.raw.Write(w.wait); err != nil {
		return 0, err
	}
	if w.errno != 0 && w.counts[0] > 1 && refusesSegments(w.errno) {
		w.able, w.segment = false, false // for good
		return w.write(bufs, to)
	}
	if w.errno != 0 {
		w.zones.forget() // an interface may have come back with another number
		return 0, writeError(w.conn, to[0], os.NewSyscallError("sendmmsg", w.errno))
	}
	n := 0
	for _, count := range w.counts[:w.n] {
		n += count
	}
	return n, nil
}

// ask prepares the messages for as many packets as have a destination that the socket
// can reach, and returns how many; the error is about the first that has not.
func (w *mmsgWriter) ask(bufs [][]byte, to []netip.AddrPort) (taken int, err error) {
	w.asked = 0
	bufs = bufs[:min(len(bufs), mostBatch)]
	w.msgs.reserve(len(bufs))
	w.counts = slices.Grow(w.counts[:0], len(bufs))
	for taken < len(bufs) {
		i := w.asked
		h := &w.msgs.hdrs[i].Hdr
		if err := mayReach(w.remote, to[taken]); err != nil {
			return taken, err
		}
		if h.Name, h.Namelen = nil, 0; !w.remote.IsValid() {
			n, err := w.msgs.names[i].set(to[taken], w.family, &w.zones)
			if err != nil {
				return taken, err
			}
			h.Name, h.Namelen = &w.msgs.names[i][0], n
		}
		count := w.alike(bufs[taken:], to[taken:])
		w.fill(i, bufs[taken:taken+count], taken)
		w.counts = append(w.counts, count)
		taken += count
		w.asked++
	}
	return taken, nil
}

// alike is how many of the packets, from the first on, can go in one message: those of
// one length for one destination, the last of which may be shorter.
func (w *mmsgWriter) alike(bufs [][]byte, to []netip.AddrPort) int {
	length, n, total := len(bufs[0]), 1, len(bufs[0])
	if !w.segment || length == 0 {
		return 1
	}
	for n < min(len(bufs), mostSegmented) && to[n] == to[0] && len(bufs[n]) > 0 && len(bufs[n]) <= length &&
		total+len(bufs[n]) <= longestJoined {
		total += len(bufs[n])
		n++
		if len(bufs[n-1]) < length {
			break
		}
	}
	return n
}

// fill makes message i one of bufs, whose first is the packet at.
func (w *mmsgWriter) fill(i int, bufs [][]byte, at int) {
	h := &w.msgs.hdrs[i].Hdr
	h.Iov = &w.msgs.iovs[at]
	h.SetIovlen(len(bufs))
	for k, b := range bufs {
		w.msgs.iovs[at+k].Base = unsafe.SliceData(b)
		w.msgs.iovs[at+k].SetLen(len(b))
	}
	h.Control = nil
	h.SetControllen(0)
	if len(bufs) > 1 {
		c := w.msgs.controls[i].segment(len(bufs[0]))
		h.Control = &c[0]
		h.SetControllen(len(c))
	}
}
