// Package datagram reads and writes the packets of a net.PacketConn in batches, by
// the fastest way that the conn and the system have.
package datagram
