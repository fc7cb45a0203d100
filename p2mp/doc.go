// Package p2mp sends one file to many receivers over UDP, or over any other
// net.PacketConn. The transfer ends when all receivers have the file.
//
// Receivers listen. The sender is told their addresses:
//
//	var r p2mp.Receiver
//	report, err := r.Receive(ctx, conn, w)                   // one file, to any io.Writer
//	err = r.Serve(ctx, conn, &ferry.Dir{Root: root})         // file after file, into a directory
//
//	src, err := ferry.FileSource(f)
//	var s p2mp.Sender
//	report, err := s.Send(ctx, conn, receivers, src)
//
// The caller makes the conns and closes them, so a transfer also runs over a multicast
// conn or a simulated network. Every call returns after its own goroutines.
//
// # Protocol
//
// The package speaks two protocols. The classic mode is the protocol of the P2MP-FTP
// report: one chunk at a time goes to all receivers, in lock-step. The extended mode has
// any number of chunks in flight. A sender and a receiver of this package agree on the
// extended mode. A receiver that knows only the classic mode is served in the classic
// mode.
//
// # Packets
//
// All packets have one layout. Numbers are big-endian.
//
//	 0               2               4               6               8
//	+-------------------------------+---------------+---------------+
//	|        sequence number        |   checksum    |   category    | payload ...
//	+-------------------------------+---------------+---------------+
//
// The fields:
//
//   - The sequence number counts chunks, from 1. An ACK carries the number of the chunk
//     that it acknowledges. In other packets it is 0.
//   - The checksum is the Internet checksum (RFC 1071) over the sequence number, the
//     category and the payload. For the checksum an odd payload is padded with a zero
//     byte.
//   - The category is 0101010101010101 (0x5555) for DATA and 1010101010101010 (0xAAAA)
//     for ACK. The extended mode adds others.
//   - The payload of DATA is a chunk of the file: MSS bytes, except for the last chunk. An
//     ACK has no payload.
//
// # Classic mode
//
// The sender sends a chunk to every receiver. Each receiver acknowledges it. When a timer
// runs out, the chunk is retransmitted to the receivers that have not acknowledged it, and
// only to those. When all have acknowledged it, the next chunk follows.
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
// The last chunk is shorter than chunk 1. If the data has no such chunk, an empty chunk
// follows:
//
//	size      chunks of MSS 500
//	0         an empty one
//	1         1 byte, then an empty one
//	499       499 bytes, then an empty one
//	500       500 bytes, then an empty one
//	501       500 bytes, then 1 byte
//	1000      500 bytes, 500 bytes, then an empty one
//
// The timer of a receiver is 0.1 s until its first round trip is measured. It then follows
// the measurements (RFC 6298). While the receiver does not answer, the timer doubles, up
// to eight times its value, but at least to 0.1 s and at most to a second.
//
// # Extended mode
//
//	sender                                receiver
//	  |---- HELLO ------------------------->|    here is a file
//	  |<--- REPORT 0 -----------------------|    I have none of it
//	  |---- DATA 1, 2, 3 ... 96 ----------->|
//	  |---- POLL 1 ------------------------>|    what do you have?
//	  |---- DATA 97 ... 192 --------------->|
//	  |<--- REPORT 1 -----------------------|    all except 17
//	  |---- DATA 17, 193 ... -------------->|
//	  :                                     :
//	  |---- FIN 9 ------------------------->|    that was all; this is its digest
//	  |<--- REPORT 9, checking -------------|
//	  |<--- REPORT 9, kept -----------------|    verified, and safe on the disk
//
// The HELLO carries the session, a random number of 64 bits whose ones' complement sum is
// not zero. The checksum of every DATA packet of the transfer includes the four words of
// the session, which are not in the packet. A late chunk of another transfer, and a chunk
// that a bystander hears, therefore have a wrong checksum, with one exception in 65535.
// The payload of the other packets begins with the session; their checksum includes
// nothing else. Chunk n holds the bytes from (n-1)*MSS on. No chunk is empty.
//
// HELLO (0x5AA5) comes from the sender. It is repeated after 0.1 s, 0.2 s and then every
// quarter of a second until it is answered, ten times in all. A padding field makes it at
// least 64 bytes long:
//
//	session                 8 bytes
//	version                 2 bytes    1
//	capabilities            2 bytes    that the receiver must have: none is defined
//	fields, in any order:
//	  type                  1 byte
//	  length                2 bytes    of the value
//	  value
//
//	type  value                        length
//	0     padding                      any
//	1     file name, UTF-8             1 to 255
//	2     size of the file             8         absent: not known yet
//	3     permission bits              4         absent: none
//	4     MSS                          2
//	5     kind of digest               1         1: SHA-256
//	6     digest of the file           32        absent: comes with FIN
//	7     FEC block                    2         absent or 0: no parity
//	8     group address and port       6 or 18   absent: DATA by unicast; see Groups
//	9     join window, milliseconds    4
//	17    token                        8         of an ABORT; see there
//
// MSS and kind of digest are required. Fields of other types are skipped. A HELLO is
// ignored if a field is repeated, if a field has another length, or if it is shorter than
// 64 bytes including the header. Any other fault is answered with an ABORT that gives the
// reason. A repeated HELLO gets the same answer again: the REPORT with number 0, or the
// ABORT.
//
// REPORT (0xA55A) comes from a receiver. It answers HELLO, POLL and FIN:
//
//	session                 8 bytes
//	receiver id             4 bytes    random
//	number                  4 bytes    of the POLL or FIN; 0: of the HELLO
//	cumulative number       4 bytes    all chunks up to this one are held
//	space                   4 bytes    how many chunks after it are kept
//	burst                   4 bytes    how many packets at once fit into the socket
//	received                4 bytes    DATA packets so far, duplicates included
//	clock                   4 bytes    of the receiver, in microseconds, modulo 2^32
//	state                   1 byte     0 receiving, 1 checking the file, 2 keeping it
//	reserved                1 byte     0
//	bitmap                             of the chunks from cumulative number + 2 on,
//	                                   most significant bit first: 1 is held. Chunks
//	                                   beyond its end are missing.
//
// The rules for a REPORT:
//
//   - The clock may start anywhere. The sender uses only the time between two answers, to
//     measure the rate at which chunks arrive.
//   - The id changes when a receiver is restarted.
//   - The bitmap does not reach beyond the highest chunk that the sender says it has sent,
//     except for the rest of its last byte.
//   - A receiver that already holds the beginning of the file reports its chunks as the
//     cumulative number, if the HELLO gave digest and size. A short last chunk counts.
//   - A chunk that is held may still be in memory. Only state 2 means that the file is
//     safe.
//   - States 1 and 2 follow a FIN. When the file was checked, state 2 is sent without
//     being asked for, with the number of the latest FIN.
//   - A receiver sends at most three times as many bytes as it has received (RFC 9000,
//     section 8.1). It shortens the bitmap for that, or does not answer.
//
// POLL (0x5A5A) comes from the sender:
//
//	session                 8 bytes
//	number                  4 bytes    from 1; POLLs and FINs are numbered together
//	highest chunk sent      4 bytes
//	modulus, remainder      2 + 2      which receivers answer: those whose id leaves the
//	                                   remainder when divided by the modulus; all, if
//	                                   the modulus is 0 or 1
//
// A receiver drops chunks far beyond the highest one that was sent: somebody forged them.
//
// FIN (0x5995) comes from the sender. It is the POLL when all chunks have been sent, even
// if some are still missing. An empty file is a HELLO and a FIN:
//
//	session                 8 bytes
//	number                  4 bytes
//	timer                   4 bytes    the sender's for this receiver, in microseconds
//	size                    8 bytes
//	SHA-256                 32 bytes
//
// ABORT (0x6996) comes from either side. It ends the session and is never answered. A
// receiver answers POLLs with it at most every 50 ms:
//
//	session                 8 bytes
//	reason                  2 bytes    see [Reason], which counts from 1
//	token                   8 bytes    with reason 10 (busy) only
//
// A sender that is told that a receiver is busy repeats its HELLO with the token while it
// may. The token proves that the sender receives what is sent to its address, which the
// sender of a forged packet does not. After reason 12 (digest), a sender whose receiver
// held a part of the file offers the file once more; the receiver then holds nothing.
//
// PARITY (0x5665) is reserved.
//
// The sender assumes that a chunk is lost, and retransmits it, only if the chunk is missing
// in the answer to a POLL that was sent after the chunk. If chunks have been seen to arrive
// late, that POLL must be later by as much. A POLL is sent
//
//   - every 96 chunks, up to 128 if they take less than 10 ms, and more often if the
//     window is small or the path slow;
//   - when there is nothing else to send;
//   - when an answer is overdue. Each unanswered poll doubles that time, up to a second.
//
// A receiver that leaves four polls in a row unanswered is only polled until it answers.
// The rate follows a model of the path, as BBR's does: the highest rate at which chunks
// have arrived lately, and the shortest round trip. If a queue overflows, all senders that
// use it slow down.
//
// Answers alone are no progress, because a path may carry POLLs and no chunks. When 48 chunks
// in a row were lost before a POLL that was answered, the data stop. Then one chunk at a time
// is sent, with a POLL behind it. Each lost one doubles the time until the next, up to a second
// (RFC 8085, section 3.1.1). When one arrives, the data go on at half the rate. Meanwhile some
// POLLs are filled up with zeros, to find out how long the packets are that arrive: a receiver
// ignores what follows the 20 bytes of a POLL.
//
// A receiver that gets a FIN and holds all chunks compares the digest, commits the file, and
// then reports it as kept. It answers a POLL or FIN of an unknown session with an ABORT
// (unknown session): the receiver was restarted, and the sender reports that.
//
// # Joining
//
// A receiver that answers a HELLO with a REPORT takes part in the extended mode. A receiver
// that answers with ACK 0, or does not answer in ten tries, is sent chunk 1 in the classic
// mode. If it does not acknowledge that within [Sender.JoinTimeout], it is absent. A
// receiver that has accepted a HELLO answers a chunk 1 of the classic mode with its REPORT
// again, because the first REPORT was lost.
//
// If the [ferry.Source] can be read again, no receiver of the extended mode waits for
// another. If it can be read once, data is sent when joining is over, and all receivers
// move within one window.
//
// # Groups
//
// With [Sender.Group], DATA and POLL go to a multicast group, and all other packets by
// unicast. Each receiver has joined the group at the port of its conn, and receives both on
// that conn; package multicast opens such conns. A receiver does nothing else differently.
//
// When all receivers have answered their HELLO, the sender polls the group. Receivers that
// leave three polls unanswered, that join later, or that already hold a part of the file,
// are served by unicast ([PeerReport.Multicast] says which were in the group). The group is
// sent each chunk once. After each poll, a chunk that one member lacks is retransmitted to
// that member, and a chunk that two or more lack to the group. Of more than 32 members, a
// part answers each poll, in turn. The rate is that of the slowest member.
//
// A member is served by unicast from the moment that it
//
//   - has left all polls of 0.3 s, at least four, unanswered;
//   - has made the others wait for a second for room in its window;
//   - has answered for a second and received nothing that it lacks;
//   - is too slow (see [Sender.MinRate]), or loses most of the data while its rate is below
//     a twentieth of the members' median rate.
//
// While no member answers, none leaves. At the end, all members are sent FIN by unicast.
//
// Without a list of receivers, the HELLO goes to the group repeatedly for
// [Sender.JoinTimeout]. An address that answers is sent a POLL by unicast, with a random
// number, and takes part if it answers that as well. Until then it is sent at most three times
// the bytes that came from it (RFC 9000, section 8.1). At most 16 receivers of one IP address
// take part. Later the HELLO goes to the group every second, and receivers that join are served
// by unicast. At the end the group is sent an ABORT, for receivers whose answers were lost.
//
// # Silence
//
// A receiver that stops answering is given up after [Sender.GiveUp], counted from the first
// unanswered try, without the time that tries wait for [Sender.Rate]. [Policy] says what
// happens to the others. A receiver is also given up if it takes fewer than 8 chunks and
// less than 8 KiB in 30 s, or if it checks the file for longer than 30 s plus a second for
// each 10 MB. A sender that stops sending is given up after [Receiver.GiveUp]. A
// receiver of the extended mode is polled every three seconds if there is nothing to send. A
// receiver that has finished lingers, because its last answer may be lost; see
// [Receiver.Linger].
//
// [Receiver.Serve] remembers how a session of the extended mode ended until it has not been
// asked about it for a minute, or for GiveUp if that is longer. It remembers at least the
// latest MaxTransfers that are complete, and as many that failed. A sender that asks later,
// or asks a receiver that was restarted, is told that the session is unknown, although the
// file may be kept. Its error is then both [ferry.ErrUnconfirmed] and [ferry.ErrRestarted].
//
// A receiver that was sent HELLOs and never answered is sent an ABORT at the end: it may have
// been suspended, and then finds the ABORT behind the HELLOs in its socket.
//
// # Limits
//
// The protocol:
//
//   - A file has at most 2^32-1 chunks: 5.5 TiB at the default MSS.
//   - In the classic mode the throughput is at most MSS bytes per round trip to the farthest
//     receiver.
//   - Transfers that compete for one link share it evenly after some seconds.
//   - Nothing is encrypted or authenticated. A digest protects against accidents, not
//     against an attacker on the path, or one who guesses the 16 bits of a checksum.
//   - Some systems do not send datagrams as long as MaxMSS: macOS sends at most 9216 bytes
//     by default.
//
// Memory: a receiver keeps at most a window of chunks for each transfer, 8 MiB by default,
// and at most [Receiver.MaxMemory] for all. A sender keeps a few bytes for each chunk of the
// window and, from a source that can be read once, the window itself. In the classic mode a
// sender keeps one chunk. A receiver writes a chunk before it acknowledges it.
//
// A receiver has [Receiver.MaxTransfers] places. When all are taken:
//
//   - a transfer of which only the first packet has arrived gives its place to another after
//     a second, or at once if the other sender has shown a token;
//   - a transfer without progress gives its place to another after 5 seconds, the transfer
//     with the fewest bytes first. Only data that was written is progress;
//   - an address with more than a quarter of the places gives those of which only the first
//     packet has arrived to other addresses at once, and takes none from others.
//
// An empty file of the classic mode is a single packet, so a receiver accepts at most 8 in a
// minute from one address and 64 in all. Two packets are a file of one byte; see
// [Receiver.NoClassic].
//
// # Choices
//
// Where the P2MP-FTP report is silent, or this package differs from it:
//
//   - The end of the file. The report does not say how a receiver learns of it. The table
//     above works for every size, with no packets but DATA and ACK.
//   - The checksum of an ACK is computed. A sender also accepts zero, which other
//     implementations of the report send.
//   - The timer of the report is fixed at 0.1 s. [Sender.Timeout] sets that.
//   - One socket and thread per receiver, and decoding to ASCII, are implementation of the
//     report's program, not its protocol. Here one conn serves all receivers, and bytes are
//     not changed.
//   - Package lossy simulates the loss probability of the report's receiver, on the
//     receiver's conn. [Trace.Lost] passes the dropped packets to the Trace.
//   - A classic packet carries nothing that identifies a transfer. Transfers are told apart
//     by the sender's address and port. A classic sender that sends another file from the
//     same port begins with chunk 1, which ends a transfer that it had not finished. A late
//     duplicate of an earlier chunk 1 is recognised by its content and by the chunk that
//     follows. There are two exceptions. The same file of fewer than three chunks, sent a
//     second time from the same port within the linger time, is acknowledged and not
//     delivered again. If the network delivers late duplicates of all packets of a transfer,
//     in order, the file arrives twice. A late ACK of one transfer may also be taken for an
//     ACK of the next. Use a port for each transfer, or the extended mode, if that matters.
//   - In the extended mode the session identifies the transfer. [Receiver.Receive], which
//     accepts one transfer, fails with [ferry.ErrRestarted] if the sender's address offers
//     another session in mid-file. A late or forged HELLO from that address has the same
//     effect.
//   - In mid-file a classic receiver acknowledges only the latest chunk. If it acknowledged
//     earlier ones, a sender that began again with a similar file might mix the two files.
//   - A receiver acknowledges the last chunk, or reports the file as kept, only when the file
//     has its name and is safe on the disk.
//   - A chunk from the future, a chunk longer than chunk 1, and a packet from an address that
//     takes no part are ignored and counted. A receiver answers from the address that it is
//     sent to.
//   - The number of packets that a receiver says it has received is believed only within
//     bounds: at least the chunks that it holds, at most the packets that were sent, and
//     between two answers at most twice what was sent between the two polls. Otherwise a
//     receiver could make the sender send at any rate.
//   - FIN has a number and the sender's timer. A POLL has no timestamp: its number is enough
//     to measure a round trip.
//   - A classic sender tells nothing of its timer. A receiver lingers for a second.
//   - Reason 10 (busy) is also the answer to a passing shortage of the receiver, such as too
//     many open files.
//   - On a socket, on Linux, a receiver that has read few packets yields the processor and
//     reads again before it sleeps. Where receivers and sender share a machine, each packet
//     would otherwise interrupt the others.
//
// # Where the code does what
//
//	the wire                          packet.go, message.go, reason.go
//	a receiver's loop                 recv_loop.go
//	a receiver's transfers, from the  recv_transfer.go; the parts of one mode:
//	first packet to the last          recv_classic.go, recv_session.go
//	which chunks a receiver keeps     reassembly.go, recv_memory.go; classic: recv_inorder.go
//	verifying and keeping a file      recv_commit.go
//	places at a receiver              recv_places.go; ended transfers: recv_table.go
//	a sender's loop                   sending.go, outbox.go, arrival.go
//	when a chunk is retransmitted     flight.go; classic: lockstep.go, classic.go
//	how fast data is sent             congestion.go, backoff.go, share.go
//	sending to a group                crowd.go, grouped.go
//	joining                           join.go, applicant.go
//	reading a source                  store.go
package p2mp
