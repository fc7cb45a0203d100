// Package chord finds files without a central directory: a Chord ring, one of the systems that CEN
// 502 project 2 surveys (part I, 3.3), behind the seam of package directory.
//
//	     key of new.txt
//	          |
//	  a ------v--- b           the first nodes at and after a name's
//	 /              \          place on the circle keep who has the file
//	f                c
//	 \              /          a look-up jumps at least half of the way
//	  e ---------- d           that is left, each time: O(log N) nodes
//
// # A ring
//
//	n := chord.Node{Conn: conn, Join: []netip.AddrPort{known}} // no Join: a new ring
//	go n.Serve(ctx)
//
//	err := n.Publish(ctx, httpAddr, []string{"new.txt"})
//
//	for addr, err := range n.Holders(ctx, "new.txt") {
//		...
//	}
//
// A Node that is given to directory.Peer publishes what the peer shares; one that is given to
// fetch.Fetcher finds sources. Observe has a node ask the ring without joining it.
//
// # The protocol
//
// A node's identifier is the SHA-1 of its address and port, a name's that of the name. Each node knows
// its predecessor, the Successors nodes after it, and fingers: the first node at or after its own identifier
// plus 2^i, for every i. A look-up is iterative. The node that looks asks, of the nodes that it has
// heard of, the one closest before the key. That node answers with nodes that are closer still, or, if the key
// lies between it and its first successor, with its successor list: the nodes that keep the key.
//
// Packets are UDP datagrams; see [Packet] for the layout. A request is sent again, with the same nonce, by a
// timer from measured round trips (RFC 6298), and after five tries its node is taken to have failed. NEIGHBOURS,
// FIND and GET are padded to a third of the longest answer, so a forged request draws no more than three times its bytes
// (RFC 9000, section 8.1). PUT and NOTIFY must show a token that came with an answer to the same
// address. A PUT registers the IP address that it comes from, and no other.
//
// Every round, Period apart on average, a node asks its first successor for its neighbours, tells it
// that it may be its predecessor, and looks at one finger. A node that is new looks at all fingers at once.
//
// # What is promised
//
// The operations are those of P. Zave, "Reasoning about identifier spaces: how to make Chord correct"
// (arXiv 1610.01140), who proved them: as long as no failure leaves a node without a successor
// that is alive, and r+1 nodes are principals (nodes that no successor list skips, r being
// Successors), the nodes form one ordered ring, and left alone it becomes perfect. As published, Chord is not correct
// (the same author, ACM SIGCOMM CCR 42(2), 2012). What differs from I. Stoica et al.,
// IEEE/ACM Transactions on Networking 11(1), 2003:
//
//   - A node that joins takes over its predecessor's successor list at once, and is then a member.
//   - A closer successor is taken only when it has answered (stabilise), and a predecessor
//     is replaced by one that is not closer only when it no longer answers (rectify, in place of notify and
//     check_predecessor).
//   - A successor that fails makes the next of the list the first, at once.
//
// The proof begins with r+1 nodes. A ring that begins with one node grows: each node that joins makes
// the lists one longer, until they hold r nodes each, some rounds after the r+1st has joined. Before
// that the failure of one node can leave another alone; it then joins again through the nodes that it was
// given, and by those that it remembers.
//
// What neither has: a node looks from time to time for its own place beginning at a node of Join, or at a
// successor that failed. If that finds a closer successor there were two rings, after a partition, and they merge.
// Zave's artificial entries, which keep a list at its length, are left out: a shorter list skips no node.
//
// # Limits
//
// Nodes are not authenticated. A node chooses its identifier only by choosing its address, but a host with many
// addresses can surround a key and say that it has no holders, or false ones. A false holder costs a connection: fetched files
// are verified where a digest is known. A node is believed only for keys between it and
// the successor that it names, but it can name one that does not exist, and so hide the keys between.
//
// A publication is kept by the Successors nodes after its key for Expiry, and is renewed by the
// node that made it three times in that time. Nothing is handed over when nodes join or leave: a node that has just joined has
// no publications, so a look-up asks all nodes of the successor list. A name that is no longer renewed is found
// until it expires.
//
// The path of a look-up is not secret, and neither is who asks.
//
// # Choices
//
//   - Look-ups are iterative: the node that asks notices who does not answer, and goes on with the
//     next best.
//   - An answer has four candidates. When they have all failed, the same node is asked for nodes before
//     them, so a look-up ends at the right node even if half of all nodes have failed at once.
//   - fix_fingers asks the finger for its predecessor, two packets, and looks it up only if that predecessor
//     would be a better finger.
//   - Timers are one estimate per node, over all nodes that it talks to.
//   - The lists are 8 long by default: the papers take 2 log2 N, which is 20 for a thousand nodes. Eight
//     publications of each name are enough for a third of the nodes to fail at once.
//
// # Where the code does what
//
//	ring.go      joining, stabilising, rectifying, merging: the order of the ring
//	fingers.go   which finger is looked at next
//	lookup.go    which node is asked next, and when a look-up ends
//	routing.go   what a node knows: predecessor, successors, fingers
//	call.go      requests, their timers, and what follows an answer or a failure
//	task.go      publishing and finding holders, as steps of the machine
//	store.go     what is kept for others, and when it expires
//	packet.go    the layout of packets; message.go: their meaning
//	machine.go   the state machine from outside; serve.go: the loop around it
//	publish.go   the methods that other goroutines call; inbox.go: how they reach the loop
package chord
