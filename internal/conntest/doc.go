// Package conntest checks that a net.PacketConn behaves as a UDP socket does.
//
// A [Suite] makes conns; its Run runs every case as a subtest. The cases also run
// against real sockets, so they require of a conn in memory only what the system
// does.
//
// [Pipe] makes a pair of net.Conns of two such conns, for the tests of
// golang.org/x/net/nettest.
package conntest
