// Package octoput sends a file to one receiver, or fetches one from a server, over UDP
// or anything else that is a net.PacketConn: the Octoput Transfer Protocol of CPSC 441
// assignment 2, in which everything is about the number eight.
//
// # A first transfer
//
// One side pushes, and the other takes what comes:
//
//	var r octoput.Receiver
//	report, err := r.Receive(ctx, conn, w)                // one file, to any io.Writer
//	err = r.Serve(ctx, conn, &ferry.Dir{Root: root})           // file after file, into a directory
//
//	var s octoput.Sender
//	report, err := s.Send(ctx, conn, receiver, ferry.Source{R: r, Size: size, Name: name})
//
// Or one side pulls, and the other gives what it has:
//
//	err = s.Serve(ctx, conn, ferry.FS(root.FS()))
//	report, err := r.Get(ctx, conn, server, name, ferry.SaveAs(root, name))
//
// The caller makes the conns and closes them, so a transfer runs as well over a
// simulated conn as over a UDP socket. All calls return when the transfer is over and
// their goroutines are gone.
//
// The programs octoput-send and octoput-recv in examples/ do the first from the command
// line:
//
//	octoput-recv -dir DIR
//	octoput-send FILE HOST:8888
//
// # Octoblocks and octolegs
//
// A file is sent in octoblocks, one after the other. Each has eight octolegs of equal
// size, which may be sent in any order. How many there are and how long follows from
// the size of the file alone, so that both sides know it ([Blocks]):
//
//  1. As many full octoblocks as there are: 8888 bytes in eight octolegs of 1111.
//  2. If eight bytes or more are left, a partial octoblock: eight octolegs of
//     equal length, as long as possible.
//  3. If one to seven bytes are left after that, a tiny octoblock: eight octolegs of a
//     byte. Those that the file does not fill are blanks (0x20). The receiver removes
//     them by their number; a blank that the file ends with is not one of them.
//
// For example:
//
//	size      octoblocks
//	0         none
//	5         tiny: 5 bytes and 3 blanks
//	736       partial: 8 x 92
//	739       partial: 8 x 92; tiny: 3 bytes and 5 blanks
//	8888      full
//	8889      full; tiny: 1 byte and 7 blanks
//	32768     3 full; partial: 8 x 763
//	262144    29 full; partial: 8 x 549
//
// # The wire
//
// Every packet begins with the same 16 bytes. Numbers are big-endian.
//
//	 0       1       2               4               8                              16
//	+-------+-------+---------------+---------------+-------------------------------+
//	| type  | flag  |   checksum    |    session    |           octoblock           | payload ...
//	+-------+-------+---------------+---------------+-------------------------------+
//
// Its fields:
//
//   - The type is OPEN (1), LEG (2), ACK (3), FIN (4) or ERR (5).
//   - The flag of a LEG has one bit set, which says which octoleg of the octoblock it
//     is: 10000000 is the first, 00100000 the third, 00000001 the eighth. That of an
//     ACK has a bit for every octoleg that the receiver holds: 11111111 is the whole
//     octoblock.
//   - The checksum is the Internet checksum (RFC 1071) over the whole packet, this
//     field being zero.
//   - The session is random, and never 0. With the sender's address and port it tells a
//     transfer from all others.
//   - The octoblock is its number, from 1. An OPEN and its ACK have 0, the FIN and its
//     ACK one more than the last.
//
// The payloads:
//
//	OPEN   size of the file u64 | answers u32 | name, at most 255 bytes
//	LEG    the octoleg, exactly as long as the plan says
//	ACK    none
//	FIN    SHA-256 of the file, 32 bytes
//	ERR    a code, 1 byte: see [Code]
//
// An OPEN with flag 0 offers a file. One with flag 00000001 asks for the file of that
// name; its size is 0. It is answered by an OPEN that offers it, in a new session, and
// has the question's session in its field answers, which is 0 elsewhere.
//
// # A transfer
//
//	 sender                                       receiver       holds
//	   |---- OPEN 0  size, name ------------------>|
//	   |<--- ACK  0  11111111 ---------------------|
//	   |---- LEG  1  10000000 -------------------->|             10000000
//	   |---- LEG  1  01000000 -------------------->|             11000000
//	   |---- LEG  1  00100000 --------x (lost)     |
//	   |---- LEG  1  00010000 -------------------->|             11010000
//	   :                                           :
//	   |---- LEG  1  00000001 -------------------->|             11011111
//	   |<--- ACK  1  11011111 ---------------------|             (a gap: the part is acknowledged)
//	   |---- LEG  1  00100000 -------------------->|             11111111
//	   |         (lost) x--------- ACK  1  11111111|
//	timeout                                        |
//	   |---- LEG  1  00100000 -------------------->|             (a duplicate: not written,
//	   |<--- ACK  1  11111111 ---------------------|              acknowledged again)
//	   |---- LEG  2  10000000 -------------------->|             10000000
//	   :                                           :
//	   |---- FIN  n  SHA-256 --------------------->|             (verified and kept)
//	   |<--- ACK  n  11111111 ---------------------|
//
// The OPEN is repeated until it is acknowledged, and so is the FIN. At most one
// octoblock is in flight: the next begins when the receiver has acknowledged all eight
// octolegs. If it has acknowledged some, only the others are retransmitted: as soon as
// an octoleg that was sent later is known to have arrived, or when a timer runs out.
//
// The receiver acknowledges an octoblock when it is whole; a part of it when an octoleg
// arrives before one that precedes it, or the eighth arrives and others have not; and,
// once per batch of packets, octolegs that it has already. After losses it sends every
// acknowledgement twice, because each one that is lost costs a round trip.
//
// The receiver acknowledges the FIN when the file has the digest and is safely under
// its name, and remembers for a while that it has it, so that a repeated FIN draws the
// same answer. A sender whose FIN is never acknowledged reports [ferry.ErrUnconfirmed]: the
// file may well be there.
//
// Either side ends a transfer with an ERR, sent once. A receiver also answers with one
// each packet of a transfer that it ended, refused or does not know. An ACK and an ERR
// are never answered.
//
// # Pulling
//
//	receiver (Get)                               sender (Serve)
//	  |---- OPEN 0  flag 1, name ---------------->|             session 1
//	  |<--- OPEN 0  size, answers 1, name --------|             session 2, as everything after it
//	  |---- ACK  0  11111111 -------------------->|
//	  |<--- LEG  1  10000000 ---------------------|
//	  :                                           :
//
// The question is repeated until an octoleg or the FIN arrives, and its answer only
// when the question is. Both are of one length, and the acknowledgement of the answer
// shows that whoever asked has seen it: a question with a forged address makes a server
// send no more than came, and sends no file.
//
// # Timers
//
// The retransmission timer is 0.1 s until a round trip is measured. Then it follows the
// measurements (RFC 6298), is 2 ms at least, doubles while nothing is heard from the
// receiver, and never exceeds a second. A receiver that does not answer, or
// acknowledges nothing new any more, is given up after [Sender.JoinTimeout] or
// [Sender.GiveUp], a sender that sends nothing new after [Receiver.GiveUp].
//
// # Limits
//
// The throughput is at most 8888 bytes per round trip, whatever the network could
// carry: 8.9 MB/s at 1 ms, 0.09 MB/s at 100 ms. A file has at most 2^63-1 bytes. Each
// side keeps one octoblock in memory. Checksum, session and digest guard against
// accidents, not against an attacker who can read the packets: nothing is encrypted or
// authenticated.
//
// The number of transfers is bounded, in all and for each IP address. When all places are
// taken, a new transfer gets the place of one that has made no progress for a second, or
// that is slower than an octoblock per second; the slowest goes first. A sender can make
// progress without receiving anything, so forged packets can keep a place, but only if they
// come at that rate all the time. A client of [Sender.Serve] proves by its ACK that it
// receives, and then keeps its place for five seconds without progress.
//
// A receiver commits a file in the goroutine that answers packets. A flood of small files
// delays all other transfers by the time that the disk needs for each.
//
// # Choices
//
// Where CPSC 441 assignment 2 leaves the choice, or is silent:
//
//   - Push or pull: both, by the same packets.
//   - What control information goes where: the header above. Acknowledgements are by
//     octoblock, as a bitmap.
//   - "A wee bit of leftover data": a file of fewer than eight bytes has a tiny
//     octoblock only, one of a multiple of eight none, and an empty file has no
//     octoblock at all.
//   - The field answers of an OPEN is not part of the assignment. It is what keeps a
//     forged question from setting two servers on each other.
//   - Congestion (RFC 8085, section 3.1): a sender never has more than one octoblock in
//     flight, which is less than what TCP sends before it has heard anything (RFC
//     6928), and the window never grows. So there is nothing to take back under loss
//     but time: the timer doubles.
//   - An octoleg that was lost twice is sent twice, where four or fewer are missing: no
//     more than eight packets leave at once in any case.
//   - An octoblock is acknowledged when the receiver holds it, and written while the
//     sender makes the next. When writing fails the transfer ends with an ERR; only the
//     acknowledgement of the FIN says that the file is kept.
//   - On a socket, on Linux, both sides poll for packets for 200 us before they sleep, as
//     long as that helps, and let other processes run between two polls. It costs some
//     processor time and makes the round trips of a fast network shorter.
//   - A packet that cannot be decoded, a LEG of the wrong length or of an octoblock to
//     come, an OPEN that contradicts an earlier one of its session, a FIN before the
//     last octoblock, and packets of a type that only this side sends, are
//     counted and ignored.
//   - A sender or client that gets the code for busy repeats its OPEN until JoinTimeout,
//     because a place may become free.
//   - A packet from another address than the one that was written to is unsolicited, and
//     is ignored.
//
// # Where the code does what
//
//   - The plan of octoblocks: plan.go. The packets: packet.go, opening.go, code.go, legs.go.
//   - What a sender sends and when, without a socket or a clock: send_state.go. Its files and
//     digests: send_transfer.go. The loop: send_call.go. Writing packets: send_write.go.
//     Answering questions: send_request.go.
//   - What a receiver keeps and acknowledges, without a socket or a clock: recv_state.go. A
//     transfer from the OPEN to the FIN: recv_transfer.go. The loop: recv_call.go. Asking for
//     a file: recv_get.go.
//   - Which transfer loses its place: evict.go.
package octoput
