// Package directory shares files between peers that find each other through a central
// directory: the system of CEN 502 project 2, part II.
//
//	        directory                  knows which peer has which file
//	      /           \                UDP: Server, Client
//	peer                peer           each shares files, and fetches others
//	    \______________/               HTTP: Peer, fetch.Fetcher
//
// One host runs the directory. A peer shares a file, and another peer gets it:
//
//	var s directory.Server
//	err := s.Serve(ctx, conn)                            // conn is a net.PacketConn
//
//	c := &directory.Client{Conn: conn, Directory: addr}
//	p := directory.Peer{Root: root, Publisher: c}
//	err := p.Share("new.txt")
//	err = p.Serve(ctx, listener)                         // a net.Listener
//
//	var f fetch.Fetcher                                  // package directory/fetch
//	report, err := f.Fetch(ctx, root, "new.txt", "", c)
//
// The directory is one way to find sources and to be found. [fetch.Locator] and
// [Publisher] are the interfaces of other ways.
//
// # Datagrams
//
// A request and an answer are words of ASCII, or of UTF-8 in file names, in one datagram
// or several:
//
//	TYPE FIELD FIELD ...  SEQ TOTAL
//
//	1 10.0.0.2 80  1 1                 update: the peer whose HTTP server is there shares nothing
//	1 10.0.0.3 80 new.txt  1 1         it shares one file
//	2 new.txt  1 1                     look-up: which peers have it?
//	3 10.0.0.3 80  1 1                 exit: the peer leaves
//	4 KEY  1 1                         view: list the peers; KEY is any word, and optional
//	6 TOKEN NAME { IP PORT } ...  2 2                                     answers a look-up
//	8 TOKEN KEY COUNT { IP PORT TIME FILES { NAME } ... } ...  2 2        answers a view
//	9 TOKEN CODE TYPE [NAME]  2 2                                         error; 404: no peer has it
//
// A field ends with one space. A space, a percent sign and control characters in a field
// are written as %20 and so on. A message that is longer than [MaxDatagram] is cut between
// fields. Each fragment begins with the type, and ends with its number and the number of
// all fragments.
//
// Both directions are stop-and-wait. A datagram is acknowledged by its echo, in which SEQ
// is the number that is expected next and TOTAL the number that is acknowledged
// ("... 2 1"). SEQ is greater than TOTAL in acknowledgements only. An acknowledgement is
// never answered. The fragment that was accepted last is acknowledged again. Any other
// unexpected datagram is dropped. Update and exit are done when they are acknowledged.
//
// The first fragment of an answer holds a random token alone, and is no longer than the
// request. Until it is acknowledged, at most three times the bytes of the request go to the
// address (RFC 9000, section 8.1). So a host that uses the address of another host cannot
// direct a flood at it.
//
// A peer updates every 7 s, or sooner when something has changed, and expires 21 s after
// its last update. It registers only its own IP address, unless the operator allows others
// ([Server.AnyAddress]).
//
// # Files
//
// NAME is at http://PEER/NAME. Any HTTP client can get it, with ranges. Its SHA-256 is the
// ETag and the Repr-Digest (RFC 9530), and http://PEER/pieces/NAME lists the SHA-256 of
// each MiB; see [fetch.Pieces]. While the digests of a large file are computed, the list is
// answered by 503 with Retry-After, and the file is served with its date alone.
//
// # Limits
//
// Datagrams are neither encrypted nor signed: a host that can send from a peer's address
// can speak for it, and a host that can read the traffic can pretend to be any other.
// Digests come from the same peers as the bytes. If that is not enough, set
// [fetch.Fetcher.SHA256] from a source that you trust.
//
// The token has 48 random bits if the request has 15 bytes, and fewer if it is shorter:
// none in the answer to "4  1 1". A host that guesses the token in the name of another can
// have one datagram of the answer sent there, repeatedly for 5 s.
//
// An update does not say which of two is the later one. If the network delivers a late copy
// of an old update, it holds until the next update, for 7 s at most.
//
// A host can register many peers, and a host that forges addresses can register many
// hosts. While the registry is less than half full this is allowed. Then a host may have a
// sixteenth of the registry. From seven eighths on, an update of a host that never
// confirmed a token is refused with 503 and a token. The acknowledgement of the token
// proves the address, and [Client] sends the update again. A client that does
// not confirm tokens, such as the document's, is registered when it repeats its update, but
// is the first to make room for others. A look-up names one peer of each host before a
// second one of any host.
//
// # Choices
//
// Where CEN 502 project 2 is silent, or this package differs from it:
//
//   - The formats of requests 2 to 4 and of all answers, and names that hold a space: the
//     document shows none of them.
//   - Each fragment repeats the type, and no field is cut in two.
//   - The timer is the document's, with its two equations in its order, alpha 1/8, beta
//     1/4 and the timeout EstimatedRTT + 4 DevRTT. The first sample sets both, as in RFC
//     6298. Datagrams that were sent twice are not measured. The timeout doubles while
//     nothing is heard. It is 100 ms at first and 1 s at most. If six answers in a row
//     come after the timeout, it stays doubled until there is a sample.
//   - A refused update or exit is answered and not acknowledged, so that it cannot be
//     mistaken for done. A list of files that is too long is refused with 413, and the
//     peer does not send it again before it changes.
//   - A client that waits for an answer repeats the last fragment of its request. After
//     twelve tries in the middle of a request it begins the request again, in case the
//     directory was restarted.
//   - A client does not wait after its last acknowledgement. If that is lost, the directory
//     repeats the last fragment for 5 s and counts the answer as unconfirmed. The client's
//     next request acknowledges it.
//   - The document's program starts a thread for each request. Here one goroutine serves
//     all requests, and no request waits for another.
//   - Views that come within 100 ms share one listing, so the times in it may be that old.
//     Changes are shown at once, or 5 ms later if more than 200 views per second arrive.
//   - In the document the user chooses the peer to download from. That is possible here;
//     the default is to fetch from all peers.
//   - A client must take 64 KiB of a download in two minutes, or its connection is closed.
//     A request must arrive within 30 s, and has no body.
//   - A file has the same version as long as its inode, size, modification time and change
//     time are the same. The digests of a file that changed within the grain of its time
//     stamps are computed again for each request.
//
// # Where the code does what
//
//   - A datagram is encoded and decoded: message.go, field.go, answer.go; a long message is
//     cut: fragment.go.
//   - A directory takes a datagram: dispatcher.go; it does what a request asks for:
//     handle.go; its state for one address: session.go; the answer to a view: listing.go.
//   - A peer is registered, looked up and expires: registry.go, names.go; the share of one
//     host: host.go.
//   - A client sends a fragment again, and takes an answer: exchange.go, timer.go.
//   - A peer announces its files: peer.go; serves them: http.go, conns.go; knows their
//     digests: share_store.go, version.go, digest_cache.go.
//   - Files are fetched: package fetch.
package directory
