// Package tftp is a TFTP client and server: RFC 1350 with octet and netascii, reads and
// writes, the options of RFC 2347, 2348 (blksize), 2349 (timeout, tsize) and 7440
// (windowsize), and the protocol of the UDP file delivery assignment, whose block
// numbers have four bytes (Wide).
//
// # A server in three lines
//
//	root, err := os.OpenRoot("/srv/tftp")
//	conn, err := net.ListenPacket("udp", ":69")
//	err = (&tftp.Server{Opener: &ferry.Dir{Root: root}}).Serve(ctx, conn)
//
// A [ferry.Dir] serves a directory, [ferry.FS] any fs.FS. The field Handler, such as the
// same Dir, takes files that clients write.
//
// # A client
//
//	var c tftp.Client
//	report, err := c.Get(ctx, conn, server, "pxelinux.0", ferry.To(w))
//	report, err = c.Put(ctx, conn, server, "config", ferry.Source{R: r, Size: size})
//
// The caller makes the conns and closes them. All calls return when their goroutines
// are gone.
//
// # The protocol
//
// A client asks at the server's well-known port; the server answers from a new port,
// and the rest is between these two. Options, if any were asked for, are answered
// first, by an OACK. Then one side sends blocks, and the other acknowledges: each, or
// with windowsize the last of so many. A block that is shorter than all others is the
// last. [Packet] has the layout.
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
//	  |---- ACK n ---------------->|   and lingers, should DATA n come again
//
// # Where the code does what
//
// The wire is packet.go, option.go, numbering.go and netascii.go. The state machines,
// which read no socket and no clock, are flight.go and strategy.go (what to send,
// when), inbound.go (what to keep and acknowledge) and knock.go (requests and their
// answers). The loops around them are sending.go and receiving.go. client.go,
// server.go, serving.go and serve.go are the two sides.
//
// # Strategies
//
// To a Wide sender the other side acknowledges each block by itself, and a [Strategy]
// decides what to send next and when. [Adaptive] is the default; docs/tftp-delivery.md
// compares them all. A plain client says by windowsize how it wants its blocks, and
// gets them so ([Window]).
//
// # Limits
//
// Blocks are counted in 64 bits and roll over on the wire, so files have any size. A
// sender keeps a window of blocks in memory, or two of a source that can seek; a
// receiver at most one, and 64 to 256 KiB more to be written; a Wide one up to 1024
// blocks. A server has MaxTransfers of those. Before a client has answered, at most
// three packets and 4096 bytes go to its address, and three more if it asks again
// later. That it answers a port which nobody can guess is the proof that it is there. With
// SinglePort there is no such port: whoever can send with somebody else's address can have
// a server send to that address what it serves.
//
// TFTP knows no passwords and no checksums: run it where you trust the network.
//
// # Choices
//
// Where the documents are silent, or this package goes its own way:
//
//   - Timers follow the measured round trip (RFC 6298): 250 ms at first, then at least
//     5 ms, doubled while nothing is heard, up to a second, or up to the timeout that
//     the client asked for (RFC 2349), which is no fixed timer here but a bound.
//   - A receiver repeats its ACK, too, when nothing arrives, but later than a sender
//     would lose patience.
//   - A window's missing block is acknowledged as a gap after 1 ms, or as much longer
//     as blocks have been seen to come late; what came behind it is kept. A repeated
//     ACK restarts the sender's window if it can be an answer to it: if the window's
//     first block was sent a round trip ago, the shortest that was measured.
//   - A packet that cannot be read ends a transfer if it comes from the other side's
//     own port (the UDP file delivery assignment wants it so). One of a kind or with a
//     number that has no place is ignored and counted.
//   - An option's value that makes no sense is as if the option were not there; in an
//     OACK it is error 8.
//   - Where there is no room for another transfer the request is not answered: clients
//     ask again, and an ERROR would end a boot.
//   - A request from a port that has a transfer under way, or lingering, is the same
//     one if its bytes are, unless the client has been silent in it for two seconds; if
//     they differ, the client began anew, and the transfer before ends.
//     A Handler that is still at work on it counts among the transfers until it returns.
//   - Zeros behind an ACK are padding: there are clients that send each packet from one
//     long buffer. Six bytes are an ACK of the other width.
//   - A receiver that lets block 1 follow block 65535 ends a transfer in which it gets a
//     block 0: it would miss that one without a trace.
//   - The time that a source or a sink takes does not count as the other side's
//     silence.
//   - A window is acknowledged when the receiver holds it, and written while the next
//     is on its way; the last one when the sink has committed.
//   - A source that can seek is read ahead, by a window, while an ACK is on its way.
//   - On Linux, [Client.Get] with a window looks for blocks for 50 us before it sleeps,
//     as long as that is of use.
//   - An ERROR that refuses a request comes from the server's port, not one of its own.
//   - A windowsize is lowered so that the window fits 208 KiB, the receive buffer of
//     most systems, or the own one.
//   - Adaptive never has fewer than 12 blocks in two round trips while anything comes
//     back: on the assignment's network a tenth or more is always lost, and a sender
//     that took it for congestion would stand still.
//   - Only the IP address of a server is compared before its port is known. It must
//     answer from the address that it was asked at. On a host with several addresses the
//     system chooses the one that a socket bound to none answers from, so a server there
//     should have a conn for each address that it is asked at, and a call of Serve.
package tftp
