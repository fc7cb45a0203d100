// Package p2mp sends one file to many receivers over UDP, or anything else that is a
// net.PacketConn, and ends when all of them have it.
//
// It speaks two protocols: the one of the P2MP-FTP report, here called the classic
// mode, one chunk at a time to all receivers in lock-step; and an extended mode with
// any number of chunks in flight, which a sender and a receiver of this package agree
// on by themselves. A receiver that knows only the classic mode is served in that.
//
// # A first transfer
//
// Receivers listen; the sender is told their addresses:
//
//	var r p2mp.Receiver
//	report, err := r.Receive(ctx, conn, w)             // one file, to any io.Writer
//	err = r.Serve(ctx, conn, &ferry.Dir{Root: root})           // file after file, into a directory
//
//	var s p2mp.Sender
//	report, err := s.Send(ctx, conn, receivers, ferry.Source{R: r, Size: size})
//
// The caller makes the conns and closes them, so a transfer runs as well over a
// multicast or a simulated conn as over a UDP socket. Every call returns when its part
// is over and its goroutines are gone.
//
// # Packets
//
// One layout serves for all. Numbers are big-endian.
//
//	 0               2               4               6               8
//	+-------------------------------+---------------+---------------+
//	|        sequence number        |   checksum    |   category    | payload ...
//	+-------------------------------+---------------+---------------+
//
// The fields:
//
//   - The sequence number counts chunks, from 1. An ACK carries the number of the
//     chunk that it acknowledges. The other packets have 0 there.
//   - The checksum is the Internet checksum (RFC 1071) over the sequence number, the
//     category and the payload, the last byte of an odd payload padded with zero.
//   - The category is 0101010101010101 (0x5555) for DATA and 1010101010101010 (0xAAAA)
//     for ACK; the extended mode adds its own.
//   - The payload of DATA is a chunk of the file: MSS bytes, but for the last. An ACK
//     has none.
//
// # Classic mode
//
// The sender sends a chunk to every receiver. Each acknowledges it. To those that have
// not done so when a timer runs out it is sent again, and only to those. When all have
// acknowledged it, the next one follows: all receivers are at the same chunk at all
// times.
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
// The chunk that is shorter than chunk 1 is the last. Where the data has no such chunk,
// an empty one follows:
//
//	size      chunks of MSS 500
//	0         an empty one
//	1         1 byte, then an empty one
//	499       499 bytes, then an empty one
//	500       500 bytes, then an empty one
//	501       500 bytes, then 1 byte
//	1000      500 bytes, 500 bytes, then an empty one
//
// The timer of a receiver is 0.1 s until its first round trip is measured. Then it
// follows the measurements (RFC 6298) and doubles while nothing is heard from that
// receiver: up to eight times, to 0.1 s at least and a second at most.
//
// # Extended mode
//
//	sender                                receiver
//	  |---- HELLO ------------------------->|    here is a file
//	  |<--- REPORT 0 -----------------------|    I have nothing of it
//	  |---- DATA 1, 2, 3 ... 96 ----------->|
//	  |---- POLL 1 ------------------------>|    what do you have?
//	  |---- DATA 97 ... 192 --------------->|
//	  |<--- REPORT 1 -----------------------|    all but 17
//	  |---- DATA 17, 193 ... -------------->|
//	  :                                     :
//	  |---- FIN 9 ------------------------->|    that was all; here is its digest
//	  |<--- REPORT 9, checking -------------|
//	  |<--- REPORT 9, kept -----------------|    verified, and safe on the disk
//
// The session is a random number of 64 bits in the HELLO whose ones' complement sum is
// not zero. Its four words are summed into the checksum of every DATA packet of the
// transfer, though they are not in the packet: a late chunk of another transfer, or one
// that a bystander hears, has a wrong checksum and does not pass for one of this
// transfer, nor for one of the classic mode, but for one chance in 65535. The other
// packets begin their payload with the session and are summed as they are. Chunk n
// holds the bytes from (n-1)*MSS on; there are no empty ones.
//
// HELLO (0x5AA5), from the sender, again after 0.1 s, 0.2 s and then every quarter of a
// second until it is answered, ten times in all; filled up with a padding field to 64
// bytes:
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
//
// MSS and kind of digest must be there. Fields of other types are skipped. A field that
// comes twice, or has another length, makes the HELLO one that is ignored, as is one of
// less than 64 bytes, header included. What else is wrong with it draws an ABORT with
// the reason. A HELLO that comes again draws the REPORT with number 0, or the ABORT,
// again.
//
// REPORT (0xA55A), from a receiver, answers HELLO, POLL and FIN:
//
//	session                 8 bytes
//	receiver id             4 bytes    random
//	number                  4 bytes    of the POLL or FIN; 0: of the HELLO
//	cumulative number       4 bytes    all chunks up to this one are held
//	space                   4 bytes    so many chunks behind it are kept
//	burst                   4 bytes    so many packets at once find room in the socket
//	received                4 bytes    DATA packets so far, copies included
//	clock                   4 bytes    when it answered, in microseconds, modulo 2^32
//	state                   1 byte     0 gathering, 1 checking the file, 2 keeping it
//	reserved                1 byte     0
//	bitmap                             of the chunks from cumulative number + 2 on,
//	                                   most significant bit first: 1 is held. What
//	                                   it does not reach is missing.
//
// The clock may begin anywhere: only how much passes between two answers counts, for
// the rate at which chunks arrive. The id tells the sender whether it is still the same
// receiver that answers: one that was started again has another. No answer reaches
// beyond the highest chunk sent, but for the last byte of the bitmap. A receiver that
// holds the beginning of the file already answers the HELLO with the cumulative number
// of that, if it was told the digest and the size; a last chunk that is short counts.
// What is held may still be in the receiver's memory: only state 2 says that it is
// safe. State 1 and 2 follow a FIN; state 2 comes unasked, with the number of the
// latest FIN, when the file has been checked. A receiver sends no more than three times
// as many bytes as it has received: it leaves off the end of the bitmap for that, or
// does not answer.
//
// POLL (0x5A5A), from the sender:
//
//	session                 8 bytes
//	number                  4 bytes    from 1; POLLs and FINs are numbered together
//	highest chunk sent      4 bytes
//	modulus, remainder      2 + 2      who should answer: ids that leave the remainder
//	                                   when divided by the modulus; all, if it is 0 or 1
//
// FIN (0x5995), from the sender, is the POLL when all chunks have been sent, though
// some may be missing still. An empty file is a HELLO and a FIN:
//
//	session                 8 bytes
//	number                  4 bytes
//	timer                   4 bytes    the sender's for this receiver, in microseconds
//	size                    8 bytes
//	SHA-256                 32 bytes
//
// ABORT (0x6996), from either, ends the session and is never answered. A receiver sends
// it in answer to POLLs no oftener than every 50 ms:
//
//	session                 8 bytes
//	reason                  2 bytes    see [Reason], which counts from 1
//
// PARITY (0x5665) is reserved.
//
// The sender takes a chunk for lost, and sends it again, only when it is missing in the
// answer to a POLL that was sent after the chunk was sent last; and where chunks have
// been seen to arrive late, so much after it. It polls every 96 chunks (up to 128 where
// they take less than 10 ms), or more often where the window is smaller or the path
// slower, when it has nothing else to send, and when an answer is overdue, which every
// unanswered poll has it wait for twice as long, a second at most. A receiver that
// leaves four in a row unanswered is only polled until it answers. The rate follows a
// model of the path, as BBR does: the highest rate at which chunks have lately arrived,
// and the shortest round trip. Where a queue overflows, all who send through it give
// way.
//
// A receiver that sees a FIN and holds all chunks compares the digest, brings the file
// to safety, and says so. It answers a POLL or FIN of a session that it does not know
// with ABORT (unknown session): it has been started again, and the sender reports that.
//
// # Joining
//
// A receiver that answers a HELLO with a REPORT takes part in the extended mode; one
// that answers with ACK 0, or not at all in ten tries, is sent chunk 1 in the classic
// mode, together with all others of its kind; and one that does not acknowledge that
// within [Sender.JoinTimeout], all in all, is absent. A receiver that has accepted a
// HELLO answers a chunk 1 of the classic mode with its REPORT again, for then the first
// one was lost.
//
// From a [ferry.Source] that can be read again no receiver of the extended mode waits for
// another. From one that is read once, data flow when joining is over, and all
// receivers move within one window.
//
// # Groups
//
// With [Sender.Group] DATA and POLL go to a multicast group, and all else by unicast.
// Each receiver has joined the group, at the port of its conn, and hears both on that
// conn: package multicast opens such conns. Nothing is different for a receiver, but
// that it also hears what others lacked.
//
// When all have answered their HELLO the sender polls the group. Who leaves three polls
// unanswered is not reached, and is sent to by itself, as is who comes later, or holds
// a part of the file already ([PeerReport.Multicast] says who was in the group). The
// others are sent each chunk once. After each poll, what one of them lacks is sent
// again to that one, and what two or more lack to the group. Of more than 32 members, a
// part answers each poll, in turn. The rate is that of the slowest. A member that
// leaves all polls unanswered for 0.3 s, four at least, or has the others wait for a
// second for room in its window, or answers for a second and gets nothing that it
// lacks, is sent to by itself from then on, and so may one that is slow
// ([Sender.MinRate]). So is everybody, at the end, with FIN. While nobody answers,
// nobody leaves.
//
// Without a list of receivers the HELLO goes to the group, again and again for
// [Sender.JoinTimeout], and who answers it takes part. Later it goes there each second,
// and who answers is sent to by itself.
//
// # Silence
//
// A receiver that falls silent is given up after [Sender.GiveUp], counted from the
// first unanswered try, without what tries have to wait for [Sender.Rate]; [Policy] says
// what becomes of the others. A sender that falls silent is given up after
// [Receiver.GiveUp]. A receiver of the extended mode is polled every three seconds when
// there is nothing to send. A receiver that has finished stays for a while, because its
// last answer may be lost: [Receiver.Linger].
//
// [Receiver.Serve] remembers how a session of the extended mode ended until it has not
// been asked about it for a minute, or GiveUp if that is longer; MaxTransfers of them
// at the least. A sender gives up sooner, unless its own GiveUp is as long. One that
// asks later, or asks a receiver that was started again, is told that there is no such
// session, though the file may have been kept: its error is [ferry.ErrUnconfirmed] and
// [ferry.ErrRestarted] in one.
//
// A receiver that was sent HELLOs and was never heard from is sent an ABORT in the end,
// too: the process may have stood still, and finds it behind the HELLOs in its socket.
//
// # Limits
//
// A file has at most 2^32-1 chunks: 5.5 TiB at the default MSS. A receiver keeps at
// most a window of chunks in memory, 8 MiB by default, and 64 KiB; a sender a few bytes
// for each chunk of the window and, from a source that is read once, the window itself.
// In the classic mode the sender keeps one chunk and a receiver none: it writes a chunk
// before it acknowledges it; the throughput is at most MSS bytes per round trip to the
// farthest receiver, whatever the network could carry.
//
// Transfers that compete for one link come to share it evenly, but it takes seconds:
// the later one begins with what the earlier one leaves.
//
// Nothing is encrypted, and nobody proves who he is: a digest guards against accidents,
// not against an adversary on the path. Some systems carry no datagrams as long as
// MaxMSS: macOS sends 9216 bytes at most by default.
//
// # Choices
//
// Where the P2MP-FTP report is silent, or this package goes its own way:
//
//   - The end of the file. The report does not say how a receiver learns of it. See the
//     table above; every size works, and no packet but DATA and ACK is needed.
//   - The checksum of an ACK. Ours is computed; a sender also accepts zero, which other
//     implementations of the report send.
//   - The timer. The report's is fixed at 0.1 s; [Sender.Timeout] asks for that.
//   - One socket per receiver, with a thread for each, and decoding to ASCII are how
//     the report's program is made, not what its protocol says: here one conn serves
//     all, and bytes are bytes.
//   - The loss probability of the report's receiver is package lossy's to simulate, on
//     the receiver's conn. [Trace.Lost] brings what it dropped back into the Trace.
//   - Classic packets carry nothing that identifies a transfer: transfers are told
//     apart by the sender's address and port alone. A classic sender that sends another
//     file from the same port begins anew with chunk 1; that ends what it had not
//     finished. A late copy of an earlier chunk 1 is told from such a beginning by its
//     content and by what follows. Therefore the very same file of fewer than three
//     chunks, sent a second time from the same port within the linger time, is
//     acknowledged and not delivered again; and where the network delivers late copies
//     of all packets of a transfer once more, in order, the file arrives twice. A late
//     ACK of one transfer may pass for one of the next. Use a port for each transfer,
//     or the extended mode, where that matters.
//   - In the extended mode the session tells. [Receiver.Receive], which takes one
//     transfer, fails with [ferry.ErrRestarted] when the sender's address offers another
//     session in mid-file. A HELLO of an earlier transfer from the same port that comes
//     so late, or a forged one, has it do so, too.
//   - A classic receiver acknowledges, in mid-file, only the latest chunk: to
//     acknowledge an earlier one could help a sender that began again with a file that
//     is only alike to mix the two.
//   - A receiver acknowledges the last chunk, or reports that it keeps the file, only
//     when it is safely under its name.
//   - A chunk from the future, a chunk longer than chunk 1 and a packet from a stranger
//     are ignored and counted. A receiver must therefore answer from the address that
//     it is sent to; a host with several addresses should bind its socket to one.
//   - How many packets have arrived is the receiver's word, and counts as far as it can be
//     true: no fewer than it holds chunks, no more than were sent, and between two answers
//     no more than twice what was sent between the two polls. Else a receiver could have
//     itself sent to at any rate.
//   - FIN has a number and the sender's timer, a POLL no timestamp: a number suffices
//     to measure a round trip.
//   - On a socket, on Linux, a receiver that has read few packets lets other processes
//     have the processor, and looks again, before it sleeps: where receivers share a
//     machine with each other, or the sender, each packet would put off the others.
package p2mp
