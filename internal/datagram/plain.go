package datagram

import (
	"net"
	"net/netip"
)

// maxAddrs bounds the addresses that a plainWriter remembers.
const maxAddrs = 1024

// A plainReader reads any net.PacketConn, one packet per call.
type plainReader struct {
	pc  net.PacketConn
	buf []byte
	max int
}

// A plainWriter writes to any net.PacketConn, one packet per call. It remembers the
// net.Addr of each destination to save an allocation per packet.
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
	return appendPacket(pkts, r.buf[:n], addrPort(from), netip.Addr{}), nil
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
	if len(w.addrs) >= maxAddrs {
		clear(w.addrs)
	}
	addr := net.UDPAddrFromAddrPort(to)
	w.addrs[to] = addr
	return addr, nil
}

// appendPacket appends a datagram to pkts, unless its source is unknown. The capacity of
// Data ends with the datagram, so that an append to it does not change the next one.
func appendPacket(pkts []Packet, data []byte, from netip.AddrPort, local netip.Addr) []Packet {
	if !from.IsValid() {
		return pkts
	}
	return append(pkts, Packet{Data: data[:len(data):len(data)], Addr: unmap(from), Local: local})
}
