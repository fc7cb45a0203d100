// Package ferry is the root of a library that delivers files and messages over networks
// that lose, delay and reorder packets. It holds the parts that the protocols share:
// sources of files ([Source], [Opener]), destinations ([Handler], [Sink]), a directory for
// both ([Dir]), and the errors that mean the same in every protocol.
//
//	root, err := os.OpenRoot("incoming")
//	conn, err := net.ListenPacket("udp", ":7735")
//	var r p2mp.Receiver
//	err = r.Serve(ctx, conn, &ferry.Dir{Root: root})   // every file that arrives
//
//	f, err := os.Open("photo.jpg")
//	source, err := ferry.FileSource(f)
//	var s p2mp.Sender
//	report, err := s.Send(ctx, conn, receivers, source)
//
// # Packages
//
// The protocols, each of which can be used alone:
//
//   - [github.com/ferrygo/ferry/p2mp] sends one file to many receivers.
//   - [github.com/ferrygo/ferry/tftp] is a TFTP client and server, with strategies to
//     deliver a file over a bad network.
//   - [github.com/ferrygo/ferry/octoput] sends a file to one receiver, or fetches one, by
//     the Octoput Transfer Protocol.
//   - [github.com/ferrygo/ferry/directory] lets peers share files and find each other
//     through a central directory.
//   - [github.com/ferrygo/ferry/relay] passes messages between TCP clients: a broadcast
//     server, forwarders in chains, and a chat that also uses UDP.
//
// Supporting packages:
//
//   - [github.com/ferrygo/ferry/checksum] is the Internet checksum: whole, in parts, and
//     updated in place.
//   - [github.com/ferrygo/ferry/lossy] drops, delays, duplicates, corrupts and reorders
//     packets around any net.PacketConn or between real programs, and has a network in
//     memory that runs in virtual time.
//   - [github.com/ferrygo/ferry/multicast] opens conns for multicast groups and broadcast.
//
// # Rules that hold in every package
//
// Types and calls:
//
//   - A type that acts, such as p2mp.Sender, is a struct of options. Its zero value works.
//     One value may run many transfers at once, each on a separate conn.
//   - The caller makes the net.PacketConn or net.Listener, and closes it. No call closes
//     a conn or listener that it was given. Serve returns only an error.
//   - A call that blocks takes a context first. It returns after its own goroutines have
//     returned. If the context ended the call, the error wraps the context's cause.
//   - A server has a method Stats, which may be called while it runs. Where the server is
//     shut down gracefully, the method Shutdown means what it means in net/http.
//
// Options:
//
//   - Zero means the default, and the comment names the default.
//   - A negative option means "off" or "no limit" if its comment says so. Every other
//     negative option is an error, which the call returns at once.
//   - Limits are called Max and Min: MaxTransfers, MaxSize, MinRate.
//   - Durations have the same names: JoinTimeout for the first answer, GiveUp for a peer
//     that stops answering, Linger for the time in which the last answer is repeated.
//
// Names in reports and events:
//
//   - The address of the other side is called Addr in every event, offer, request, report
//     and error.
//   - An RTT that was not measured is 0.
//   - Report is what happened in one transfer. Stats is what happened at one server. Both
//     are returned by value and use the same names for the same counters: Sent;
//     Retransmitted, which Sent includes; Received; Duplicates; Unexpected, packets from
//     the other side that could not be decoded or did not fit the transfer; Unsolicited,
//     packets from addresses that take no part; Timeouts; Bytes; Elapsed.
//
// Observation:
//
//   - The field Trace is a struct of functions, each of which may be nil. Each function
//     takes one event struct, which has a field Addr. LogTrace writes the events to a
//     log/slog.Logger.
//   - Hooks that mean the same have the same name: Accepted (a transfer began), Sent,
//     Received, Timeout, Ignored (a packet that is counted in Unexpected or Unsolicited,
//     and why), Dropped (a peer was given up), WriteFailed, Finished (a transfer ended).
//   - The library itself never prints.
//
// Errors:
//
//   - A package prefixes its name to the errors that it returns. The errors of this
//     package have no prefix; a protocol wraps them.
//   - An error that the other side sent is a separate error type, such as tftp.Error. It wraps
//     an error of io/fs or of this package if one means the same.
//   - The other side is told the kind of an error and nothing about this machine.
//   - A packet that cannot be decoded, or does not fit, is counted and ignored.
//
// Files:
//
//   - A file takes its name when it is whole and verified, and never before. See [Dir].
//   - [Dir] decides which names are written and read. A name never leaves the directory.
package ferry
