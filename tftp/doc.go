// Package tftp is a TFTP client and server. It implements RFC 1350 with the modes octet and
// netascii, reads and writes, and the options of RFC 2347: blksize (RFC 2348), timeout and
// tsize (RFC 2349) and windowsize (RFC 7440). It also implements the protocol of the UDP file
// delivery assignment, whose block numbers have four bytes (Wide).
//
// A server:
//
//	root, err := os.OpenRoot("/srv/tftp")
//	conn, err := net.ListenPacket("udp", ":69")
//	dir := &ferry.Dir{Root: root, Subdirectories: true}
//	err = (&tftp.Server{Opener: dir, Handler: dir}).Serve(ctx, conn)
//
// Without Handler the server accepts no files. [ferry.FS] serves any fs.FS, and a
// [ferry.Opener] of your own can make files up.
//
// A client:
//
//	var c tftp.Client
//	report, err := c.Get(ctx, conn, server, "pxelinux.0", ferry.SaveAs(root, "pxelinux.0"))
//	report, err = c.Put(ctx, conn, server, "config", ferry.Source{R: r, Size: size})
//
// The caller makes the conns and closes them. All calls return after their goroutines have
// returned.
//
// # The protocol
//
// A client sends its request to the well-known port of the server. The server answers from a
// new port, and the transfer is between these two ports. If the client asked for options the
// server first answers them with an OACK. Then one side sends blocks, and the other
// acknowledges each of them, or the last of each window if there is a windowsize. The last
// block is shorter than all others. [Packet] shows the layout.
//
//	client                    server
//	  |---- RRQ, options --------->| port 69
//	  |<--- OACK ------------------| port Q
//	  |---- ACK 0 ---------------->|
//	  |<--- DATA 1 ----------------|
//	  |<--- DATA 2 ----------------|   windowsize 2
//	  |---- ACK 2 ---------------->|
//	  :                            :
//	  |<--- DATA n, short ---------|
//	  |---- ACK n ---------------->|   the client lingers, in case DATA n is repeated
//
// A Wide receiver acknowledges each block separately, and a [Strategy] decides what the sender
// sends next, and when. [Adaptive] is the default; docs/tftp-delivery.md compares the
// strategies. A client that is not Wide decides by its windowsize.
//
// # Limits
//
// Files have any size: blocks are counted in 64 bits, and roll over on the wire.
//
// A sender keeps one window of blocks in memory, or two if the source can seek. A receiver
// keeps at most one window, and 64 to 256 KiB that are not yet written; a Wide receiver keeps
// up to 1024 blocks. All writes of a server together keep at most 256 MiB of blocks that
// arrived before a missing one. The numbers of transfers are bounded by MaxTransfers and
// MaxPerAddress.
//
// Before a client has answered, at most three packets and 4096 bytes are sent to its address,
// and as many again if it repeats the request later. The client proves its address by an
// answer to a port that it could not guess. With SinglePort there is no such port: an
// attacker who forges a victim's address can make the server send a file to the victim.
//
// TFTP has neither passwords nor checksums. Run it only in networks that you trust.
//
// # Choices
//
// Where the documents are silent, or this package differs:
//
//   - Timers follow the measured round trip (RFC 6298). The first timeout is 250 ms, later
//     ones are at least 5 ms. They double while nothing is heard, up to one second.
//   - The timeout option is not granted, because the timers do not obey it. A client that sets
//     [Client.Timeout] asks other servers for it.
//   - A receiver also repeats its ACK when nothing arrives, but later than the sender would
//     retransmit.
//   - A receiver acknowledges a gap in a window after 1 ms, or after the longer time by which
//     blocks have been seen to arrive out of order. It keeps the blocks after the gap.
//   - A repeated ACK restarts the sender's window only if it can be the answer to the window's
//     first block: that block must have been sent at least the shortest measured round trip
//     ago. Otherwise a duplicate would double the traffic (RFC 1123, section 4.2.3.1).
//   - A packet that cannot be decoded ends the transfer if it comes from the other side's port
//     (UDP file delivery assignment). A packet of the wrong kind, or with the wrong number, is
//     counted and ignored.
//   - An option with an invalid value is ignored, as is everything after a malformed option.
//     In an OACK both are error 8. A blksize or windowsize above the maximum is lowered.
//   - A client whose request with options is answered by error 8, 4 or 0 asks once more
//     without options.
//   - A file whose size differs from the announced size (tsize, or [ferry.Source]) is an error
//     at both ends. A tsize of 0 in a write means that the client does not know the size: some
//     clients send it then.
//   - A server without room, descriptors or memory for a transfer does not answer the request:
//     clients ask again, and an ERROR would end a boot.
//   - A request from a port that has a transfer in progress is a repetition if its bytes are
//     the same, unless the client was silent in the transfer for two seconds. Otherwise the
//     client has begun another transfer, and the old one ends. After the last ACK the same
//     request is a new one.
//   - Zeros after an ACK are padding: some clients send each packet from one long buffer. An
//     ACK of six bytes is one of the other width.
//   - A receiver with RollToOne ends a transfer in which it gets a block 0, because it would
//     otherwise lose that block silently.
//   - The time that a source or a sink needs does not count as silence of the other side.
//   - A window is acknowledged when the receiver has it, and written while the next window
//     arrives. The last window is acknowledged after Commit.
//   - A source that can seek is read ahead by one window while an ACK is on its way.
//   - On Linux, [Client.Get] with a window polls for 50 us before it sleeps, while that proves
//     useful.
//   - An ERROR that refuses a request comes from the server's well-known port.
//   - A windowsize is lowered so that the window fits the receiver's buffer: the usual 208 KiB,
//     or this side's own.
//   - A blksize is lowered so that datagrams are not fragmented on the path, as far as the
//     system knows its MTU.
//   - [Adaptive] sends at least 12 blocks in two round trips while anything is acknowledged. On
//     the assignment's network at least a tenth of all packets is lost, and a sender that took
//     this for congestion would stop.
//   - A client compares only the IP address of the server until it knows the port. A server
//     answers from the address that it was asked at (RFC 1123, section 2.3), where the system
//     reports that address (Linux). Elsewhere a server with several addresses needs a conn,
//     and a call of Serve, for each.
//
// # Where the code does what
//
//   - The wire: packet.go, option.go, numbering.go, netascii.go.
//   - What to send, and when: flight.go (what is known of the blocks), strategy.go (the
//     interface), window.go (plain TFTP) and adaptive.go (Wide). The strategies that are only
//     compared are in study_*.go.
//   - What to keep and acknowledge: inbound.go.
//   - Requests and their retransmission: handshake.go.
//   - Block sizes and the path: mtu.go.
//   - The loops: sender.go and receiver.go, on transfer.go, which both sides share. The state
//     machines above read no socket and no clock.
//   - A client's call: client.go. A server: server.go; which requests are accepted:
//     dispatcher.go; the places of transfers, and which of them yields: places.go; one transfer
//     at a server: session.go, and its share of a single port: connshare.go.
package tftp
