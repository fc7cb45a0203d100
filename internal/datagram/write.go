package datagram

import "io"

// Write sends pkts in order. n were sent; err, nil if that is all of them, is about
// pkts[n]: unless it is [Fatal] the caller may count that packet as lost, and go on
// with pkts[n+1:]. Write keeps nothing of pkts.
//
// A write waits while the socket's buffer is full, but no longer than one second after
// the context has ended. That it has ended is not an error of Write, so that a protocol
// can still say goodbye.
func (c *Conn) Write(pkts []Packet) (n int, err error) {
	again := -1
	for n < len(pkts) {
		k, err := c.out.write(pkts[n:])
		n += k
		switch {
		case err == nil && k > 0:
		case err == nil:
			return n, io.ErrShortWrite
		case again < n && passing(err) && !TooLong(err):
			// What ICMP said of an earlier packet is the error of the next call,
			// whatever that call is, and leaves it undone. Once for each packet: it may
			// be about this one.
			again = n
		default:
			return n, err
		}
	}
	return n, nil
}
