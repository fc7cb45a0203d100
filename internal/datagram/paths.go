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

// Writer is the second of [Batches]; offload says whether it may hand over several
// datagrams in one piece.
func Writer(pc net.PacketConn, offload bool) BatchWriter {
	_, w := Batches(pc)
	if s, ok := w.(interface{ segments(on bool) }); ok {
		s.segments(offload)
	}
	return w
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
	var joined bool
	switch o := Offloading(pc, r, w); {
	case o == nil:
	case cfg.NoOffload:
		o.Offload(false, false)
		undo = func() { o.Offload(true, false) }
	case cfg.Join:
		joined = o.Offload(true, true)
		undo = func() { o.Offload(true, false) }
	}
	if r != nil {
		in = newBatchReader(r, cfg, joined)
	}
	if w != nil {
		out = newBatchWriter(w, cfg)
	}
	return in, out, undo
}

// Offloading finds what decides about offload: the conn, or the system's way to read and
// write it, as [Batches] found it. It returns nil if there is nothing to decide.
func Offloading(pc net.PacketConn, r BatchReader, w BatchWriter) Offloader {
	if o, ok := pc.(Offloader); ok {
		return o
	}
	in, ok1 := r.(interface{ joins(on bool) bool })
	out, ok2 := w.(interface{ segments(on bool) })
	if !ok1 || !ok2 {
		return nil
	}
	return offload(func(write, read bool) bool {
		out.segments(write)
		return in.joins(read)
	})
}

// An offload is an Offloader.
type offload func(write, read bool) (joined bool)

func (o offload) Offload(write, read bool) bool { return o(write, read) }
