package datagram

import "net"

// paths finds the fastest ways to read and to write pc. A *net.UDPConn is one only if
// it is exactly that: a type that embeds one has it to change what its methods do.
func paths(pc net.PacketConn, cfg *Config) (reader, writer) {
	if udp, ok := pc.(*net.UDPConn); ok {
		if in, out, ok := system(udp, cfg); ok {
			return in, out
		}
		c := newUDPConn(udp, cfg)
		return c, c
	}
	in, out := newPlain(pc, cfg)
	if br, ok := pc.(BatchReader); ok {
		in = newBatchReader(br, cfg)
	}
	if bw, ok := pc.(BatchWriter); ok {
		out = newBatchWriter(bw, cfg)
	}
	return in, out
}
