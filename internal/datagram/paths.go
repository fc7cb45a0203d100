package datagram

import "net"

// Batches returns the fastest ways to read and to write several packets of pc at once: pc's
// own methods, or the system's if pc is a *net.UDPConn. Either is nil if there is none. It
// is for conns that decorate others; a protocol calls [Open].
//
// The reader of a socket is for one goroutine at a time, and so is the writer. A type that
// embeds a *net.UDPConn does not count as a socket: it exists to change the methods.
func Batches(pc net.PacketConn) (BatchReader, BatchWriter) {
	if udp, ok := pc.(*net.UDPConn); ok {
		return system(udp)
	}
	r, _ := pc.(BatchReader)
	w, _ := pc.(BatchWriter)
	return r, w
}

// NewSocketWriter returns the system's way to write several packets at once, nil if there is
// none. offload says whether several datagrams may go to the system in one piece.
func NewSocketWriter(conn *net.UDPConn, offload bool) BatchWriter {
	_, w := system(conn)
	if s, ok := w.(interface{ segments(on bool) }); ok {
		s.segments(offload)
	}
	return w
}

// paths returns the fastest ways to read and to write pc. undo, unless it is nil, restores
// the conn's settings.
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

// Offloading returns the value that controls the offload of pc: pc itself, or the system's reader and
// writer, as [Batches] returned them. It returns nil if there is no offload.
func Offloading(pc net.PacketConn, r BatchReader, w BatchWriter) Offloader {
	if o, ok := pc.(Offloader); ok {
		return o
	}
	in, ok1 := r.(interface{ SetJoin(on bool) bool })
	out, ok2 := w.(interface{ segments(on bool) })
	if !ok1 || !ok2 {
		return nil
	}
	return offload(func(write, read bool) bool {
		out.segments(write)
		return in.SetJoin(read)
	})
}

// An offload is an Offloader.
type offload func(write, read bool) (joined bool)

func (o offload) Offload(write, read bool) (joined bool) { return o(write, read) }
