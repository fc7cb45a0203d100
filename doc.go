// Package ferry is the root of a library that delivers files and messages over
// networks that lose, delay and reorder packets. It holds no code: each
// package below stands alone and is imported by itself.
//
// # Protocols
//
//   - [github.com/ferrygo/ferry/directory] lets peers share files, who find each other through a central directory.
//   - [github.com/ferrygo/ferry/p2mp] sends one file to many receivers.
//   - [github.com/ferrygo/ferry/tftp] is a TFTP client and server, and strategies to deliver a file over a bad network.
//   - [github.com/ferrygo/ferry/octoput] sends a file to one receiver, or fetches one, by the Octoput Transfer
//     Protocol.
//   - [github.com/ferrygo/ferry/relay] passes messages between TCP clients: a broadcast server, forwarders in
//     chains, and a chat that also goes over UDP.
//
// Every protocol works on a net.PacketConn that the caller makes, so it runs
// over real sockets, over simulated networks, and over whatever else is one.
//
// # Ground floor
//
//   - [github.com/ferrygo/ferry/checksum] is the Internet checksum: whole, in parts,
//     and updated in place.
//   - [github.com/ferrygo/ferry/lossy] drops, delays, duplicates, corrupts and reorders packets around any
//     net.PacketConn or between real programs, and has a network in memory that runs in virtual time.
//   - [github.com/ferrygo/ferry/multicast] opens conns for multicast groups and broadcast, which
//     deliver what was asked for and nothing else.
//
// # To come
//
// p2mp over multicast, and segmentation offload for all protocols.
//
// # What all packages share
//
// A type that acts, such as p2mp.Sender, is a struct of options whose zero value
// works; one value may run many transfers at once. Whatever blocks takes a
// context first, and returns when its own goroutines are gone. A field Trace observes; a
// Report says what happened; the library itself never prints. Addresses are netip.AddrPort.
package ferry
