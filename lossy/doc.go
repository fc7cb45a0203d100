// Package lossy impairs networks for tests of protocols. A protocol has to work when
// packets are lost, late, duplicated, corrupted and out of order; and a test of that
// has to take milliseconds and give the same packets in every run.
//
// [NewNetwork] makes a network in memory. Its conns behave as UDP sockets do, and in a
// bubble of [testing/synctest] an hour on it takes no time:
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
//	10.0.0.1:49152              link: a chain of models               10.0.0.2:7735
//	     Conn  --------->  Loss  --->  Rate  --->  NormalDelay  --------->  Conn
//	     Conn  <---------  NormalDelay  <---  Rate  <---  Loss  <---------  Conn
//	                  the same models, with separate state
//
// [Wrap] impairs what passes any conn, a real socket included:
//
//	conn := lossy.Wrap(pc, lossy.Ingress(lossy.Loss(0.1)), lossy.Seed(1))
//
//	          WriteTo  +---------------------------+
//	protocol --------->| egress:  Loss, Delay, ... |---> pc.WriteTo --> network
//	                   |                           |
//	protocol <---------| ingress: Loss, Delay, ... |<--- pc.ReadFrom <-- network
//	          ReadFrom +---------------------------+
//
// Three packages belong to this one:
//
//	lossy/netem    a model from the words that tc takes for netem
//	lossy/pcapng   every packet in a file for Wireshark
//	lossy/proxy    a bad network between real programs, as in examples/lossyproxy
//
// # Recipes
//
// A partition, and its end (Example_partition):
//
//	err := n.Partition([]netip.Addr{a, b}, []netip.Addr{c}) // a and b reach each other
//	time.Sleep(time.Minute)
//	n.Heal()
//
// Scripted drops, to see one case (Example_script):
//
//	lossy.DropNth(1, 2) // the first two of every flow, then everything passes
//	lossy.DropIf(func(p lossy.Packet) bool { return isAck(p.Payload) && p.N == 3 })
//
// Replay of the seed that failed. A test that tries many seeds prints it, and a
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
// A bottleneck that all receivers of one sender share, with half a second of
// queue, to see what congestion control does:
//
//	conn := lossy.Wrap(pc, lossy.Shared(lossy.Rate(1e6, 44)), lossy.Delay(20*time.Millisecond))
//
// # Models
//
// Models are applied in the order in which they are given. Each judges a packet at
// the moment when the packet is sent. A packet that a model drops is not seen by the
// next models: a Loss before a Rate spares the queue, a Loss after it does not. ([Limit]
// is an exception: a packet that it drops takes nothing from the models before it.)
// Delays add up. State belongs to a flow, which is one direction between two
// addresses, or to all flows where [Shared] says so.
//
//	Loss              each packet independently, with one probability
//	GilbertElliott    in bursts: a good and a bad state
//	FourState         in bursts, with single losses between: netem's "loss state"
//	DropNth, DropEvery, DropIf   by number in the flow, or by a function of yours
//	Crowding          with a probability that grows with the packets in a window
//	MTU               packets that are too long
//	Delay             constant; keeps the order
//	Jitter, UniformDelay, NormalDelay, ParetoDelay, ParetoNormalDelay, TableDelay   random
//	InOrder           undoes the reordering of those
//	Reorder           lets some packets overtake others, which a model delays
//	Duplicate         makes a copy, which is judged separately from then on
//	Corrupt, BitErrors   flip a bit in some packets, or every bit with some probability
//	Rate, RateWith    bits per second, overhead, a bounded queue and tail drop
//	Limit             bounds what the models before it hold
//	Slots             lets packets leave in bursts
//	Schedule          different models at different times
//	Correlated        makes random decisions depend on those for the packet before
//	Compose, Shared   several models as one; one state for all flows
//	LAN, WiFi, LTE, Satellite, Assignment   networks that have a name; see Preset
//
// # The network
//
// A [Network] has a link in each direction between every two conns. All links have
// the models that NewNetwork was given, until [Network.SetModels] or, for one
// direction between two hosts, [Network.SetLink] replaces them while packets flow.
// Links that are given the same Shared model share its state, so that any topology
// can be built from the paths through it. [Conn.JoinGroup] makes a conn a member
// of a multicast group; a packet to the group passes the link to each member.
// [Conn.SetReadBuffer] bounds the bytes that wait to be read. [Network.Links] returns
// statistics for each link.
//
// # The same packets in every run
//
// A [Network] in a synctest bubble gives the same packets at the same times
// from the same [Seed], on any number of cores:
//
//  1. It has one heap of events and one timer.
//  2. The events of one instant have a total order: by destination, source,
//     and number in the flow.
//  3. Every flow has its own stream of random numbers, which depends on the seed and
//     its two addresses only. Each packet takes two numbers from the stream to
//     seed the numbers that the models draw for it, so that another model or another
//     fate of this packet does not change the numbers of the next packet.
//  4. A packet takes at least a nanosecond. A write only queues it. The packets
//     of one instant are judged together, when that instant is over, in the
//     order of rule 2. The same holds for the counters and queues that flows share,
//     and for joining and leaving a group.
//  5. Read deadlines are events of the same heap, after the arrivals of the same
//     instant.
//
// Two things are left to the scheduler: the order in which two goroutines write to the
// same flow at the same instant, and the order in which they read from the same conn. In
// real time the order of packets is that of the writes.
//
// # Beside others
//
// What netem (Linux's tc), vnet (github.com/pion/transport), simnet
// (github.com/marcopolo/simnet) and toxiproxy offer, according to their documentation:
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
// # Limits
//
// A conn may have 64 MiB in flight, and a wrapped conn holds at most 64 MiB in each
// direction. More is dropped and counted ([CauseLimit]). 65,536 flows are remembered at
// most, and 32,768 at least: the least recently used ones are forgotten, and start again
// with new statistics.
//
// There is no ECN, because a net.PacketConn shows no IP header to mark.
//
// # Choices
//
// The UDP file delivery assignment leaves open what its count of packets is;
// see [Reading]. A delivery is counted from when its packet was sent. The
// packet being judged does not count, and one sent exactly 200 ms before does:
// a packet every 50 ms therefore finds n to be 4, as the text says.
//
// A wrong parameter (a probability of 1.5, a negative delay) panics when
// the model is made, with a text that names the function: it is a mistake in the
// program. What users may write gives an error: the words for lossy/netem, the name of a
// [Preset]. A link to a host that has no conn is an error, too, because hosts come and go.
//
// A Network's default seed is 0, so that tests can be repeated. A wrapped conn's default
// seed is random, because several conns with the same seed would lose the same packets.
// The streams of a wrapped conn depend on the order in which flows appear and not on
// addresses, because the ports of real sockets differ from run to run; so do those of a
// Network with [ForSockets].
//
// A wrapped conn judges a packet in the call that reads it, and no goroutine reads
// ahead: an unread packet stays in the inner conn, and its delay begins when it is read.
//
// A write on a Network does not wait: there is no send buffer. Packets in a receive queue
// are lost when the conn is closed. Packets in flight reach the conn that has the address
// when they arrive. A partition or a change of models holds for packets that are sent
// afterwards.
//
// Corruption changes the payload only, and the packet arrives. With a UDP checksum it
// would be dropped, and that is [Loss].
//
// Rate counts payload bytes only; [RateWith] adds overhead.
//
// # Where the code does what
//
//	loss.go, drop.go, delay.go, rate.go ...   a model and its state, by name
//	model.go, chain.go    what a model is; how a chain of models judges a packet
//	flow.go               state and random numbers of one flow
//	network.go            time: the timer and due events
//	network_transit.go    a packet from WriteTo to its arrival
//	network_hosts.go, network_links.go, network_groups.go   addresses, topology, multicast
//	conn.go ...           the conns of a Network
//	wrap.go ...           the conn that Wrap returns
//	trace.go, stats.go    events and counts
package lossy
