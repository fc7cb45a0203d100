package datagram

import (
	"net"
	"net/netip"
)

// mostAddrs bounds the addresses that a plainWriter remembers.
const mostAddrs = 1024

// A plainReader reads any net.PacketConn, a packet at a time.
type plainReader struct {
	pc  net.PacketConn
	buf []byte
	max int
}

// A plainWriter writes to any net.PacketConn, a packet at a time. It remembers the
// net.Addr of each destination, so as not to allocate one for each packet.
type plainWriter struct {
	pc    net.PacketConn
	addrs map[netip.AddrPort]net.Addr
}

func newPlain(pc net.PacketConn, cfg *Config) (reader, writer) {
	return &plainReader{pc: pc, max: cfg.readSize()},
		&plainWriter{pc: pc, addrs: make(map[netip.AddrPort]net.Addr)}
}

func (r *plainReader) read(pkts []Packet) ([]Packet, error) {
	if r.buf == nil {
		r.buf = make([]byte, r.max+1)
	}
	n, from, err := r.pc.ReadFrom(r.buf)
	if err != nil && !(TooLong(err) && n > 0) || n < 0 || n > len(r.buf) {
		return pkts, err
	}
	return appendPacket(pkts, r.buf[:n], addrPort(from)), nil
}

func (w *plainWriter) write(pkts []Packet) (int, error) {
	for i, p := range pkts {
		addr, err := w.addr(p.Addr)
		if err != nil {
			return i, err
		}
		if _, err := w.pc.WriteTo(p.Data, addr); err != nil {
			return i, err
		}
	}
	return len(pkts), nil
}

func (w *plainWriter) addr(to netip.AddrPort) (net.Addr, error) {
	if addr, ok := w.addrs[to]; ok {
		return addr, nil
	}
	if !to.IsValid() {
		return nil, errNoAddr
	}
	if len(w.addrs) >= mostAddrs {
		clear(w.addrs)
	}
	addr := net.UDPAddrFromAddrPort(to)
	w.addrs[to] = addr
	return addr, nil
}

// appendPacket adds a datagram to pkts, unless nobody can tell whose it is. The
// capacity ends with the data: appending to it must not run into the next.
func appendPacket(pkts []Packet, data []byte, from netip.AddrPort) []Packet {
	if !from.IsValid() {
		return pkts
	}
	return append(pkts, Packet{Data: data[:len(data):len(data)], Addr: unmap(from)})
}
