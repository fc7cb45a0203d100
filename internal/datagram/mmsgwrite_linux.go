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
	raw    syscall.RawConn
	udp    *udpConn
	family int
	zones  zones
	msgs   []unix.Mmsghdr
	iovs   []unix.Iovec
	names  []sockaddr

	call  mmsgCall
	count int // of msgs, how many to send
	n     int
	errno syscall.Errno
	wait  func(fd uintptr) bool
}

func newMmsgWriter(raw syscall.RawConn, udp *udpConn, family int, cfg *Config) *mmsgWriter {
	batch := cfg.batch()
	w := &mmsgWriter{
		raw: raw, udp: udp, family: family, call: sendmmsg,
		msgs: make([]unix.Mmsghdr, batch), iovs: make([]unix.Iovec, batch), names: make([]sockaddr, batch),
	}
	for i := range w.msgs {
		w.msgs[i].Hdr.Iov = &w.iovs[i]
		w.msgs[i].Hdr.SetIovlen(1)
	}
	w.wait = func(fd uintptr) bool { w.send(fd); return w.errno != unix.EAGAIN }
	return w
}

func (w *mmsgWriter) send(fd uintptr) {
	for {
		w.n, w.errno = w.call(fd, w.msgs[:w.count])
		if w.errno != unix.EINTR {
			return
		}
	}
}

func (w *mmsgWriter) write(pkts []Packet) (int, error) {
	pkts = pkts[:min(len(pkts), len(w.msgs))]
	if err := w.pack(pkts); w.count == 0 {
		return 0, err
	}
	// The packets are the caller's again.
	defer w.unpack()
	if err := w.raw.Write(w.wait); err != nil {
		return 0, err
	}
	if w.errno == 0 {
		return w.n, nil
	}
	w.zones.forget() // an interface may have come back with another number
	return 0, writeError(w.udp.conn, pkts[0].Addr, os.NewSyscallError("sendmmsg", w.errno))
}

// pack prepares the messages for as many of pkts as have a destination that the socket
// can reach; err is about the first that has not.
func (w *mmsgWriter) pack(pkts []Packet) error {
	w.count = 0
	for i, p := range pkts {
		h := &w.msgs[i].Hdr
		if err := w.udp.check(p.Addr); err != nil {
			return err
		}
		if h.Name, h.Namelen = nil, 0; !w.udp.remote.IsValid() {
			n, err := w.names[i].set(p.Addr, w.family, &w.zones)
			if err != nil {
				return writeError(w.udp.conn, p.Addr, err)
			}
			h.Name, h.Namelen = &w.names[i][0], n
		}
		w.iovs[i].Base = unsafe.SliceData(p.Data)
		w.iovs[i].SetLen(len(p.Data))
		w.count++
	}
	return nil
}

func (w *mmsgWriter) unpack() { clear(w.iovs[:w.count]) }

func writeError(conn *net.UDPConn, to netip.AddrPort, err error) error {
	return &net.OpError{
		Op: "write", Net: "udp", Source: conn.LocalAddr(), Addr: net.UDPAddrFromAddrPort(to), Err: err,
	}
}
