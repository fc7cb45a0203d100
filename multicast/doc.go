// Package multicast opens UDP sockets for IP multicast and broadcast, as CSCI 351
// project 4 describes them. What it opens is a net.PacketConn, on which any protocol
// runs.
//
//	var c multicast.Config
//	conn, err := c.Listen(netip.MustParseAddrPort("239.255.0.1:11000"))  // joins the group, too
//	n, from, err := conn.ReadFrom(buf)
//	n, err = conn.WriteTo(buf, group)
//
// One [Conn] sends to hosts and to groups, and receives what is sent to the groups that
// it has joined. Any number of them on one host share a port, and each gets a copy of
// every packet.
//
// # What is received
//
// A socket that is bound to a port receives what is sent to that port, whatever it was
// sent to: unicast, broadcasts, and every group that any program on the host has
// joined. A Conn delivers only what it was asked for:
//
//	sent to                           delivered
//	a group                           if joined, on the interface and from a source that were asked for
//	an address of this host           with Config.Unicast
//	a broadcast address               with Config.Broadcast
//
// The system sorts out most of it (on Linux IP_MULTICAST_ALL and IPV6_MULTICAST_ALL are
// off), and the rest is judged by the destination of every packet. [Conn.ReadInfo]
// tells that destination, the interface and the TTL as well.
//
// # Addresses
//
// [Classify] says what an address is for (RFC 5771, 4291, 4607, 2365). The Ethernet
// address of a group ([MAC]) holds 23 of the 28 bits that tell IPv4 groups apart, so
// that 32 groups share each:
//
//	IPv4   1110 xxxx  xhhh hhhh  hhhh hhhh  hhhh hhhh
//	                   |||  ||||  |||| ||||  |||| ||||
//	MAC    01 00 5e   0hhh hhhh  hhhh hhhh  hhhh hhhh
//
// A host filters by it in hardware, and the rest in software.
//
// # Interfaces
//
// A group is joined on one interface, and packets for it leave through one. Name it
// ([Config.Interface]) where a host has more than one: otherwise the system's route to
// the group decides, which may lead into a VPN. If the interface goes and another of
// the same name comes, a Conn joins its groups again there, and sends through it,
// within a second or so.
//
// # Limits
//
// Routers pass multicast on only where they are set up to, and limited broadcasts
// never. Nothing is encrypted, and anybody may send to a group.
//
// On Windows the destination of a packet is not known, so that Unicast and Broadcast
// have no effect: what the system delivers is delivered. Reads are batched on Linux
// only.
//
// # Choices
//
//   - The TTL of packets to groups is 1, the system's default: they stay in the local
//     network. The document's sender uses 2.
//   - A negative TTL means 0. Such packets never leave the host. Linux sends them all
//     the same if the host is no member of the group; therefore a Conn that sends them
//     joins the group first.
//   - Loopback is on, as the system's default is, on all systems: other programs on
//     this host hear what is sent.
//   - 224.1.1.1, which the document uses, is in a block that RFC 5771 reserves. Such
//     groups work; [Trace.Reserved] tells of them. New groups belong in 239.255.0.0/16
//     (RFC 2365) or ff12::/16.
//   - The document calls 224.0.0.0 to 224.0.0.255 reserved. They and other blocks for
//     control are refused, unless [Config.Control] is set.
//   - In the blocks for source-specific multicast a group is joined with sources or not
//     at all.
package multicast
