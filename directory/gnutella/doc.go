// Package gnutella finds files by flooding: a servent of the Gnutella protocol 0.4, one of the systems that CEN
// 502 project 2 surveys (part I, 3.2), behind the seam of package directory.
//
//	           Query ->            Query ->
//	[asker] ------------- [node] ------------- [holder]
//	   |     <- QueryHit     |    <- QueryHit      |
//	   |                  [node] ...               |
//	   +------------- HTTP, or Push ---------------+
//
// # A network
//
//	n := gnutella.Node{Listener: l, Join: []netip.AddrPort{known}}
//	go n.Serve(ctx)
//
//	err := n.Publish(ctx, httpAddr, []string{"new.txt"})
//
//	f := fetch.Fetcher{Transport: n.Transport()}
//	report, err := f.Fetch(ctx, root, "new.txt", "", &n)
//
// Node is a fetch.Locator and a directory.Publisher. To publish sends nothing: a query finds the file.
//
// # The protocol
//
// Servents are linked by TCP. The one that connects sends "GNUTELLA CONNECT/0.4" and an empty line, the other
// answers "GNUTELLA OK" and an empty line. After that both send messages; see [Message] for their layout.
//
//   - A Ping asks who is there, and a Pong answers. Pongs name hosts to connect to.
//   - A Query asks for files, and a QueryHit answers, with the address of the HTTP server that has them.
//   - Ping and Query go to all neighbours except the one that they came from, while their TTL is above 1; each hop takes 1
//     from TTL and adds 1 to hops. A message whose GUID has been seen is dropped.
//   - Pong and QueryHit carry the GUID of their request, and go back along its path. Their TTL begins at the hops
//     of the request plus 2.
//   - Push asks a servent that cannot be connected to (it is behind a NAT or firewall) to connect to the asker. It
//     goes back along the path of the servent's QueryHit. The servent connects, sends "GIV INDEX:SERVENT/NAME" and an empty
//     line, and then answers HTTP requests on that connection.
//
// # Limits
//
// A flood reaches the nodes within its TTL, 7, and no others: a file that is farther away is not found. The cost
// grows with the network; see internal/gnutellasim for counts. Protocol 0.4 names IPv4 addresses only: a node with an
// IPv6 address alone can ask, and cannot answer.
//
// Bounds: 20,000 GUIDs of pings and of queries each are remembered, the latest; 5000 routes to servents; 1000
// hosts; 512 messages wait for a neighbour, and more are dropped; a payload has at most 16 KiB. A neighbour that sends a malformed
// message, or more than MaxRate messages a second, is disconnected.
//
// Servents are not authenticated. A QueryHit can name any address, and a servent can answer every query: the
// fetched bytes are verified where a digest is known. The neighbours of a node see its queries.
//
// # Choices
//
//   - A query's text is the exact name of a file, and finds that file alone. An empty text finds nothing. Protocol 0.4
//     leaves the search to the servent.
//   - The HTTP server is directory.Peer's, so a file is at /NAME, with ranges and digests. [Requests] adds the
//     paths of protocol 0.4, /get/INDEX/NAME/.
//   - A message that arrives with a TTL above 7 gets 7.
//   - An answer's address, where the node does not know its own, is that of the link that the answer leaves over.
//   - Each node looks for four neighbours, and accepts 32 beyond that. It pings its neighbours every 20 s, with a TTL of 2.
//   - A neighbour that connects while a query of this node runs is asked as well.
//   - Protocol 0.6, ultrapeers and GGEP are left out: the document surveys 0.4.
//
// # Where the code does what
//
//	machine.go   what is answered, forwarded, routed back and dropped
//	message.go   the layout of messages
//	server.go    the goroutine that owns the machine, and which nodes are dialled
//	link.go      connections: handshakes, reading, writing, bounds on what a neighbour sends
//	locate.go    queries of this node; push.go: Push, from both sides
package gnutella
