// Package lossy makes networks bad: it impairs what passes a net.PacketConn,
// or joins conns in memory by a network that is as bad as you wish. It is for
// tests of protocols, which have to work when packets are lost, late, doubled
// and out of order, and have to be tested in milliseconds and with the same
// packets in every run.
//
// Wrap goes around any conn, a real socket included:
//
//	          WriteTo  +---------------------------+
//	protocol --------->| egress:  Loss, Delay, ... |---> pc.WriteTo --> network
//	                   |                           |
//	protocol <---------| ingress: Loss, Delay, ... |<--- pc.ReadFrom <-- network
//	          ReadFrom +---------------------------+
//
// NewNetwork makes the network, too. Its conns behave as UDP sockets do, and
// in a bubble of [testing/synctest] an hour on it takes no time:
//
//	10.0.0.1:49152              link: a chain of models               10.0.0.2:7735
//	     Conn  --------->  Loss  --->  Rate  --->  NormalDelay  --------->  Conn
//	     Conn  <---------  NormalDelay  <---  Rate  <---  Loss  <---------  Conn
//	                  the same models, with a state of its own
//
// # Recipes
//
// A receiver that loses one packet in ten on receipt, on a real socket:
//
//	pc, err := net.ListenPacket("udp", ":7735")
//	...
//	conn := lossy.Wrap(pc, lossy.Ingress(lossy.Loss(0.1)), lossy.Seed(1))
//
// A test in virtual time, over a network of the worst kind:
//
//	synctest.Test(t, func(t *testing.T) {
//		n := lossy.NewNetwork(
//			lossy.Seed(seed),
//			lossy.Loss(0.2),
//			lossy.Duplicate(0.05),
//			lossy.NormalDelay(50*time.Millisecond, 10*time.Millisecond),
//		)
//		a, err := n.NewConn(netip.AddrPort{})
//		b, err := n.NewConn(netip.AddrPort{})
//		...
//	})
//
// A script instead of chance, to see one case:
//
//	lossy.DropNth(1, 2) // the first two of every flow, then everything passes
//	lossy.DropIf(func(p lossy.Packet) bool { return isAck(p.Payload) && p.N == 3 })
//
// A bottleneck that all receivers of one sender share, with half a second of
// queue, to see what congestion control does:
//
//	conn := lossy.Wrap(pc, lossy.Shared(lossy.Rate(1e6, 44)), lossy.Delay(20*time.Millisecond))
//
// What happened, afterwards and meanwhile:
//
//	fmt.Println(n.Stats().Dropped())
//	lossy.WithTrace(lossy.LogTrace(logger))
//	lossy.WithTrace(&lossy.Trace{Judged: func(e lossy.Event) { ... }})
//
// # Models
//
// Models are applied in the order in which they are given, and each judges at
// the moment when the packet is sent. The first that drops it ends that: a
// Loss before a Rate spares the queue, one after it does not. Delays add up.
// State belongs to a flow, which is one direction between two addresses, or to
// all of them where [Shared] says so.
//
//	Loss        each packet with a probability of its own
//	Delay       constant; keeps the order
//	Jitter      uniform between two delays
//	NormalDelay normal, as in the UDP file delivery assignment
//	Duplicate   a copy, which goes on by itself
//	Rate        bits per second, with a bounded queue and tail drop
//	Crowding    loss that grows with the number of packets in a window
//	Assignment  the network of the UDP file delivery assignment, whole
//	DropNth     by number in the flow
//	DropIf      by a function of yours
//
// # The same packets in every run
//
// A [Network] in a synctest bubble gives the same packets at the same times
// from the same [Seed], on any number of cores:
//
//  1. It has one heap of events and one timer.
//  2. The events of one instant have a total order: by destination, source,
//     and number in the flow.
//  3. Every flow has a stream of random numbers of its own, which depends on
//     the seed and its two addresses only. Each packet takes two from it to
//     seed the numbers that the models draw for it, so that a model more or a
//     packet's fate does not change those of the next packet.
//  4. A packet takes at least a nanosecond. A write only queues it; what was
//     sent at one instant is judged together, one nanosecond later, in the order
//     of rule 2. That includes the counters and queues that flows share.
//  5. Read deadlines are events of the same heap, after the arrivals of the same
//     instant.
//
// What remains up to the scheduler is what the program leaves to it: two
// goroutines that write to the same flow at the same instant, or read from the
// same conn. In real time the order of packets is that of the writes.
//
// # Choices
//
// The UDP file delivery assignment leaves open what its count of packets is;
// see [Reading]. A delivery is counted from when its packet was sent. The
// packet being judged does not count, and one sent exactly 200 ms before does:
// so a packet every 50 ms finds n to be 4, as the text says.
//
// A mistake in a parameter (a probability of 1.5, a negative delay) panics when
// the model is made, with a text that names the function: it is a mistake in a
// program, not something that happens to one.
//
// A Network's seed is 0 unless it is given another, because tests are to be
// repeatable. A wrapped conn's is random, because several with the same would
// lose the same packets. The streams of a wrapped conn depend on the order in
// which flows appear and not on addresses, because the ports of real sockets
// differ from run to run.
//
// What is read is judged in the reader's own call, and no goroutine reads
// ahead: a packet that nobody has asked for stays in the wrapped conn, and its
// delay begins when it is read.
//
// A write on a Network never waits. There is no send buffer; a conn may have
// 64 MiB on its way, and what exceeds that is dropped and counted
// ([CauseLimit]). Packets that waited in a receive queue are lost when the conn
// is closed; those on their way reach whoever has the address when they arrive.
//
// A flow that has not been used is forgotten when there are more than 32768
// others, and begins anew.
//
// Rate counts payload bytes only.
package lossy
