// Package multicast opens UDP sockets for IP multicast and broadcast, as CSCI 351
// project 4 describes them. A socket of this package is a net.PacketConn, on which any
// protocol of this library runs.
//
//	var c multicast.Config
//	group := netip.MustParseAddrPort("239.255.0.1:11000")
//	conn, err := c.Listen(group) // joins the group
//	if err != nil {
//		return err
//	}
//	defer conn.Close()
//	n, from, err := conn.ReadFrom(buf)
//	n, err = conn.WriteTo(buf, net.UDPAddrFromAddrPort(group))
//
// One [Conn] sends to hosts and to groups, and receives what is sent to the groups that
// it has joined. Any number of Conns on one host share a port, and each gets a copy of
// every packet.
//
// # What is received
//
// A socket that is bound to a port receives every packet to that port: unicast packets,
// broadcasts, and packets to every group that any program on the host has joined. A Conn
// delivers only what it was configured for:
//
//	destination               delivered
//	a group                   if joined, on the interface and from a source that were asked for
//	an address of this host   with Config.Unicast
//	a broadcast address       with Config.Broadcast
//
// The system filters most of it (on Linux IP_MULTICAST_ALL and IPV6_MULTICAST_ALL are
// off), and the Conn filters the rest by the destination of each packet. [Conn.ReadInfo]
// also returns that destination, the interface and the TTL.
//
// # Addresses
//
// [Classify] returns the use of an address (RFC 5771, 4291, 4607, 2365). The Ethernet
// address of a group ([MAC]) contains 23 of the 28 bits that distinguish IPv4 groups, so
// 32 groups share each Ethernet address:
//
//	IPv4   1110 xxxx  xhhh hhhh  hhhh hhhh  hhhh hhhh
//	                   |||  ||||  |||| ||||  |||| ||||
//	MAC    01 00 5e   0hhh hhhh  hhhh hhhh  hhhh hhhh
//
// The network card filters by the Ethernet address, the system by the group.
//
// # Interfaces
//
// A group is joined on one interface, and packets to it leave through one. On a host with
// several interfaces, name it ([Config.Interface]): otherwise the system's route to the
// group decides, which may lead into a VPN. Without a route, the only interface that is up
// is used; if several are up, the error names them. If an interface disappears and another
// of the same name appears, a Conn joins its groups there and sends through it, within
// about a second.
//
// # Limits
//
// Routers forward multicast only where they are configured for it, and limited broadcasts
// never. Nothing is encrypted, and anyone may send to a group: see package sealed.
//
// On Windows the destination of a packet is not known. Unicast and Broadcast then have no
// effect: whatever the system delivers is delivered. Reads are batched on Linux only. Other
// systems than Linux tell the source address of a route, not its interface: a group is joined
// on the interface that has this address.
//
// # Choices
//
//   - The TTL of packets to groups is 1, the system's default: they stay in the local
//     network. The document's sender uses 2.
//   - A negative TTL means 0. Such packets never leave the host. Linux sends them anyway
//     if the host is not a member of the group; a Conn that sends them therefore joins the
//     group first.
//   - Loopback is on, the system's default, on all systems: other programs on this host
//     receive what is sent.
//   - 224.1.1.1, which the document uses, is in a block that RFC 5771 reserves. Such
//     groups work; [Trace.Reserved] reports them. New groups belong in 239.255.0.0/16
//     (RFC 2365) or ff12::/16.
//   - The document calls 224.0.0.0 to 224.0.0.255 reserved. They and other blocks for
//     control protocols are refused, unless [Config.Control] is set.
//   - In the blocks for source-specific multicast a group is joined with sources, or not
//     at all.
//
// # Where the code does what
//
//	a packet is delivered or not            filter.go
//	a group is joined, and joined again     member.go
//	a destination is allowed or not         allow.go
//	an interface is found                   iface.go, route_linux.go
//	an address is classified                class.go
//	packets are read and written            conn.go, reader_linux.go
package multicast
