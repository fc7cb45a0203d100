// Package datagram reads and writes the packets of a net.PacketConn in batches, in the
// fastest way that the conn and the system offer. Protocols use it and do not ask what kind
// of conn they were given: a decorated conn behaves the same, only slower.
//
//	c := datagram.Open(ctx, pc, datagram.Config{ReadSize: 1500, Local: true})
//	defer c.Release()
//	for {
//		out, wake := f.next(time.Now())
//		if err := datagram.Send(c, out, nil); err != nil {
//			return err
//		}
//		pkts, err := c.Read(wake)
//		...
//	}
//
// The methods depend on the conn:
//
//	conn                            methods
//	*net.UDPConn on Linux           recvmmsg, sendmmsg, and segmentation offload
//	*net.UDPConn elsewhere          ReadFromUDPAddrPort, WriteToUDPAddrPort
//	a BatchReader, a BatchWriter    ReadBatch, WriteBatch
//	any other                       ReadFrom, WriteTo
//
// # Ownership
//
// The caller of a protocol opens the conn and closes it. Between Open and Release, its
// reading and its deadlines belong to this package. What [Conn.Read] returns belongs to the
// protocol until the next Read, which uses the memory again. [Conn.Write] keeps nothing.
// One goroutine reads; any goroutine may end its Read with [Conn.Wake].
//
// # Local addresses
//
// A server on a wildcard address must answer from the address that the request was sent to
// (RFC 1122, section 4.1.3.5; RFC 1123, section 2.3). With [Config.Local], packets carry that
// address ([Packet.Local]), and a write sends from it (IP_PKTINFO, ip(7); IPV6_PKTINFO, RFC
// 3542). The batch methods pass the addresses on, so that decorated conns keep them. A packet
// to a group or a broadcast address has no such address, and the system chooses the source
// of the answer.
//
// # Limits
//
// Only Linux tells the local address. On other systems, and over a conn without batch
// methods, Packet.Local is zero and the system chooses. Segmentation offload, Spin and Yield
// work on Linux only.
//
// No method allocates memory for a packet once its buffers exist, except ReadFrom, which
// makes a net.Addr each time.
//
// # Choices
//
// Datagrams of one length for one destination go to the kernel in one piece, where it can cut
// them apart. The first try shows whether the device can do it; if not, the conn does not
// try again. Datagrams that arrive are joined only if [Config.Join] asks for it: the caller
// cannot share the socket until Release, because one read may return several datagrams.
//
// An address is always unmapped: an IPv4 host that writes to a dual-stack socket is 192.0.2.1
// and not ::ffff:192.0.2.1. It can be passed to Write as it is. A zone is the name of an
// interface, as in the net package. A zone that is not an interface is an error.
//
// To sleep and wake up takes longer than a round trip on a fast network. With [Config.Spin],
// a Read polls before it sleeps. After four Reads in a row that polled and found nothing, it
// polls less often, down to one Read of 16. Between two polls it yields the processor: the
// process that it waits for may need it.
//
// Where several processes share a processor, each packet wakes its receiver, which preempts
// the sender and goes back to sleep. With [Config.Yield], a Read that follows one of fewer
// than 16 packets first yields (sched_yield), then polls: the next batch is longer. A process
// that yields to one that only computes gets the processor back after some milliseconds; a
// process that sleeps gets it at once. If Reads had to wait that long, the next 255 neither
// yield nor poll.
//
// A packet that is longer than Config.ReadSize is delivered cut off, one byte longer than
// that, so that the protocol can count it as malformed.
//
// A type that embeds a *net.UDPConn is read with its ReadFrom, not with other promoted
// methods: it exists to change what the methods do.
package datagram
