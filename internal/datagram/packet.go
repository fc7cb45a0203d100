package datagram

import "net/netip"

// A Packet is one datagram.
type Packet struct {
	Data []byte
	Addr netip.AddrPort // where it came from, or goes to; never IPv4 in IPv6
}

// A BatchReader is a net.PacketConn that reads several datagrams at once. The method
// has standard library types only, so that any package can offer it.
type BatchReader interface {
	// ReadBatch waits for one datagram, takes whatever else is there already, and fills
	// bufs[:n]: sizes[i] bytes, which came from from[i]. The four slices are of one
	// length. It obeys the read deadline.
	//
	// Where segments[i] is positive, bufs[i] holds several datagrams of that size one
	// after the other (the last may be shorter), as after UDP_GRO; otherwise it holds
	// one. A conn joins only as many as fit, and at most 256. A datagram longer than
	// its buffer is cut off at the buffer's end.
	//
	// An error is returned with n = 0; one that comes after the first datagram waits
	// for the next call.
	ReadBatch(bufs [][]byte, sizes, segments []int, from []netip.AddrPort) (n int, err error)
}

// A BatchWriter is a net.PacketConn that writes several datagrams at once.
type BatchWriter interface {
	// WriteBatch sends bufs[i] to to[i], in order, each as one datagram, and keeps none
	// of them. n were sent; err, which is nil if that is all, is about bufs[n].
	WriteBatch(bufs [][]byte, to []netip.AddrPort) (n int, err error)
}

// An Offloader is a net.PacketConn, with batches, that can have the system take several
// datagrams in one piece, or hand them over so.
type Offloader interface {
	// Offload says whether what WriteBatch is given may go to the system in one piece,
	// and whether ReadBatch may fill a buffer with several datagrams. It reports whether
	// the latter will happen.
	Offload(write, read bool) (joined bool)
}
