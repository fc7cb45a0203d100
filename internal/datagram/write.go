package datagram

import "io"

// Write sends pkts in order. n were sent. If that is not all, err is the error of pkts[n]:
// unless it is [Fatal], the caller may count that packet as lost and go on with
// pkts[n+1:], as [Send] does. Write keeps nothing of pkts.
//
// A write waits while the socket's buffer is full, until one second after the context has
// ended. The end of the context is not an error of Write, so that a protocol can still
// send its last packets.
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
			// The next system call, whatever it is, returns the error that an ICMP
			// message reported about an earlier packet, and does nothing else. It is
			// repeated once for each packet: the error may be that packet's own.
			again = n
		default:
			return n, err
		}
	}
	return n, nil
}

// A Writer writes packets: a [Conn], or something that shares one.
type Writer interface {
	Write(pkts []Packet) (n int, err error)
}

// Send writes pkts in order. A packet that cannot leave counts as lost on the way: Send
// calls failed, unless it is nil, with its index and its error, and goes on with the next.
// Send returns an error only if the conn cannot be used any more ([Fatal]).
func Send(w Writer, pkts []Packet, failed func(i int, err error)) error {
	for done := 0; done < len(pkts); done++ {
		n, err := w.Write(pkts[done:])
		if err == nil {
			return nil
		}
		if Fatal(err) {
			return err
		}
		done += n
		if failed != nil {
			failed(done, err)
		}
	}
	return nil
}
