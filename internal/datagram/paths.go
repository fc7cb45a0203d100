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

// paths finds the fastest ways to read and to write pc. undo, unless it is nil, leaves
// the conn as it was.
func paths(pc net.PacketConn, cfg *Config) (in reader, out writer, undo func()) {
	if udp, ok := pc.(*net.UDPConn); ok {
		c := newUDPConn(udp, cfg)
		in, out = c, c
	} else {
		in, out = newPlain(pc, cfg)
	}
	r, w := Batches(pc)
	if s, ok := w.(segmenter); ok && cfg.NoOffload {
		s.whole()
	}
	joined := false
	if j, ok := r.(joiner); ok && cfg.Join && !cfg.NoOffload {
		joined = j.joins(true)
		undo = func() { j.joins(false) }
	}
	if r != nil {
		in = newBatchReader(r, cfg, joined)
	}
	if w != nil {
		out = newBatchWriter(w, cfg)
	}
	return in, out, undo
}

// A joiner is a BatchReader that can have the system join datagrams.
type joiner interface {
	// joins turns that on or off, and reports whether it is on.
	joins(on bool) bool
}

// A segmenter is a BatchWriter that may hand over several datagrams in one piece.
type segmenter interface {
	// whole has it hand over each by itself.
	whole()
}
