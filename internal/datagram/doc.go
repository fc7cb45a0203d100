// Package datagram reads and writes the packets of a net.PacketConn in batches, by the
// fastest way that the conn and the system have. Protocols use it and never ask what
// kind of conn they were given: one that is decorated behaves the same, only slower.
//
//	the conn                               reads, writes
//	*net.UDPConn on Linux                  recvmmsg, sendmmsg, and segmentation offload
//	*net.UDPConn elsewhere                 ReadFromUDPAddrPort, WriteToUDPAddrPort
//	a BatchReader, a BatchWriter           ReadBatch, WriteBatch
//	any other                              ReadFrom, WriteTo
//
// A protocol's call looks like this:
//
//	c := datagram.Open(ctx, pc, datagram.Config{ReadSize: 1500})
//	defer c.Release()
//	for {
//		out, wake := f.next(time.Now())
//		... c.Write(out) ...
//		pkts, err := c.Read(wake)
//		...
//	}
//
// # Who owns what
//
// The conn is the caller's of the protocol, who opened it and will close it. Between
// Open and Release its reading and its deadlines are ours. What [Conn.Read] returns is
// the protocol's until the next Read: the memory is used again. What [Conn.Write] is
// given stays the protocol's, and is not kept.
//
// No path allocates memory for a packet, once its buffers are there, but the last,
// where ReadFrom makes a net.Addr each time.
//
// # Choices
//
// Where the kernel can, datagrams of one length for one destination go to it in one
// piece. It shows on the first try whether the device can, too; if not, it is not tried
// again with that conn. Datagrams that arrived are taken in one piece only where
// [Config.Join] asks for it, because the socket is then of no use to others until
// Release: what is still in it may be several datagrams that look like one.
//
// An address is always unmapped: an IPv4 host that writes to a dual-stack socket is
// 192.0.2.1 and not ::ffff:192.0.2.1, and can be given back to Write as it is. A zone
// is the name of an interface, as in the net package.
//
// To fall asleep and be woken up takes longer than a round trip on a fast network. Where
// [Config.Spin] asks for it, a Read looks for so long before it sleeps; but where that was of
// no use four times in a row, and goes on to be, in one Read of 16. It gives way between two
// looks: what it waits for may have to be sent on this very processor.
//
// Where several processes share a processor, each packet wakes up its receiver, which puts
// off the sender and goes back to sleep. [Config.Yield] has a Read that follows one of fewer
// than 16 packets give way first (sched_yield), and look again: the next batch is longer then.
//
// Whoever gives way to a program that only computes gets the processor back after a slice of
// some milliseconds, where a sleeper gets it at once. So where Reads had to wait for that,
// and not for many packets, the next 255 sleep as if nothing had been said.
//
// A packet longer than Config.ReadSize is delivered cut off, one byte longer than that,
// so that the protocol can count it with its other bad packets.
//
// A deadline that has passed hides no packet that has arrived; see [Conn.Read].
//
// A type that embeds a *net.UDPConn is read by its own ReadFrom, not by those of its
// other methods that are promoted: it was made to change what they do.
package datagram
