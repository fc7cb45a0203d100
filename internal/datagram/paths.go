package datagram

import "net"

// Batches finds the fastest ways that there are to read and to write several packets of
// pc at once: its own methods, or the system's if pc is a *net.UDPConn. Either is nil
// where there is none. It is for conns that decorate others, and offer batches of their
// own; a protocol calls [Open].
//
// What is returned for a socket is for one goroutine at a time, each of the two. A type
// that embeds a *net.UDPConn is none: it was made to change what its methods do.
func Batches(pc net.PacketConn) (BatchReader, BatchWriter) {
	if udp, ok := pc.(*net.UDPConn); ok {
		return system(udp)
	}
	r, _ := pc.(BatchReader)
	w, _ := pc.(BatchWriter)
	return r, w
}

// paths finds the fastest ways to read and to write pc.
func paths(pc net.PacketConn, cfg *Config) (in reader, out writer) {
	if udp, ok := pc.(*net.UDPConn); ok {
		c := newUDPConn(udp, cfg)
		in, out = c, c
	} else {
		in, out = newPlain(pc, cfg)
	}
	r, w := Batches(pc)
	if r != nil {
		in = newBatchReader(r, cfg)
	}
	if w != nil {
		out = newBatchWriter(w, cfg)
	}
	return in, out
}
