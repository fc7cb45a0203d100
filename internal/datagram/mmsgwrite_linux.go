package datagram

import (
	"net"
	"net/netip"
	"os"
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

	// As those of mmsgReader.
	call  mmsgCall
	asked int
	n     int
	errno syscall.Errno
	wait  func(fd uintptr) bool
}

func newMmsgWriter(conn *net.UDPConn, raw syscall.RawConn, family int) *mmsgWriter {
	w := &mmsgWriter{
		conn: conn, raw: raw, family: family, remote: addrPort(conn.RemoteAddr()), call: sendmmsg,
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

// write sends one packet or more, or says what is wrong with the first.
func (w *mmsgWriter) write(bufs [][]byte, to []netip.AddrPort) (int, error) {
	if err := w.ask(bufs, to); w.asked == 0 {
		return 0, writeError(w.conn, to[0], err)
	}
	defer clear(w.msgs.iovs[:w.asked]) // the packets are the caller's again
	if err := w.raw.Write(w.wait); err != nil {
		return 0, err
	}
	if w.errno != 0 {
		w.zones.forget() // an interface may have come back with another number
		return 0, writeError(w.conn, to[0], os.NewSyscallError("sendmmsg", w.errno))
	}
	return w.n, nil
}

// ask prepares the messages for as many packets as have a destination that the socket
// can reach; the error is about the first that has not.
func (w *mmsgWriter) ask(bufs [][]byte, to []netip.AddrPort) error {
	w.asked = 0
	bufs = bufs[:min(len(bufs), mostBatch)]
	w.msgs.reserve(len(bufs))
	for i, b := range bufs {
		h := &w.msgs.hdrs[i].Hdr
		if err := mayReach(w.remote, to[i]); err != nil {
			return err
		}
		if h.Name, h.Namelen = nil, 0; !w.remote.IsValid() {
			n, err := w.msgs.names[i].set(to[i], w.family, &w.zones)
			if err != nil {
				return err
			}
			h.Name, h.Namelen = &w.msgs.names[i][0], n
		}
		w.msgs.iovs[i].Base = unsafe.SliceData(b)
		w.msgs.iovs[i].SetLen(len(b))
		w.asked++
	}
	return nil
}
