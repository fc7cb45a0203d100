package datagram

import "net/netip"

// A Packet is one datagram.
type Packet struct {
	Data []byte

	// Addr is the other side's address: the source of a packet that was read, the
	// destination of one that is written. It is never an IPv4-mapped IPv6 address.
	Addr netip.AddrPort

	// Local is the address of this host that a packet was sent to. Read sets it only if
	// [Config.Local] is set and the conn can tell, and only for unicast packets to a
	// conn that is bound to all addresses. Write sends the packet from Local. The zero
	// Addr lets the system choose.
	//
	// A server that copies Local from the request to the answer answers from the address
	// that it was asked at (RFC 1122, section 4.1.3.5).
	Local netip.Addr
}

// A BatchReader is a net.PacketConn that reads several datagrams at once. The method
// has standard library types only, so that any package can offer it.
type BatchReader interface {
	// ReadBatch waits for one datagram, takes the others that have arrived, and fills
	// bufs[:n] with sizes[i] bytes from from[i]. The slices have the same length. The
	// read deadline applies.
	//
	// Where segments[i] is positive, bufs[i] holds several datagrams of that size one
	// after the other (the last may be shorter), as after UDP_GRO. Otherwise it holds
	// one. A conn joins at most 256 datagrams, and only as many as fit. A datagram that
	// is longer than its buffer is cut off at the end of the buffer.
	//
	// local is nil if the caller does not need the addresses of this host. Otherwise
	// local[i] is set to the unicast address that bufs[i] was sent to, or to the zero
	// Addr if the conn does not know it, or is bound to that address alone.
	//
	// An error is returned with n = 0. An error that occurs after the first datagram is
	// returned by the next call.
	ReadBatch(bufs [][]byte, sizes, segments []int, from []netip.AddrPort, local []netip.Addr) (n int, err error)
}

// A BatchPoller is a BatchReader that can read without waiting.
type BatchPoller interface {
	BatchReader

	// PollBatch is like ReadBatch, but it ignores the read deadline and does not wait:
	// it returns 0 and no error if nothing has arrived. A type that embeds a
	// BatchPoller and changes ReadBatch must change PollBatch as well.
	PollBatch(bufs [][]byte, sizes, segments []int, from []netip.AddrPort, local []netip.Addr) (n int, err error)
}

// A BatchWriter is a net.PacketConn that writes several datagrams at once.
type BatchWriter interface {
	// WriteBatch sends bufs[i] to to[i], in order, each as one datagram, and keeps none
	// of the slices. It sends bufs[i] from the address local[i] of this host; a nil
	// local or a zero local[i] lets the system choose, and so does a conn that has no
	// such choice. WriteBatch returns the number of datagrams that were sent. If that is
	// not all of them, err is the error of bufs[n].
	WriteBatch(bufs [][]byte, to []netip.AddrPort, local []netip.Addr) (n int, err error)
}

// An Offloader is a BatchReader and BatchWriter that can pass several datagrams to the
// system, or take them from it, in one piece.
type Offloader interface {
	// Offload sets whether WriteBatch may pass datagrams to the system in one piece, and
	// whether ReadBatch may fill a buffer with several datagrams. It reports whether
	// ReadBatch will.
	Offload(write, read bool) (joined bool)
}
