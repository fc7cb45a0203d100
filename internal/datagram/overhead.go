package datagram

import "net"

// Overhead returns the number of bytes by which a packet is longer on the wire than what is
// written to a conn: more than 0 if it decorates another and adds a header, as package
// sealed does. Default packet sizes shrink by it.
func Overhead(pc net.PacketConn) int {
	if o, ok := pc.(interface{ Overhead() int }); ok {
		return max(0, o.Overhead())
	}
	return 0
}

// Overhead returns [Overhead] of the conn that c reads and writes.
func (c *Conn) Overhead() int { return Overhead(c.watch.pc) }
