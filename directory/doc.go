// Package directory shares files between peers, who find each other through a central
// directory: the system of CEN 502 project 2, part II.
//
//	        directory                  knows who has which file
//	      /           \                UDP: Server, Client
//	peer                peer           each shares files, and fetches others
//	    \______________/               HTTP: Peer, Fetcher
//
// # A first file
//
// One host runs the directory:
//
//	var s directory.Server
//	stats, err := s.Serve(ctx, conn)                     // conn is a net.PacketConn
//
// A peer shares a file, and another one gets it:
//
//	c := &directory.Client{Conn: conn, Directory: addr}
//	p := directory.Peer{Root: root, Publisher: c}
//	err := p.Share("new.txt")
//	err = p.Serve(ctx, listener)                         // a net.Listener
//
//	var f directory.Fetcher
//	report, err := f.Fetch(ctx, root, "new.txt", "", c)
//
// The caller makes the conns, and all but the listener stay the caller's. Whatever
// blocks takes a context, and returns when its own goroutines are gone. The directory
// is one way to find sources and to be found: [Locator] and [Publisher] are the seam
// where another can take its place.
//
// # Datagrams
//
// A request and an answer are words of ASCII, or of UTF-8 where a file name has more,
// in one datagram or several:
//
//	TYPE FIELD FIELD ...  SEQ TOTAL
//
//	1 10.0.0.2 80  1 1                 update: the peer whose HTTP server is there shares nothing
//	1 10.0.0.3 80 new.txt  1 1         it shares one file
//	2 new.txt  1 1                     look-up: who has it?
//	3 10.0.0.3 80  1 1                 exit: the peer leaves
//	4 KEY  1 1                         view: what is there? KEY is anything, or not there
//	6 TOKEN NAME { IP PORT } ...  2 2                                     answers a look-up
//	8 TOKEN KEY COUNT { IP PORT TIME FILES { NAME } ... } ...  2 2        answers a view
//	9 TOKEN CODE TYPE [NAME]  2 2                                         error; 404: nobody has it
//
// A field ends with one space. A space, a percent sign and control characters in it are
// written as %20 and so on. A message that is longer than [MaxDatagram] is cut between
// fields, and each fragment has the type before and its number and the number of all
// behind.
//
// Both ways it is stop-and-wait. A datagram is acknowledged by its echo, with SEQ the
// number that is expected next and TOTAL the one that is acknowledged ("... 2 1"): SEQ
// is greater than TOTAL there and nowhere else, and an acknowledgement is never
// answered. The fragment that was accepted last is acknowledged again, whatever else is
// not expected is dropped. Update and exit are done when they are acknowledged.
//
// The first fragment of an answer holds a random token alone, and is no longer than the
// request was. Until it is acknowledged, with the token, at most three times the bytes
// of the request go to the address (RFC 9000, section 8.1): a host that pretends to be
// another cannot turn the directory on it, as far as it cannot guess the token; see
// Limits.
//
// A peer updates every 7 s, or sooner when something changed, and is forgotten 21 s
// after its last update. It registers its own IP address only, unless the operator
// allows others ([Server.AnyAddress]).
//
// # Files
//
// NAME is at http://PEER/NAME. Any HTTP client can get it, with ranges. Its SHA-256 is
// the ETag and the Repr-Digest (RFC 9530), and http://PEER/pieces/NAME lists the
// SHA-256 of each MiB; see [Pieces]. A [Fetcher] takes pieces from all peers that have
// the same file, verifies the whole and, where that is wrong, each piece, goes on with
// what an earlier attempt left, and gives the file its name when it is whole. It also
// fetches from a server that has none of that, and says that the file is not verified.
//
// # Limits
//
// Datagrams are neither encrypted nor signed: who can send from a peer's address can
// speak for it, and who can read the traffic can pretend to be anybody. Digests come
// from the same peers as the bytes. Where that is not enough, set [Fetcher.SHA256] from
// a source that you trust.
//
// The token has 48 random bits where the request has 15 bytes, and less where it is
// shorter: none where it is the shortest, "4  1 1". Whoever guesses it, in the name of
// another host, can have one datagram of the answer sent there, again and again for 5 s.
//
// Nothing in an update says which of two is the later one. If the network delivers a
// late copy of an old one, what it says holds until the next, 7 s at most.
//
// # Choices
//
// Where CEN 502 project 2 is silent, or this package goes its own way:
//
//   - The formats of requests 2 to 4 and of all answers, and names that hold a space:
//     the document shows none of them.
//   - Each fragment repeats the type, and no field is cut in two.
//   - The timer is the document's, with its two equations in its order, alpha 1/8, beta
//     1/4 and the timeout EstimatedRTT + 4 DevRTT; the first sample sets both as in RFC
//     6298. Nothing that was sent twice is measured. The timeout doubles while nothing
//     is heard, is 100 ms at first and 1 s at most; where six answers in a row come too
//     late it doubles for good, until a sample says how long the round trip is.
//   - An update or exit that is refused is answered instead of acknowledged, so that it
//     cannot be taken for done.
//   - A client that waits for an answer repeats the last fragment of its request; after
//     twelve tries in vain in the middle of a request it begins the request again, in
//     case the directory has forgotten.
//   - A client does not wait, after its last acknowledgement, whether that has arrived.
//     If not, the directory repeats the last fragment for 5 s, and counts the answer as
//     unconfirmed; the client's next request acknowledges it on the way.
//   - A thread for each request is how the document's program is made, not what its
//     protocol says: one goroutine serves all requests, and none of them waits for
//     another.
//   - Views that come at about the same time share what they show: when a peer was heard
//     may be 100 ms old. A change shows at once, or 5 ms later where more than 200 in a
//     second are asked for.
//   - In the document a peer is asked for a file by the user, who chooses one. That is
//     possible here as well; the default is to fetch from all.
//   - Sources that have different files under one name: what most of them have is
//     fetched, the earliest to answer winning a tie.
//   - What arrives is digested once, not twice: the first piece of each request as soon
//     as it is there, and then the whole. Only where the whole is wrong are all pieces
//     verified: what is wrong is fetched again, and not from who delivered it.
//   - A download may take as long as it likes if it goes on: a connection that takes less
//     than 64 KiB in two minutes is worth more to another client, and is closed.
//   - A file that was changed less than 20 ms ago is digested anew for each request: it
//     could change again without another time stamp.
package directory
