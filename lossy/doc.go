// Package lossy makes networks bad: it impairs what passes a net.PacketConn,
// or joins conns in memory by a network that is as bad as you wish, or stands
// between real programs. It is for tests of protocols, which have to work when
// packets are lost, late, doubled, corrupted and out of order, and have to be
// tested in milliseconds and with the same packets in every run.
//
// NewNetwork makes a network in memory. Its conns behave as UDP sockets do,
// and in a bubble of [testing/synctest] an hour on it takes no time:
//
//	10.0.0.1:49152              link: a chain of models               10.0.0.2:7735
//	     Conn  --------->  Loss  --->  Rate  --->  NormalDelay  --------->  Conn
//	     Conn  <---------  NormalDelay  <---  Rate  <---  Loss  <---------  Conn
//	                  the same models, with a state of its own
//
// Wrap goes around any conn, a real socket included:
//
//	          WriteTo  +---------------------------+
//	protocol --------->| egress:  Loss, Delay, ... |---> pc.WriteTo --> network
//	                   |                           |
//	protocol <---------| ingress: Loss, Delay, ... |<--- pc.ReadFrom <-- network
//	          ReadFrom +---------------------------+
//
// Package lossy/proxy, and the program examples/lossyproxy, stand between UDP
// programs that know nothing of them.
//
// # Recipes
//
// A flaky link in a unit test. The test takes no time, loses the same packets
// in every run, and has a real socket's interface (Example_flakyLink):
//
//	synctest.Test(t, func(t *testing.T) {
//		n := lossy.NewNetwork(
//			lossy.GilbertElliott(0.02, 0.3, 1, 0), // losses come in bursts
//			lossy.NormalDelay(50*time.Millisecond, 10*time.Millisecond),
//		)
//		a, err := n.NewConn(netip.AddrPort{})
//		b, err := n.NewConn(netip.AddrPort{})
//		...
//	})
//
// A partition, and its end (Example_partition):
//
//	err := n.Partition([]netip.Addr{a, b}, []netip.Addr{c}) // a and b reach each other
//	time.Sleep(time.Minute)
//	n.Heal()
//
// Scripted drops instead of chance, to see one case (Example_script):
//
//	lossy.DropNth(1, 2) // the first two of every flow, then everything passes
//	lossy.DropIf(func(p lossy.Packet) bool { return isAck(p.Payload) && p.N == 3 })
//
// Replay of the seed that failed. A test that tries many prints it, and a
// single run with it shows the same packets again (Example_replay):
//
//	for seed := range uint64(1000) {
//		if err := transfer(lossy.NewNetwork(lossy.Seed(seed), lossy.WiFi())); err != nil {
//			t.Fatalf("seed %d: %v", seed, err)
//		}
//	}
//
// A capture, to open in Wireshark when the test fails (Example_capture):
//
//	file, err := os.Create("failed.pcapng")
//	capture, err := pcapng.NewWriter(file)
//	n := lossy.NewNetwork(lossy.WithTrace(capture.Trace()), ...)
//
// On a real socket, a receiver that loses one packet in ten on receipt:
//
//	conn := lossy.Wrap(pc, lossy.Ingress(lossy.Loss(0.1)), lossy.Seed(1))
//
// A bottleneck that all receivers of one sender share, with half a second of
// queue, to see what congestion control does:
//
//	conn := lossy.Wrap(pc, lossy.Shared(lossy.Rate(1e6, 44)), lossy.Delay(20*time.Millisecond))
//
// # Models
//
// Models are applied in the order in which they are given, and each judges at
// the moment when the packet is sent. The first that drops it ends that: a
// Loss before a Rate spares the queue, one after it does not. (Only [Limit] is
// another matter: what it drops has taken nothing of the models before it.)
// Delays add up. State belongs to a flow, which is one direction between two
// addresses, or to all of them where [Shared] says so.
//
//	Loss              each packet with a probability of its own
//	GilbertElliott    in bursts: a good and a bad state
//	FourState         in bursts, with single losses between: netem's "loss state"
//	DropNth, DropEvery, DropIf   by number in the flow, or by a function of yours
//	Crowding          the more, the more packets there are in a window
//	MTU               what is too long
//	Delay             constant; keeps the order
//	Jitter, UniformDelay, NormalDelay, ParetoDelay, ParetoNormalDelay, TableDelay   by chance
//	InOrder           undoes the reordering of those
//	Reorder           lets some packets go past the delay of others
//	Duplicate         makes a copy, which goes on by itself
//	Corrupt, BitErrors   flip a bit in some packets, or every bit with some probability
//	Rate, RateWith    bits per second, overhead, a bounded queue and tail drop
//	Limit             bounds what the models before it hold
//	Slots             lets packets leave in bursts
//	Schedule          other models at other times
//	Correlated        makes the chances of a packet depend on those of the one before
//	Compose, Shared   several models as one; one state for all flows
//	LAN, WiFi, LTE, Satellite, Assignment   networks that have a name; see Preset
//
// Package lossy/netem makes a model of the words that tc takes for netem.
//
// # The network
//
// Every two conns of a [Network] are joined by a link each way. All links have
// the models that NewNetwork was given, until [Network.SetModels] or, for one
// way between two hosts, [Network.SetLink] gives them others while packets flow.
// Links that are given the same Shared model meet in it, so that any topology
// can be had from the paths through it. [Conn.JoinGroup] makes a conn a member
// of a multicast group; a packet to the group passes the link to each member.
// [Conn.SetReadBuffer] bounds what may wait to be read, in bytes.
// [Network.Links] tells what became of the packets, link by link.
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
//     sent at one instant is judged together, when that instant is over, in the
//     order of rule 2. That includes the counters and queues that flows share,
//     and who is a member of a group.
//  5. Read deadlines are events of the same heap, after the arrivals of the same
//     instant.
//
// What remains up to the scheduler is what the program leaves to it: two
// goroutines that write to the same flow at the same instant, or read from the
// same conn. In real time the order of packets is that of the writes.
//
// # Beside others
//
// What netem (Linux's tc), vnet (github.com/pion/transport), simnet
// (github.com/marcopolo/simnet) and toxiproxy do of this, by their
// documentation:
//
//	                               lossy   netem   vnet     simnet   toxiproxy
//	around a PacketConn            yes     -       -        -        -
//	in memory, virtual time        yes     -       yes      yes      -
//	between real programs          UDP     all IP  UDP      -        TCP
//	loss: independent              yes     yes     integer% -        -
//	loss: correlated               exact   (1)     -        -        -
//	loss: Gilbert-Elliott, 4-state yes     yes     -        -        -
//	loss: every n-th, scripted     yes     -       filter   -        -
//	delay: constant                yes     yes     yes      yes      yes
//	delay: uniform                 yes     yes     yes      function yes
//	delay: normal, Pareto, table   yes     yes     -        function -
//	delay: correlated              exact   (1)     -        -        -
//	jitter that keeps the order    yes     (2)     -        -        stream
//	duplicates                     yes     yes     yes      -        -
//	reordering with a gap          yes     yes     -        -        -
//	corruption                     yes     yes     -        -        -
//	rate, overhead, cells          yes     yes     rate     rate     rate
//	queue bounded in packets       yes     yes     -        -        -
//	queue bounded in bytes         yes     -       yes      yes      -
//	slots                          yes (3) yes     -        -        -
//	ECN marks                      -       yes     -        -        -
//	MTU                            yes     device  -        yes      -
//	schedules, changes while running yes   by tc   -        -        by HTTP
//	partition, multicast           yes     -       -        -        -
//	NAT, TCP                       -       -       yes      -        TCP
//	repeats from a seed            yes     newer   (4)      -        -
//	a capture                      pcapng  tcpdump -        -        -
//	statistics                     by link by queue -       by conn  -
//
// (1) netem's correlation changes the probability; see [Correlated]. (2) Only
// by a trick with the rate or the queue. (3) Without a distribution for the
// time between slots. (4) Each filter has a seed; the order of simultaneous
// packets has none.
//
// ECN is left out because a net.PacketConn shows no IP header to mark.
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
// program, not something that happens to one. What users may write is an error:
// the words for lossy/netem, the name of a [Preset]. So is a link to a host that
// has no conn, for hosts come and go.
//
// A Network's seed is 0 unless it is given another, because tests are to be
// repeatable. A wrapped conn's is random, because several with the same would
// lose the same packets. The streams of a wrapped conn depend on the order in
// which flows appear and not on addresses, because the ports of real sockets
// differ from run to run; so do those of a Network with [ForSockets].
//
// What is read is judged in the reader's own call, and no goroutine reads
// ahead: a packet that nobody has asked for stays in the wrapped conn, and its
// delay begins when it is read.
//
// A write on a Network never waits. There is no send buffer; a conn may have
// 64 MiB on its way, and what exceeds that is dropped and counted
// ([CauseLimit]). Packets that waited in a receive queue are lost when the conn
// is closed; those on their way reach whoever has the address when they arrive.
// A partition or a change of models holds for what is sent from then on.
//
// Corruption hits the payload only, and the packet arrives: a UDP checksum
// would drop it, and that is [Loss].
//
// A flow that has not been used is forgotten when there are more than 32768
// others, and begins anew, with its statistics.
//
// Rate counts payload bytes only; [RateWith] adds what else there is.
package lossy
