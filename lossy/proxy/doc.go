// Package proxy puts a bad network between UDP clients and a server that are
// real programs and know nothing of it.
//
//	conn, err := net.ListenPacket("udp", ":6900")
//	...
//	s := proxy.Server{
//		To:      netip.MustParseAddrPort("192.0.2.1:69"),
//		Options: []lossy.Option{lossy.Loss(0.05), lossy.Delay(20 * time.Millisecond)},
//	}
//	err = s.Serve(ctx, conn)
//	fmt.Println(s.Stats())
//
// Clients send to the proxy instead of the server:
//
//	client  <--->  conn | Network: Options | socket  <--->  server
//	client  <--->  conn |   both ways      | socket  <--->  server
//
// Each client has a separate socket towards the server, so that the server
// can tell clients apart. When the server answers from an address other than To, as
// TFTP does with a port for each transfer, the client receives that from another
// port of the proxy, and reaches that address through that port.
//
// # Limits
//
// The proxy itself should lose nothing. It asks for receive buffers of 8 MiB on
// all its sockets; Linux grants a process without CAP_NET_ADMIN at most
// net.core.rmem_max. What the system drops nevertheless because a buffer is full
// is counted on Linux ([Stats.Missed]), as are packets that the system refuses to
// send ([Stats.Unsent]).
//
// The number of clients is bounded by [Server.MaxClients], and one client hears
// from at most 16 addresses of servers. When no place or no descriptor is left,
// a new client takes the place of the first of these that exists:
//
//  1. a client that began at least a second ago and has not sent anything since
//     it was first answered: its address may be forged;
//  2. a client that has been idle for a second, of another host that has more
//     than half of the places;
//  3. a client that has been idle for 30 seconds.
//
// Of several, the one that has been idle longest makes room. If there is none,
// the packet is dropped and reported ([Trace.Refused]).
//
// # Choices
//
// Random numbers depend on the seed and on the order in which flows appear, not
// on addresses ([lossy.ForSockets]): the ports of real sockets differ from run
// to run.
//
// An ICMP error of the server is not passed on: to the client, a server that is
// not there is silent.
package proxy
