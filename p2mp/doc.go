// Package p2mp sends one file to many receivers over UDP, or anything else that
// is a net.PacketConn, and ends when all of them have it: the point-to-multipoint file transfer protocol
// of the P2MP-FTP report.
//
// # A first transfer
//
// Receivers listen; the sender is told their addresses:
//
//	var r p2mp.Receiver
//	report, err := r.Receive(ctx, conn, w)             // one file, to any io.Writer
//	err = r.Serve(ctx, conn, p2mp.Dir(root))           // file after file, into a directory
//
//	var s p2mp.Sender
//	report, err := s.Send(ctx, conn, receivers, p2mp.Source{R: r, Size: size})
//
// The caller makes the conns and closes them, so a transfer runs as well over a
// multicast or a simulated conn as over a UDP socket. Both calls return when the
// transfer is over and their goroutines are gone.
//
// # The protocol
//
// The file is cut into chunks of MSS bytes, numbered from 1. The sender sends a
// chunk to every receiver. Each acknowledges it. To those that have not done so when a timer
// runs out it is sent again, and only to those. When all have acknowledged it, the next
// one follows: all receivers are at the same chunk at all times.
//
//	 sender                 receiver A     receiver B
//	   |---- DATA 1 ------------>|              |
//	   |---- DATA 1 -----------------x (lost)   |
//	   |<--- ACK 1 --------------|              |
//	timeout of B                 |              |
//	   |---- DATA 1 --------------------------->|
//	   |<--- ACK 1 -----------------------------|
//	   |---- DATA 2 ------------>|              |
//	   |---- DATA 2 --------------------------->|
//	   :                         :              :
//
// One layout serves for all packets. Numbers are big-endian.
//
//		 0               2               4               6               8
//		+-------------------------------+---------------+---------------+
//		|        sequence number        |   checksum    |   category    | payload ...
//		+-------------------------------+---------------+---------------+
//
//	  - The sequence number counts chunks, from 1. An ACK carries the number of the
//	    chunk that it acknowledges.
//	  - The checksum is the Internet checksum (RFC 1071) over the sequence number, the
//	    category and the payload, the last byte of an odd payload padded with zero.
//	  - The category is 0101010101010101 (0x5555) for DATA, 1010101010101010 (0xAAAA)
//	    for ACK.
//	  - The payload is a chunk of the file. An ACK has none.
//
// The chunk that is shorter than chunk 1 is the last. Where the data has no such chunk, an
// empty one follows:
//
//	size      chunks of MSS 500
//	0         an empty one
//	1         1 byte, then an empty one
//	499       499 bytes, then an empty one
//	500       500 bytes, then an empty one
//	501       500 bytes, then 1 byte
//	1000      500 bytes, 500 bytes, then an empty one
//
// # Timers
//
// The timer of a receiver is 0.1 s until its first round trip is measured. Then it
// follows the measurements (RFC 6298), doubles while nothing is heard from that receiver,
// and never exceeds a second. A receiver that does not answer at all, or not any more, is given
// up after [Sender.JoinTimeout] or [Sender.GiveUp]; [Policy] says what becomes of the others.
//
// # Limits
//
// A file has at most 2^32-1 chunks: 5.5 TiB at the default MSS. A sender keeps one
// chunk in memory, a receiver none: it writes a chunk before it acknowledges it. The throughput is at most
// MSS bytes per round trip to the farthest receiver, whatever the network could carry.
//
// Classic packets carry nothing that identifies a transfer, and a 16-bit checksum
// alone guards their content. A digest of the whole file is the caller's to compare.
//
// # Choices
//
// Where the P2MP-FTP report is silent, or this package goes its own way:
//
//   - The end of the file. The report does not say how a receiver learns of it. See the table above;
//     every size works, and no packet but DATA and ACK is needed.
//   - The checksum of an ACK. Ours is computed; a sender also accepts zero, which
//     other implementations of the report send.
//   - The timer. The report's is fixed at 0.1 s; [Sender.Timeout] asks for that.
//   - One socket per receiver, with a thread for each, and decoding to ASCII are how the report's
//     program is made, not what its protocol says: here one conn serves all, and bytes are bytes.
//   - The loss probability of the report's receiver is package lossy's to simulate, on the
//     receiver's conn. [Trace.Lost] brings what it dropped back into the Trace.
//   - Transfers are told apart by the sender's address and port alone. A sender that sends another
//     file from the same port begins anew with chunk 1; that ends what it had not finished. A late
//     copy of a finished transfer's chunk 1 is told from such a beginning by its content and by what follows. Therefore
//     the very same file of fewer than three chunks, sent a second time from the same port within the linger time,
//     is acknowledged and not delivered again.
//   - A receiver acknowledges the last chunk only when its file is safely under its name.
//   - A chunk from the future, a chunk longer than chunk 1 and a packet from a
//     stranger are ignored and counted.
package p2mp
