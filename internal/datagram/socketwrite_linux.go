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

// An socketWriter writes a UDP socket, a batch for each system call.
type socketWriter struct {
	conn   *net.UDPConn
	raw    syscall.RawConn
	family int
	remote netip.AddrPort // valid if the socket is connected
	zones  zones
	msgs   messages

	able    bool  // the kernel can cut messages apart, as far as is known
	segment bool  // datagrams of one length go in one message
	counts  []int // the number of datagrams in each message

	unsourced bool // a packet was sent without the source address that was asked for

	// As in SocketReader.
	call  mmsgCall
	count int
	n     int
	errno syscall.Errno
	wait  func(fd uintptr) bool
}

func newSocketWriter(conn *net.UDPConn, raw syscall.RawConn, family int, segment bool) *socketWriter {
	w := &socketWriter{
		conn: conn, raw: raw, family: family, remote: addrPort(conn.RemoteAddr()), able: segment, segment: segment, call: sendmmsg,
	}
	w.wait = func(fd uintptr) bool { w.send(fd); return w.errno != unix.EAGAIN }
	return w
}

func (w *socketWriter) send(fd uintptr) {
	for {
		w.n, w.errno = w.call(fd, w.msgs.hdrs[:w.count])
		if w.errno != unix.EINTR {
			return
		}
	}
}

// WriteBatch implements [BatchWriter].
func (w *socketWriter) WriteBatch(bufs [][]byte, to []netip.AddrPort, local []netip.Addr) (n int, err error) {
	for n < len(bufs) {
		k, err := w.write(bufs[n:], to[n:], tail(local, n))
		if err != nil {
			return n, err
		}
		n += k
	}
	return n, nil
}

// tail is s[n:], or nil if s is nil.
func tail(s []netip.Addr, n int) []netip.Addr {
	if s == nil {
		return nil
	}
	return s[n:]
}

// segments sets whether datagrams of one length go in one message, where the kernel can
// cut it apart.
func (w *socketWriter) segments(on bool) { w.segment = on && w.able }

// write sends one packet or more, or returns the error of the first.
func (w *socketWriter) write(bufs [][]byte, to []netip.AddrPort, local []netip.Addr) (int, error) {
	taken, err := w.prepare(bufs, to, local)
	if w.count == 0 {
		return 0, writeError(w.conn, to[0], err)
	}
	defer clear(w.msgs.iovs[:taken]) // the packets are the caller's
	if err := w.raw.Write(w.wait); err != nil {
		return 0, err
	}
	switch {
	case w.errno == 0:
		n := 0
		for _, count := range w.counts[:w.n] {
			n += count
		}
		return n, nil
	case w.counts[0] > 1 && refusesSegments(w.errno):
		return w.writeWhole(bufs, to, local)
	case local != nil && local[0].IsValid() && refusesSource(w.errno):
		// The host has lost that address, or it is an anycast address, which cannot be a
		// source.
		w.unsourced = true
		return w.write(bufs[:1], to[:1], nil)
	}
	w.zones.forget() // an interface may have come back with another number
	return 0, writeError(w.conn, to[0], os.NewSyscallError("sendmmsg", w.errno))
}

// writeWhole is write without segmentation, after an error that may be caused by it. If
// the error was, segmentation stays off.
func (w *socketWriter) writeWhole(bufs [][]byte, to []netip.AddrPort, local []netip.Addr) (int, error) {
	w.segment, w.unsourced = false, false
	n, err := w.write(bufs, to, local)
	w.segment = err != nil || w.unsourced // then the source address was the cause
	w.able = w.segment
	return n, err
}

// refusesSource reports whether an error may be caused by the source address. Kernels
// differ: EINVAL or ENETUNREACH for an address that the host does not have.
func refusesSource(errno syscall.Errno) bool {
	return errno == unix.EINVAL || errno == unix.ENETUNREACH || errno == unix.EADDRNOTAVAIL
}

// prepare fills in the messages for the packets up to the first that the socket cannot
// send, and returns how many those are. The error is that packet's.
func (w *socketWriter) prepare(bufs [][]byte, to []netip.AddrPort, local []netip.Addr) (taken int, err error) {
	w.count = 0
	bufs = bufs[:min(len(bufs), maxBatch)]
	w.msgs.reserve(len(bufs))
	w.counts = slices.Grow(w.counts[:0], len(bufs))
	if w.remote.IsValid() {
		local = nil // a connected socket has its source address
	}
	for taken < len(bufs) {
		i := w.count
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
		count := w.alike(bufs[taken:], to[taken:], tail(local, taken))
		var source netip.Addr
		if local != nil {
			source = local[taken]
		}
		w.fill(i, bufs[taken:taken+count], taken, source)
		w.counts = append(w.counts, count)
		taken += count
		w.count++
	}
	return taken, nil
}

// alike returns how many of the packets can go in one message: those of one length, one
// destination and one source. The last may be shorter.
func (w *socketWriter) alike(bufs [][]byte, to []netip.AddrPort, local []netip.Addr) int {
	length, n, total := len(bufs[0]), 1, len(bufs[0])
	if !w.segment || length == 0 {
		return 1
	}
	for n < min(len(bufs), maxSegmented) && to[n] == to[0] && (local == nil || local[n] == local[0]) &&
		len(bufs[n]) > 0 && len(bufs[n]) <= length && total+len(bufs[n]) <= maxJoined {
		total += len(bufs[n])
		n++
		if len(bufs[n-1]) < length {
			break
		}
	}
	return n
}

// fill makes message i of bufs, the first of which is packet at.
func (w *socketWriter) fill(i int, bufs [][]byte, at int, source netip.Addr) {
	h := &w.msgs.hdrs[i].Hdr
	h.Iov = &w.msgs.iovs[at]
	h.SetIovlen(len(bufs))
	for k, b := range bufs {
		w.msgs.iovs[at+k].Base = unsafe.SliceData(b)
		w.msgs.iovs[at+k].SetLen(len(b))
	}
	c, n := &w.msgs.controls[i], 0
	if len(bufs) > 1 {
		n = c.putSegment(n, len(bufs[0]))
	}
	if source.IsValid() {
		n = c.putSource(n, source, &w.zones)
	}
	h.Control = nil
	h.SetControllen(n)
	if n > 0 {
		h.Control = &c.bytes()[0]
	}
}
