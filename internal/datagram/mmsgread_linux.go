package datagram

import (
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// An mmsgReader reads a UDP socket, a batch for each system call.
type mmsgReader struct {
	raw   syscall.RawConn
	udp   *udpConn
	zones zones
	size  int
	msgs  []unix.Mmsghdr
	iovs  []unix.Iovec
	names []sockaddr
	bufs  [][]byte

	// What the kernel said, and the functions that ask it, bound once: a closure for
	// each call would be an allocation.
	call  mmsgCall
	n     int
	errno syscall.Errno
	wait  func(fd uintptr) bool
	look  func(fd uintptr)
}

func newMmsgReader(raw syscall.RawConn, udp *udpConn, cfg *Config) *mmsgReader {
	batch := cfg.batch()
	r := &mmsgReader{
		raw: raw, udp: udp, size: cfg.readSize() + 1, call: recvmmsg,
		msgs: make([]unix.Mmsghdr, batch), iovs: make([]unix.Iovec, batch), names: make([]sockaddr, batch),
	}
	r.wait = func(fd uintptr) bool { r.receive(fd); return r.errno != unix.EAGAIN }
	r.look = r.receive
	return r
}

// allocate makes the buffers when it turns out that somebody reads.
func (r *mmsgReader) allocate() {
	r.bufs = buffers(len(r.msgs), r.size)
	for i := range r.msgs {
		r.iovs[i].Base = &r.bufs[i][0]
		r.iovs[i].SetLen(r.size)
		h := &r.msgs[i].Hdr
		h.Name, h.Namelen = &r.names[i][0], uint32(len(r.names[i]))
		h.Iov = &r.iovs[i]
		h.SetIovlen(1)
	}
}

func (r *mmsgReader) receive(fd uintptr) {
	for {
		r.n, r.errno = r.call(fd, r.msgs)
		if r.errno != unix.EINTR {
			return
		}
	}
}

func (r *mmsgReader) read(pkts []Packet) ([]Packet, error) {
	if r.bufs == nil {
		r.allocate()
	}
	if err := r.raw.Read(r.wait); err != nil {
		return pkts, err
	}
	return r.packets(pkts)
}

func (r *mmsgReader) poll(pkts []Packet) ([]Packet, error) {
	if r.bufs == nil {
		r.allocate()
	}
	// Control looks at no deadline.
	if err := r.raw.Control(r.look); err != nil {
		return pkts, err
	}
	if r.errno == unix.EAGAIN {
		return pkts, nil
	}
	return r.packets(pkts)
}

// packets appends what the kernel has handed over.
func (r *mmsgReader) packets(pkts []Packet) ([]Packet, error) {
	if r.errno != 0 {
		return pkts, &net.OpError{
			Op: "read", Net: "udp", Source: r.udp.conn.LocalAddr(),
			Err: os.NewSyscallError("recvmmsg", r.errno),
		}
	}
	for i := range r.n {
		m := &r.msgs[i]
		from := r.names[i].addrPort(m.Hdr.Namelen, &r.zones)
		pkts = appendPacket(pkts, r.bufs[i][:m.Len], from)
		m.Hdr.Namelen = uint32(len(r.names[i])) // the kernel has put there what it used
	}
	return pkts, nil
}
