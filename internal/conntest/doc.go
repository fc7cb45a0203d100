// Package conntest checks that a net.PacketConn behaves as a UDP socket does.
//
// A [Suite] says how to make conns; its Run runs every case as a subtest. The
// same cases run against real sockets, so what they ask of an imitation is
// what the system gives.
//
// [Pipe] joins two such conns to a pair of net.Conns, on which the tests for
// net.Conns of golang.org/x/net/nettest can run, too.
package conntest
